"""The entries of a feed (RSS, Atom, JSON Feed), read from its bytes. Pure.

feedparser reads what browsers of feeds read, however broken. It is given bytes in a stream, never an address or a
path, which it would open; its own clean-up of markup is off (three times faster), since we keep plain text only.
"""

import calendar
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import feedparser

from ingest.clean import link, plain, text_of
from ingest.found import Found
from ingest.moments import iso
from vigie import ids
from vigie.errors import SourceError

LOOKS_HTML = re.compile(rb"<(?:!doctype\s+html|html[\s>]|body[\s>])", re.I)
_MOST_ENTRIES = 5_000
_MOST_DEPTH = 1_000
_CDATA = re.compile(rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)", re.S)
_TAG = re.compile(rb"<(/?)[A-Za-z_][^<>]*?(/?)>")


def parse(body: bytes, headers: Mapping[str, str], url: str) -> Iterator[Found]:
    """The entries of a feed; raises `SourceError` when `body` is none."""
    if not body.strip():
        raise SourceError("it answers with nothing at all")
    if (data := _json(body)) is not None:
        yield from _json_feed(data, url)
        return
    feed = _feedparser(body, headers)
    if not feed.entries and not feed.version:
        what = "a web page that names no feed" if LOOKS_HTML.search(body[:2_000]) else "no feed"
        raise SourceError(f"what is at this address is {what}")
    for entry in feed.entries[:_MOST_ENTRIES]:
        if one := _entry(entry, url):
            yield one


def _feedparser(body: bytes, headers: Mapping[str, str]) -> Any:
    if _depth(body) > _MOST_DEPTH:
        raise SourceError("it is nested too deeply to be a feed")
    if body.count(b"<") > 2 * body.count(b">") + _MOST_DEPTH:
        raise SourceError("its tags never end")  # three seconds a megabyte
    content_type = {"content-type": headers["content-type"]} if "content-type" in headers else {}
    try:
        return feedparser.parse(
            io.BytesIO(body), response_headers=content_type, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as error:  # strangers' bytes find what its authors did not
        raise SourceError(f"it cannot be read as a feed ({type(error).__name__})") from error


def _depth(body: bytes) -> int:
    """How many elements are open at once at the most; feedparser takes seconds on a few thousand."""
    depth = deepest = 0
    for tag in _TAG.finditer(_CDATA.sub(b"", body)):
        if not tag[2]:
            depth = max(0, depth - 1) if tag[1] else depth + 1
            deepest = max(deepest, depth)
    return deepest


def _entry(entry: Any, url: str) -> Found | None:
    contents = [str(one.get("value") or "") for one in entry.get("content") or ()]
    raw = max([*contents, _str(entry.get("summary"))], key=len)
    raw_title, address = _str(entry.get("title")), _str(entry.get("link"))
    # Past feedparser's own get(), which gives one date for the other and warns that it will not do so for ever.
    published, updated = dict.get(entry, "published_parsed"), dict.get(entry, "updated_parsed")
    when = _str(dict.get(entry, "published") or dict.get(entry, "updated"))
    if not any((_str(entry.get("id")), address, raw_title, raw, when)):
        return None
    # Without id or address an entry is what it says, and that before any clean-up makes two of them alike.
    fallback = None if address else ids.derived("entry", raw_title, raw, when)
    return Found(
        external_id=_str(entry.get("id")) or fallback,
        url=_absolute(url, address),
        title=text_of(raw_title, most=2_000) or None,
        text=text_of(raw),
        author=text_of(_str(entry.get("author")), most=500) or None,
        published_at=_moment(published or updated),
        updated_at=_moment(updated) if updated and updated != published else None,
    )


def _str(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _absolute(base: str, address: str) -> str | None:
    try:
        return link(urljoin(base, address)) if address else None
    except ValueError:
        return None


def _moment(parsed: Any) -> datetime | None:
    """feedparser gives UTC as a struct_time, with whatever year the feed says."""
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def title_of(body: bytes) -> str | None:
    """Return the title of a feed; None where it has none."""
    data = _json(body)
    title = data.get("title") if data else _feedparser(body, {}).feed.get("title")
    return text_of(title, most=200) if isinstance(title, str) and title.strip() else None


def _json(body: bytes) -> dict[str, Any] | None:
    """A JSON Feed's object (jsonfeed.org, 1.0 and 1.1); None if the body is not JSON at all."""
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return None
    try:
        data = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SourceError("it looks like JSON and is broken") from error
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        raise SourceError("it is JSON, but no JSON feed")
    return data


def _json_feed(data: dict[str, Any], url: str) -> Iterator[Found]:
    for item in data["items"][:_MOST_ENTRIES]:
        if isinstance(item, dict) and (one := _json_item(item, url)):
            yield one


def _json_item(item: dict[str, Any], url: str) -> Found | None:
    identity = item.get("id")
    identity = str(identity) if isinstance(identity, str | int) and not isinstance(identity, bool) else ""
    text = plain(_str(item.get("content_text"))) or text_of(_str(item.get("content_html") or item.get("summary")))
    title, address = _str(item.get("title")), _str(item.get("url") or item.get("external_url"))
    if not any((identity.strip(), address, title, text)):
        return None
    return Found(
        external_id=identity.strip() or (None if address else ids.derived("entry", title, text)),
        url=_absolute(url, address),
        title=text_of(title, most=2_000) or None,
        text=text,
        author=_json_author(item),
        published_at=iso(item.get("date_published")),
        updated_at=iso(item.get("date_modified")),
        language=_str(item.get("language"))[:16] or None,
    )


def _json_author(item: dict[str, Any]) -> str | None:
    authors = item.get("authors") or [item.get("author")]
    names = [_str(one.get("name")) for one in authors if isinstance(one, dict)] if isinstance(authors, list) else []
    return plain(", ".join(filter(None, names)), most=500) or None
