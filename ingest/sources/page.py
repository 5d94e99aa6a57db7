"""Web pages with schema.org data: reviews and the average that they show, in JSON-LD, microdata or RDFa Lite.

Default scale 1 to 5 (schema.org/Rating); robots.txt is obeyed. Of the firm's own page also what a customer on a
telephone misses: its findings, by name.
"""

import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.clean import link, text_of
from ingest.found import Found
from ingest.http import Answer, Web, refused
from ingest.markup import MOST_TAGS, tree_of
from ingest.moments import written
from ingest.rating import on_five
from ingest.source import Aggregate, Check, Cursor, Options, Poll, Polled
from vigie import ids
from vigie.errors import SourceError

Item = dict[str, Any]

_MOST_DEPTH, _MOST_ITEMS, _MOST_BLOCK = 60, 20_000, 5_000_000
_MOST_REVIEWS, _MOST_SCOPES = 2_000, 5_000
# Strings are taken whole: nothing in them is a comment. What never ends goes to the end, so that it is read once.
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*\\?(?:"|\Z)'
_COMMENT = re.compile(
    _STRING + r"|(?://)?(?:<!\[CDATA\[|\]\]>)|<!--[^{[\"<]*-->|<!--|-->|//[^\n]*|/\*.*?(?:\*/|\Z)", re.S
)
_LAST_COMMA = re.compile(_STRING + r"|,(?=\s*[}\]])", re.S)
_COUNT = re.compile(r"\(?(\d{1,3}(?:[\s.,'’]\d{3}){1,2}|\d{1,8})(?:\.0)?\D*$")
_REVIEWS = {"review", "userreview", "criticreview", "employerreview"}


class _Syntax(NamedTuple):
    """Which attributes say that an element is an item, of which type, and a property of the item around it."""

    item: str
    type: str
    property: str


_MICRODATA = _Syntax("itemscope", "itemtype", "itemprop")  # html.spec.whatwg.org, microdata
_RDFA = _Syntax("typeof", "typeof", "property")  # w3.org/TR/rdfa-lite


class Page(Polled):
    """A page that shows reviews as data."""

    description = "a web page that shows reviews as data (schema.org), such as your own site"
    target = "the address of the page"
    options: Mapping[str, str] = {"own": "yes for the firm's own site: what it lacks is told"}
    rhythm = timedelta(hours=6), timedelta(days=2)

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        answer = web.get(target, _conditions(cursor), as_robot=True)
        if answer.status == 304:
            return Poll(cursor=cursor)
        if error := refused(answer):
            raise error
        digest = hashlib.blake2b(answer.body, digest_size=16).hexdigest()
        remembered = {"etag": answer.headers.get("etag", "")[:500], "body": digest}
        if digest == cursor.get("body"):
            return Poll(cursor=remembered)
        page = _parsed(answer)
        items = list(_items(page, answer.url))
        return Poll(
            tuple(_reviews(items))[:_MOST_REVIEWS],
            remembered,
            answer.moved_to,
            tuple(_aggregates(items))[:1],
            tuple(findings(page, items, answer)) if options.get("own") == "yes" else None,
        )

    def check(self, web: Web, target: str) -> Check | None:
        answer = web.get(target, as_robot=True)
        if error := refused(answer):
            raise error
        page = _parsed(answer)
        items = list(_items(page, answer.url))
        found, aggregates = list(_reviews(items)), list(_aggregates(items))
        if not found and not aggregates:
            return None
        title = page.css_first("title")
        name = text_of(title.text()) if title else answer.url
        sample = next((one.text[:100] or one.title for one in found), None)
        return Check("page", answer.url, name or answer.url, len(found), sample, next(iter(aggregates), None))


def _parsed(answer: Answer) -> LexborHTMLParser:
    page = tree_of(_markup(answer), most_tags=MOST_TAGS)
    if page is None:
        raise SourceError("it is nested too deeply to be a page")
    return page


def findings(page: LexborHTMLParser, items: list[Item], answer: Answer) -> Iterator[str]:
    """What the firm's own page lacks, the most telling three: each is a name that dashboards say in words."""
    robots = page.css_first('meta[name="robots" i]')
    directives = (robots.attributes.get("content") or "") if robots else ""
    business = next((item for item in items if _is_business(item)), None)
    visible = page.body.text(separator=" ") if page.body else ""
    missing = [
        ("noindex", "noindex" in f"{directives} {answer.headers.get('x-robots-tag', '')}".lower()),
        ("no_https", not answer.url.startswith("https:")),
        ("no_phone_layout", page.css_first('meta[name="viewport" i]') is None),
        ("no_telephone", page.css_first('a[href^="tel:"]') is None and not (business and business.get("telephone"))),
        ("no_opening_hours", not _has_hours(business, visible)),
        ("no_address", not (business and business.get("address")) and page.css_first("address") is None),
        ("no_business_data", business is None),
    ]
    yield from [name for name, is_missing in missing if is_missing][:3]


def _has_hours(business: Item | None, visible: str) -> bool:
    if business and (business.get("openinghours") or business.get("openinghoursspecification")):
        return True
    words = visible.lower()
    return "horaires" in words or "opening hours" in words


def _is_business(item: Item) -> bool:
    """LocalBusiness or one of its kinds: what has an address or a telephone and is neither person nor review."""
    kinds = _types(item)
    told = "address" in item or "telephone" in item or "openinghours" in item
    return "localbusiness" in kinds or (told and not kinds & {"person", "postaladdress", "review", "organization"})


def _conditions(cursor: Cursor) -> dict[str, str]:
    return {"If-None-Match": cursor["etag"]} if cursor.get("etag") else {}


def _markup(answer: Answer) -> str:
    charset = answer.headers.get("content-type", "").lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    for encoding in (charset, "utf-8", "cp1252"):
        try:
            return answer.body.decode(encoding) if encoding else answer.body.decode("utf-8")
        except (UnicodeDecodeError, LookupError):
            continue
    return answer.body.decode("latin-1")


def _items(page: LexborHTMLParser, url: str) -> Iterator[Item]:
    """Every schema.org item of the page, nested ones too, keys in lower case; a broken block stops no other."""
    budget = [_MOST_ITEMS]
    for script in page.css('script[type*="ld+json" i]'):
        yield from _flattened(_json(script.text()), 0, budget)
    for syntax in _MICRODATA, _RDFA:
        for element in page.css(f"[{syntax.item}]:not([{syntax.property}])")[:_MOST_SCOPES]:
            yield from _flattened(_marked_up(element, syntax, 0), 0, budget)


def _json(text: str) -> Any:
    """A JSON-LD block, also as people write it; None for what is none."""
    block = text.strip()[:_MOST_BLOCK]
    for read in (str, _mended):
        with suppress(ValueError, RecursionError):
            return json.loads(read(block), strict=False)
    return None


def _mended(block: str) -> str:
    """Without comments, CDATA marks and commas before an end; with quotes where a template made entities of them."""
    bare = _COMMENT.sub(_unless_quoted, block if '"' in block else html.unescape(block))
    return _LAST_COMMA.sub(_unless_quoted, bare).strip().rstrip(";")


def _unless_quoted(match: re.Match[str]) -> str:
    return match[0] if match[0][0] == '"' else ""


def _flattened(value: Any, depth: int, budget: list[int]) -> Iterator[Item]:
    """The objects of a JSON-LD value, outer ones first; how deep and how many is bounded."""
    if depth > _MOST_DEPTH or budget[0] <= 0:
        return
    if isinstance(value, list):
        for one in value:
            yield from _flattened(one, depth + 1, budget)
    elif isinstance(value, dict):
        budget[0] -= 1
        item = {_bare(key): one for key, one in value.items() if isinstance(key, str)}
        yield item
        for one in item.values():
            if isinstance(one, dict | list):
                yield from _flattened(one, depth + 1, budget)


def _marked_up(element: LexborNode, syntax: _Syntax, depth: int) -> Item:
    """One item as an object; microdata's `itemref` is left out."""
    item: Item = {"@type": (element.attributes.get(syntax.type) or "").split()}
    waiting = [*reversed(list(element.iter()))]
    while waiting:
        node = waiting.pop()
        names = (node.attributes.get(syntax.property) or "").split()
        is_item = syntax.item in node.attributes
        if is_item and depth > _MOST_DEPTH:
            continue
        if names:
            value = _marked_up(node, syntax, depth + 1) if is_item else _property(node)
            for name in names:
                item.setdefault(name, []).append(value)
        if not is_item:
            waiting += reversed(list(node.iter()))
    return item


def _property(node: LexborNode) -> str:
    attributes = node.attributes
    for name in ("content", "datetime", "value", "href", "src"):
        if attributes.get(name) is not None and (name not in {"href", "src"} or node.tag in {"a", "link", "img"}):
            return attributes[name] or ""
    return " ".join(node.text(separator=" ").split())


def _bare(name: str) -> str:
    return name.rpartition("/")[2].rpartition("#")[2].rpartition(":")[2].lower()


def _types(item: Item) -> set[str]:
    given = item.get("@type")
    named = given if isinstance(given, list) else [given]
    return {_bare(one) for one in named[:20] if isinstance(one, str)}


def _first(value: Any) -> Any:
    return _first(value[0]) if isinstance(value, list) and value else None if isinstance(value, list) else value


def _text(value: Any) -> str:
    value = _first(value)
    if isinstance(value, dict):
        value = _first(value.get("@value", value.get("name")))
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _reviews(items: list[Item]) -> Iterator[Found]:
    """Each review once: a page often says it in two places."""
    seen = set()
    for item in items:
        if _types(item) & _REVIEWS and (one := _review(item)):
            key = ids.derived("review", one.author, one.published_at, one.text, one.rating)
            if key not in seen:
                seen.add(key)
                yield one


def _review(item: Item) -> Found | None:
    text = text_of(_text(item.get("reviewbody")) or _text(item.get("description")) or _text(item.get("text")))
    title = text_of(_text(item.get("name")) or _text(item.get("headline")), most=2_000)
    rating, given = _rating(_first(item.get("reviewrating")))
    if not text and rating is None:
        return None
    author = text_of(_text(item.get("author")) or _text(item.get("creator")), most=500)
    identity = _text(item.get("@id")) or _text(item.get("identifier"))
    return Found(
        external_id=identity if "#" not in identity[:1] else None,
        url=link(_text(item.get("url"))),
        author=author or None,
        title=title or None,
        text=text,
        language=_text(item.get("inlanguage"))[:2].lower() or None,
        rating=rating,
        rating_given=given,
        published_at=written(_text(item.get("datepublished")) or _text(item.get("datecreated"))),
        updated_at=written(_text(item.get("datemodified"))),
    )


def _rating(value: Any) -> tuple[float | None, str | None]:
    """The rating on five and as given; one that cannot be read is none, the review's words still count."""
    if not isinstance(value, dict):
        value = {"ratingvalue": value}
    value = {_bare(key): one for key, one in value.items()}
    given = _text(value.get("ratingvalue")).strip()
    if not given or len(given) > 40:
        return None, None
    try:
        best = float((_text(value.get("bestrating"))[:20] or "5").replace(",", "."))
        return on_five(given, best=best), given if best == 5 else f"{given}/{best:g}"
    except ValueError:
        return None, None


def _aggregates(items: list[Item]) -> Iterator[Aggregate]:
    for item in items:
        if "aggregaterating" not in _types(item):
            continue
        average, given = _rating(item)
        counts = [_count(_text(item.get(name))) for name in ("ratingcount", "reviewcount")]
        count = next(filter(None, counts), 0)
        if average is not None and given and count:
            yield Aggregate(average, count, given)


def _count(given: str) -> int:
    """`1284`, `1 284 avis`, `1,284`; 0 for what is no count."""
    match = _COUNT.match(given[:40])
    return int(re.sub(r"\D", "", match[1])) if match else 0
