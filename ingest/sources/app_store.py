"""Customer reviews of an application in Apple's App Store: a public, undocumented feed.

It comes in JSON and in Atom, and some spellings of its address come back empty at random
(facundoolano/app-store-scraper#50): the next spelling is tried before an empty answer is believed.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import feedparser

from ingest.clean import text_of
from ingest.found import Found
from ingest.http import Answer, Web, refused
from ingest.moments import iso
from ingest.rating import on_five
from ingest.source import Cursor, Options, Poll, Polled
from ingest.sources.feed import is_address
from vigie.errors import SourceError

_BASE = "https://itunes.apple.com"
_SPELLINGS = (
    "{base}/{country}/rss/customerreviews/page={page}/id={app}/sortby=mostrecent/json",
    "{base}/{country}/rss/customerreviews/page={page}/id={app}/sortby=mostrecent/xml",
    "{base}/{country}/rss/customerreviews/id={app}/page={page}/sortby=mostrecent/json",
    "{base}/{country}/rss/customerreviews/id={app}/page={page}/sortby=mostrecent/xml",
)
_PAGES = 10


class AppStore(Polled):
    """Fifty reviews a page, ten pages at the most; the first poll reads them all."""

    description = "customer reviews of your application in the App Store"
    target = "the application's number (the digits after id in its address)"
    platform: str | None = "app_store"
    options: Mapping[str, str] = {
        "country": "the store's country, fr unless given",
        "base": "another server",
    }

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        app = target.rpartition("id")[2] if is_address(target) else target
        if not app.isdigit():
            raise SourceError(f"{target[:80]!r} is no application's number", permanent=True)
        where = {"base": options.get("base", _BASE), "country": options.get("country", "fr"), "app": app}
        pages = 1 if cursor.get("read") else _PAGES
        found: list[Found] = []
        for page in range(1, pages + 1):
            try:
                brought = _page(web, {**where, "page": str(page)})
            except SourceError:
                if page == 1:
                    raise
                break  # past its last page it answers anything
            found += brought
            if not brought:
                break
        return Poll(tuple(found), {"read": True})


def _page(web: Web, where: dict[str, str]) -> list[Found]:
    problems: list[tuple[bool, SourceError]] = []
    for spelling in _SPELLINGS:
        answer = web.get(spelling.format(**where))
        if problem := refused(answer):
            problems.append((answer.status == 404, problem))
        elif found := list(_reviews(answer)):
            return found
    if len(problems) == len(_SPELLINGS):
        raise min(problems, key=lambda pair: pair[0])[1]  # a spelling that it does not know says the least
    return []


def _reviews(answer: Answer) -> Iterator[Found]:
    if answer.body.lstrip()[:1] == b"{":
        yield from _from_json(answer.body)
    else:
        for entry in feedparser.parse(answer.body, sanitize_html=False, resolve_relative_uris=False).entries:
            if given := entry.get("im_rating"):
                yield _found(
                    entry.get("id"), entry.get("title"), _text(entry), given, entry.get("author"), entry.get("updated")
                )


def _text(entry: Any) -> str:
    plain = [one.get("value") for one in entry.get("content") or () if one.get("type") == "text/plain"]
    return str(plain[0] if plain else entry.get("summary") or "")


def _from_json(body: bytes) -> Iterator[Found]:
    try:
        feed = json.loads(body).get("feed")
    except (ValueError, RecursionError, AttributeError) as error:
        raise SourceError("the App Store's answer is broken") from error
    entries = feed.get("entry", []) if isinstance(feed, dict) else []
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, dict) and (given := _label(entry, "im:rating")):
            author = entry.get("author")
            name = _label(author, "name") if isinstance(author, dict) else None
            text, moment = _label(entry, "content"), _label(entry, "updated")
            yield _found(_label(entry, "id"), _label(entry, "title"), text or "", given, name, moment)


def _label(entry: dict[str, Any], name: str) -> str | None:
    value = entry.get(name)
    label = value.get("label") if isinstance(value, dict) else None
    return label if isinstance(label, str) else None


def _found(
    identity: str | None, title: str | None, text: str, given: str, author: str | None, moment: str | None
) -> Found:
    try:
        rating = on_five(given)
    except ValueError as error:
        raise SourceError(f"a review's rating cannot be read: {error}") from error
    return Found(
        external_id=identity,
        title=text_of(title, most=2_000) or None,
        text=text_of(text),
        author=text_of(author, most=500) or None,
        rating=rating,
        rating_given=given,
        updated_at=iso(moment),
        published_at=iso(moment),
    )
