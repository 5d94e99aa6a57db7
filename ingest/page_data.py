"""Reviews and averages that a web page shows as schema.org data: JSON-LD, microdata or RDFa Lite.

Default scale 1 to 5 (schema.org/Rating). Runs in a parser child.
"""

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.clean import LONGER, link, text_of
from ingest.found import Found
from ingest.markup import MOST_TAGS, tree_of
from ingest.moments import written
from ingest.parsing.parts import PageContent
from ingest.rating import on_five
from ingest.source import Aggregate
from vigie import ids
from vigie.errors import SourceError

Item = dict[str, Any]
Result = TypeVar("Result")

_MAX_DEPTH, _MAX_ITEMS, _MAX_BLOCK_CHARS = 60, 20_000, 5_000_000
_MAX_REVIEWS, _MAX_SCOPES = 2_000, 5_000
_MAX_FINDINGS = 3
# Nested properties hold the same text again: what is read of all together is bounded, kept or not.
_MAX_PROPERTY_CHARS = 20_000_000
# Strings are taken whole: nothing in them is a comment. What never ends goes to the end, so that it is read once.
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*\\?(?:"|\Z)'
_COMMENT = re.compile(
    _STRING + r"|(?://)?(?:<!\[CDATA\[|\]\]>)|<!--[^{[\"<]*-->|<!--|-->|//[^\n]*|/\*.*?(?:\*/|\Z)", re.S
)
_LAST_COMMA = re.compile(_STRING + r"|,(?=\s*[}\]])", re.S)
_COUNT = re.compile(r"\(?(\d{1,3}(?:[\s.,'’]\d{3}){1,2}|\d{1,8})(?:\.0)?\D*$")
_REVIEW_TYPES = {"review", "userreview", "criticreview", "employerreview"}
_OTHER_TYPES = {"person", "postaladdress", "review", "organization"}


class _Syntax(NamedTuple):
    """The attributes of an item, of its type, and of a property of the item around it."""

    item: str
    type: str
    property: str


_MICRODATA = _Syntax("itemscope", "itemtype", "itemprop")  # html.spec.whatwg.org, microdata
_RDFA = _Syntax("typeof", "typeof", "property")  # w3.org/TR/rdfa-lite


class _Budget:
    """The items and characters that are still read of one page."""

    def __init__(self) -> None:
        self.items = _MAX_ITEMS
        self.chars = _MAX_PROPERTY_CHARS


def read_page(body: bytes, url: str, headers: Mapping[str, str], *, is_own: bool) -> PageContent:
    """Return the content of a page, with its findings if it is the company's own; raises `SourceError`."""
    page = tree_of(_decoded(body, headers.get("content-type", "")), most_tags=MOST_TAGS)
    if page is None:
        raise SourceError("it is nested too deeply to be a page")
    items = list(_items(page))
    title = page.css_first("title")
    robots_header = headers.get("x-robots-tag", "")
    findings = tuple(_findings(page, items, url, robots_header)) if is_own else None
    return PageContent(
        title=text_of(title.text()[:LONGER]) if title else "",
        reviews=tuple(_reviews(items))[:_MAX_REVIEWS],
        aggregates=tuple(_aggregates(items))[:1],
        findings=findings,
    )


def _decoded(body: bytes, content_type: str) -> str:
    charset = content_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    for encoding in (charset or "utf-8", "utf-8", "cp1252"):
        # A charset may also be "undefined" or "punycode", whose errors are plain UnicodeErrors.
        with suppress(UnicodeError, LookupError, ValueError):
            return body.decode(encoding)
    return body.decode("latin-1")


def _findings(page: LexborHTMLParser, items: list[Item], url: str, robots_header: str) -> Iterator[str]:
    """Yield the names of what the company's own page lacks, the three most telling first."""
    robots = page.css_first('meta[name="robots" i]')
    directives = (robots.attributes.get("content") or "") if robots else ""
    business = next((item for item in items if _is_business(item)), {})
    visible_text = page.body.text(separator=" ") if page.body else ""
    lacks = {
        "noindex": "noindex" in f"{directives} {robots_header}".lower(),
        "no_https": not url.startswith("https:"),
        "no_phone_layout": page.css_first('meta[name="viewport" i]') is None,
        "no_telephone": page.css_first('a[href^="tel:"]') is None and not business.get("telephone"),
        "no_opening_hours": not _has_hours(business, visible_text),
        "no_address": not business.get("address") and page.css_first("address") is None,
        "no_business_data": not business,
    }
    yield from [name for name, is_missing in lacks.items() if is_missing][:_MAX_FINDINGS]


def _has_hours(business: Item, visible_text: str) -> bool:
    if business.get("openinghours") or business.get("openinghoursspecification"):
        return True
    words = visible_text.lower()
    return "horaires" in words or "opening hours" in words


def _is_business(item: Item) -> bool:
    """Return whether it is a LocalBusiness: what has an address or a telephone and is neither person nor review."""
    types = _types(item)
    has_place = "address" in item or "telephone" in item or "openinghours" in item
    return "localbusiness" in types or (has_place and not types & _OTHER_TYPES)


def _items(page: LexborHTMLParser) -> Iterator[Item]:
    """Yield every schema.org item, nested ones too, keys in lower case; a broken block stops no other."""
    budget = _Budget()
    for script in page.css('script[type*="ld+json" i]'):
        yield from _flattened(_json(script.text()), 0, budget)
    for syntax in _MICRODATA, _RDFA:
        scopes = page.css(f"[{syntax.item}]:not([{syntax.property}])")
        for element in scopes[:_MAX_SCOPES]:
            yield from _flattened(_marked_up(element, syntax, 0, budget), 0, budget)


def _json(text: str) -> object:
    """Return the value of a JSON-LD block, also as people write it; None for a broken one."""
    block = text.strip()[:_MAX_BLOCK_CHARS]
    for prepare in (str, _mended):
        with suppress(ValueError, RecursionError):
            return json.loads(prepare(block), strict=False)
    return None


def _mended(block: str) -> str:
    """Return the block without comments, CDATA marks and last commas; entities become the quotes that they were."""
    bare = _COMMENT.sub(_unless_quoted, block if '"' in block else html.unescape(block))
    return _LAST_COMMA.sub(_unless_quoted, bare).strip().rstrip(";")


def _unless_quoted(match: re.Match[str]) -> str:
    return match[0] if match[0][0] == '"' else ""


def _flattened(value: object, depth: int, budget: _Budget) -> Iterator[Item]:
    """Yield the objects of a JSON-LD value, outer ones first, within the depth and number that are read."""
    if depth > _MAX_DEPTH or budget.items <= 0:
        return
    if isinstance(value, list):
        for part in value:
            yield from _flattened(part, depth + 1, budget)
    elif isinstance(value, dict):
        budget.items -= 1
        item = {_bare(key): part for key, part in value.items() if isinstance(key, str)}
        yield item
        for part in item.values():
            if isinstance(part, dict | list):
                yield from _flattened(part, depth + 1, budget)


def _marked_up(element: LexborNode, syntax: _Syntax, depth: int, budget: _Budget) -> Item:
    """Return one item as an object; microdata's `itemref` is left out."""
    item: Item = {"@type": (element.attributes.get(syntax.type) or "").split()}
    waiting = list(element.iter())
    waiting.reverse()
    while waiting:
        node = waiting.pop()
        names = (node.attributes.get(syntax.property) or "").split()
        is_item = syntax.item in node.attributes
        if is_item and depth > _MAX_DEPTH:
            continue
        if names:
            value = _marked_up(node, syntax, depth + 1, budget) if is_item else _property(node, budget)
            for name in names:
                item.setdefault(name, []).append(value)
        if not is_item:
            children = list(node.iter())
            children.reverse()
            waiting += children
    return item


def _property(node: LexborNode, budget: _Budget) -> str:
    """Return the value of a property, at most as long as a mention's text; "" once the budget is used up."""
    if budget.chars <= 0:
        return ""
    attributes = node.attributes
    for name in ("content", "datetime", "value", "href", "src"):
        is_of_tag = name not in {"href", "src"} or node.tag in {"a", "link", "img"}
        if attributes.get(name) is not None and is_of_tag:
            return (attributes[name] or "")[:LONGER]
    text = node.text(separator=" ")
    budget.chars -= len(text)
    return " ".join(text[: 4 * LONGER].split())[:LONGER]


def _bare(name: str) -> str:
    return name.rpartition("/")[2].rpartition("#")[2].rpartition(":")[2].lower()


def _types(item: Item) -> set[str]:
    value = item.get("@type")
    names = value if isinstance(value, list) else [value]
    return {_bare(name) for name in names[:20] if isinstance(name, str)}


def _first(value: Any) -> Any:
    while isinstance(value, list):
        value = value[0] if value else None
    return value


def _text(value: Any) -> str:
    value = _first(value)
    if isinstance(value, dict):
        value = _first(value.get("@value", value.get("name")))
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if is_plain else ""


def _guarded(read_item: Callable[[Item], Result | None], item: Item) -> Result | None:
    """Return what `read_item` makes of an item, or None where it raises: a bad item stops no other."""
    try:
        return read_item(item)
    except MemoryError:
        raise
    except Exception:
        return None


def _reviews(items: list[Item]) -> Iterator[Found]:
    """Yield each review once: a page often says it in two places."""
    seen = set()
    for item in items:
        review = _guarded(_review, item)
        if review is None:
            continue
        key = ids.derived("review", review.author, review.published_at, review.text, review.rating)
        if key not in seen:
            seen.add(key)
            yield review


def _review(item: Item) -> Found | None:
    if not _types(item) & _REVIEW_TYPES:
        return None
    text = text_of(_text(item.get("reviewbody")) or _text(item.get("description")) or _text(item.get("text")))
    title = text_of(_text(item.get("name")) or _text(item.get("headline")), most=2_000)
    rating, rating_text = _rating(_first(item.get("reviewrating")))
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
        rating_given=rating_text,
        published_at=written(_text(item.get("datepublished")) or _text(item.get("datecreated"))),
        updated_at=written(_text(item.get("datemodified"))),
    )


def _rating(value: Any) -> tuple[float | None, str | None]:
    """Return the rating on five and as it is written; (None, None) for one that cannot be read."""
    parts = value if isinstance(value, dict) else {"ratingvalue": value}
    parts = {_bare(key): part for key, part in parts.items()}
    rating = _text(parts.get("ratingvalue")).strip()
    if not rating or len(rating) > 40:
        return None, None
    try:
        best = float((_text(parts.get("bestrating"))[:20] or "5").replace(",", "."))
        return on_five(rating, best=best), rating if best == 5 else f"{rating}/{best:g}"
    except ValueError:
        return None, None


def _aggregates(items: list[Item]) -> Iterator[Aggregate]:
    for item in items:
        if aggregate := _guarded(_aggregate, item):
            yield aggregate


def _aggregate(item: Item) -> Aggregate | None:
    if "aggregaterating" not in _types(item):
        return None
    average, rating = _rating(item)
    counts = [_count(_text(item.get(name))) for name in ("ratingcount", "reviewcount")]
    count = next(filter(None, counts), 0)
    if average is None or not rating or not count:
        return None
    return Aggregate(average, count, rating)


def _count(text: str) -> int:
    """Return `1284`, `1 284 avis` or `1,284` as a number; 0 for any other text."""
    match = _COUNT.match(text[:40])
    return int(re.sub(r"\D", "", match[1])) if match else 0
