"""Google Takeout's archive as downloaded: any JSON in it that has the form of Business Profile reviews."""

import json
from collections.abc import Iterator
from typing import Any

from ingest.files.bounds import opened_zip, unpacked
from ingest.files.table import BadRow, How, Read
from ingest.sources.google_business import review
from vigie.errors import InvalidInputError


def looks_like(body: bytes) -> bool:
    """Whether one JSON file is Takeout's, unpacked by its owner."""
    return b'"starRating"' in body[:200_000] and b'"reviews"' in body[:200_000]


def read(body: bytes, how: How) -> Read:
    """Read the reviews of an archive, or of one of its files; raises `InvalidInputError` when it holds none."""
    result = Read(columns={"format": "Google Takeout"})
    line = 0
    for data in _documents(body):
        for one in data["reviews"]:
            line += 1
            try:
                result.found.append(review(one))
            except ValueError as error:
                result.bad.append(BadRow(line, str(error)))
    if not result.found:
        raise InvalidInputError(result.bad[0].reason if result.bad else "the archive holds no Google reviews")
    return result


def _documents(body: bytes) -> Iterator[dict[str, Any]]:
    if not body.startswith(b"PK"):
        yield from _reviews(body)
        return
    with opened_zip(body) as archive:
        for name in archive.namelist():
            if name.lower().endswith(".json"):
                yield from _reviews(unpacked(archive, name))


def _reviews(body: bytes) -> Iterator[dict[str, Any]]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return
    if isinstance(data, dict) and isinstance(data.get("reviews"), list):
        yield data
