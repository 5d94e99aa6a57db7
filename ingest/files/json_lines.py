"""JSON lines, or one JSON array: objects whose keys are read like a table's columns. Our own export is one."""

import json
from collections.abc import Iterator
from typing import Any

from ingest.files import table
from ingest.files.table import BadRow, How, Read
from vigie.errors import InvalidInputError

_MOST_COLUMNS = 200


def read(body: bytes, how: How) -> Read:
    """Read JSON lines; raises `InvalidInputError` when they cannot be used as a whole."""
    bad: list[BadRow] = []
    objects = list(_objects(body, bad))
    names = list(dict.fromkeys(name for _, one in objects for name in one))[:_MOST_COLUMNS]
    if not objects:
        raise InvalidInputError(bad[0].reason if bad else "the file is empty")
    rows = ((line, [_cell(one.get(name)) for name in names]) for line, one in objects)
    result = table.read(names, rows, how)
    result.bad = sorted([*result.bad, *bad], key=lambda row: row.line)
    return result


def _objects(body: bytes, bad: list[BadRow]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError("the file is no UTF-8: JSON always is") from error
    if text.lstrip()[:1] == "[":
        for line, one in enumerate(_parsed(text), start=1):
            yield from _kept(line, one, bad)
        return
    for line, piece in enumerate(text.split("\n"), start=1):
        if piece.strip():
            try:
                yield from _kept(line, _parsed(piece), bad)
            except InvalidInputError as error:
                bad.append(BadRow(line, str(error)))


def _kept(line: int, one: Any, bad: list[BadRow]) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(one, dict):
        yield line, one
    else:
        bad.append(BadRow(line, "it is no JSON object"))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"it is no JSON: {str(error)[:100]}") from error


def _cell(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return value if isinstance(value, str) else json.dumps(value)
