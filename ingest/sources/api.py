"""What the connectors of platform APIs share: one bounded JSON answer, and errors in words for its owner."""

import json
from collections.abc import Mapping
from typing import Any

from ingest.http import Web, refused
from ingest.source import Cursor
from vigie.errors import SourceError

# A first read of thousands of reviews takes several polls, so that none runs into its time limit.
PAGES_A_POLL = 5


def pages_to_read(cursor: Cursor, *, recent: int, most: int) -> range:
    """Return the numbers of the pages of this poll: of a first read the next ones, then the `recent` first."""
    if cursor.get("read"):
        return range(1, recent + 1)
    first = int(cursor.get("page", 1))
    return range(first, min(first + PAGES_A_POLL, most + 1))


def cursor_after(pages: range, *, is_last: bool, most: int) -> Cursor:
    """Return what to remember once `pages` were read; it holds a page while there is more to read."""
    return {"read": True} if is_last or pages.stop > most else {"page": pages.stop}


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
