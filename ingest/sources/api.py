"""What the connectors of platform APIs share: one bounded JSON answer, and errors in words for its owner."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ingest.found import Found
from ingest.http import Web, refused
from ingest.source import Cursor, Poll
from vigie.errors import SourceError

# A first read of thousands of reviews takes several polls, so that none runs into its time limit.
PAGES_A_POLL = 5
PER_PAGE, MOST_PAGES = 100, 50


def read_pages(
    cursor: Cursor,
    fetch: Callable[[int], list[dict[str, Any]]],
    review_of: Callable[[dict[str, Any]], Found | None],
    *,
    recent: int,
) -> Poll:
    """Return the reviews of some numbered pages: of a first read the next ones, once all was read the `recent` first.

    `fetch` returns the entries of a page, `PER_PAGE` unless it is the last. Reviews that arrive meanwhile shift the
    pages: one that is met again is one.
    """
    is_read = bool(cursor.get("read"))
    first = 1 if is_read else int(cursor.get("page", 1))
    stop = 1 + recent if is_read else min(first + PAGES_A_POLL, MOST_PAGES + 1)
    found: dict[str | None, Found] = {}
    for page in range(first, stop):
        entries = fetch(page)
        found |= {review.external_id: review for review in map(review_of, entries) if review is not None}
        if len(entries) < PER_PAGE:
            is_read = True
            break
    has_more = not is_read and stop <= MOST_PAGES
    return Poll(tuple(found.values()), {"page": stop} if has_more else {"read": True}, more=has_more)


def get_json(web: Web, url: str, headers: Mapping[str, str] | None = None) -> Any:
    """The JSON at `url`. Raises `SourceError`: refused, out of order, or no JSON."""
    answer = web.get(url, {"Accept": "application/json", **(headers or {})})
    if error := refused(answer):
        raise error
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise SourceError("its answer is broken (no JSON)") from error


def text(value: Any) -> str | None:
    """A text of the answer; None for whatever else stands there."""
    return value.strip() or None if isinstance(value, str) else None


def identity(value: Any) -> str | None:
    """An identifier, whether it is a text or a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and str(value) else None


def listed(value: Any, what: str) -> list[dict[str, Any]]:
    """The objects of a list; raises `SourceError` when it is none."""
    if not isinstance(value, list):
        raise SourceError(f"its answer holds no {what}")
    return [one for one in value if isinstance(one, dict)]
