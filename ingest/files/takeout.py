"""Google Takeout's archive as downloaded: any JSON in it that has the form of Business Profile reviews."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from ingest.files.bounds import bounded_rows, opened_zip, unpacked
from ingest.files.table import How, Read
from vigie.errors import InvalidInputError


def looks_like(body: bytes) -> bool:
    """Return whether one JSON file is Takeout's, unpacked by its owner."""
    return b'"starRating"' in body[:200_000] and b'"reviews"' in body[:200_000]


def read(body: bytes, how: How) -> Read:
    """Return the reviews of an archive, or of one of its files; raises `InvalidInputError` when it holds none."""
    from ingest.sources.google_business import review  # which needs all the sources: only where one comes

    result = Read(columns={"format": "Google Takeout"})
    for line, value in enumerate(bounded_rows(_reviews(body)), start=1):
        result.add(line, partial(review, value))
    if not result.found:
        raise InvalidInputError(result.bad[0].reason if result.bad else "the archive holds no Google reviews")
    return result


def _reviews(body: bytes) -> Iterator[Any]:
    if not body.startswith(b"PK"):
        yield from _reviews_of_document(body)
        return
    with opened_zip(body) as archive:
        for name in archive.namelist():
            if name.lower().endswith(".json"):
                yield from _reviews_of_document(unpacked(archive, name))


def _reviews_of_document(body: bytes) -> Iterator[Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return
    if isinstance(data, dict) and isinstance(data.get("reviews"), list):
        yield from data["reviews"]
