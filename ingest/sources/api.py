"""What the connectors of platform APIs share: one bounded JSON answer, and errors in words for its owner."""

import json
from collections.abc import Mapping
from typing import Any

from ingest.http import Web, refused
from vigie.errors import SourceError


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
