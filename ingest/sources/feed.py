"""RSS, Atom and JSON Feed: the address of a feed, or of a page that names one."""

import hashlib
import re
from urllib.parse import urljoin, urlsplit

from ingest import parsing
from ingest.clean import link
from ingest.feed_data import LOOKS_HTML, parse, title_of
from ingest.found import Found
from ingest.http import Answer, Web, refused
from ingest.markup import MOST_TAGS, tree_of
from ingest.source import Check, Cursor, Options, Poll, Polled

_FEED_TYPES = {"application/rss+xml", "application/atom+xml", "application/feed+json", "application/json"}
_MOST_HEAD = 500_000  # bytes of a page in which its feed is named
# A larger feed is parsed apart: its entries may take hundreds of megabytes.
_MAX_INLINE_BYTES = 200_000
_ENTITY = b"<!ENTITY"
_ENCODING = re.compile(rb"""<\?xml[^<>]{0,200}?encoding\s{0,9}=\s{0,9}["']([\w.:-]{1,40})""", re.I)
_CHARSET = re.compile(r"""charset\s{0,9}=\s{0,9}["']?([\w.:-]{1,40})""", re.I)
_WRITES_ASCII = re.compile(r"utf-?8|us-ascii|ascii|iso[-_]8859[-_]\d{1,2}|latin-?\d|windows-12\d\d|cp12\d\d")


class Feed(Polled):
    """A feed, asked politely: only if it has changed."""

    description = "an RSS, Atom or JSON feed, or a page that has one (press, blog, forum, search)"
    target = "the address of the feed, or of a page that names one"

    def address(self, target: str) -> str:
        """Where the feed is; a preset builds it from what its owner knows. Raises `SourceError`."""
        return target

    def read(self, answer: Answer) -> tuple[Found, ...]:
        """What the feed says; a preset adds what it knows of this one."""
        return read_entries(answer)

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        address = self.address(target)
        answer = web.get(str(cursor.get("feed") or address), _conditions(cursor))
        if answer.status == 304:
            return Poll(cursor=cursor)
        if error := refused(answer):
            raise error
        if not _is_feed(answer) and (named := discover(answer.body, answer.url)):
            answer = web.get(named)
            if error := refused(answer):
                raise error
            cursor = {"feed": named}
        digest = hashlib.blake2b(answer.body, digest_size=16).hexdigest()
        if digest == cursor.get("body"):
            return Poll(cursor=_remembered(cursor, answer, digest))
        found = self.read(answer)
        moved_to = answer.moved_to if "feed" not in cursor and address == target else None
        return Poll(found, _remembered(cursor, answer, digest), moved_to)

    def check(self, web: Web, target: str) -> Check | None:
        answer = web.get(target)
        if error := refused(answer):
            raise error
        address = answer.url
        if not _is_feed(answer):
            named = discover(answer.body, answer.url)
            if named is None:
                return None
            answer, address = web.get(named), named
        found = read_entries(answer)
        title = title_of(answer.body) if len(answer.body) <= _MAX_INLINE_BYTES else None
        sample = next((one.title or one.text[:100] for one in found), None)
        return Check("feed", address, title or address, len(found), sample)


class Preset(Feed):
    """A feed whose address is built from what its owner knows, or given as it is."""

    #: the kind by which the registry knows it, and the host of its feeds
    kind: str
    host: str

    def check(self, web: Web, target: str) -> Check | None:
        if (urlsplit(target).hostname or "").removeprefix("www.") != self.host:
            return None
        found = self.poll(web, target, {}, {}).found
        return Check(self.kind, target, target, len(found), next((one.title for one in found), None))


def read_entries(answer: Answer) -> tuple[Found, ...]:
    """Return the entries of a feed; raises `SourceError` when it is none."""
    if not _is_light(answer):
        return parsing.read_feed(answer.body, answer.url, answer.headers)
    return tuple(parse(answer.body, answer.headers, answer.url))


def _is_light(answer: Answer) -> bool:
    """Return whether the feed may be parsed in this process.

    Entities that it declares may expand to a thousand times its size, so they must be visible to be missed here: in an
    encoding that writes ASCII as ASCII.
    """
    body = answer.body
    if len(body) > _MAX_INLINE_BYTES or _ENTITY in body or b"\0" in body:
        return False
    if b"<" not in body[:500] and b"{" not in body[:500]:  # EBCDIC, which feedparser knows by its first bytes
        return False
    declared = _ENCODING.search(body[:500])
    charset = _CHARSET.search(answer.headers.get("content-type", "")[:500])
    names = {declared[1].decode("latin-1") if declared else "utf-8", charset[1] if charset else "utf-8"}
    return all(_WRITES_ASCII.fullmatch(name.lower()) for name in names)


def is_address(target: str) -> bool:
    """Whether it is a web address already."""
    return target.startswith(("http://", "https://"))


def discover(body: bytes, url: str) -> str | None:
    """The feed that a page names in its head, as an absolute address."""
    if not body or b"<" not in body[:2_000]:
        return None
    page = tree_of(body[:_MOST_HEAD].decode("utf-8", "replace"), most_tags=MOST_TAGS)
    for element in page.css("link[rel~=alternate][href]") if page else ():
        if (element.attributes.get("type") or "").strip().lower() in _FEED_TYPES:
            try:
                return link(urljoin(url, element.attributes.get("href") or ""))
            except ValueError:
                continue
    return None


def _conditions(cursor: Cursor) -> dict[str, str]:
    headers = {"If-None-Match": cursor.get("etag"), "If-Modified-Since": cursor.get("modified")}
    return {name: value for name, value in headers.items() if value}


def _remembered(cursor: Cursor, answer: Answer, digest: str) -> Cursor:
    remembered = {
        "feed": cursor.get("feed"),
        "etag": answer.headers.get("etag", "")[:500],
        "modified": answer.headers.get("last-modified", "")[:100],
        "body": digest,
    }
    return {name: value for name, value in remembered.items() if value}


def _is_feed(answer: Answer) -> bool:
    head = answer.body[:2_000].lower()
    return not LOOKS_HTML.search(head) or b"<rss" in head or b"<feed" in head or b"<rdf" in head
