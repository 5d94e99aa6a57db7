"""JSON lines, one JSON array, or one object that holds one: keys are read like a table's columns.

Our own export is one. A value that is an object gives a column for each of its own: `consumer.displayName`.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from ingest.files import table
from ingest.files.bounds import bounded_rows
from ingest.files.table import BadRow, How, Read
from vigie.errors import InvalidInputError

Line = tuple[int, Any]

_MAX_COLUMNS = 200
_WRAPPERS = ("data", "reviews", "results", "items")
_MAX_DEPTH = 2  # of objects in a row


def read(body: bytes, how: How) -> Read:
    """Return the mentions of JSON lines; raises `InvalidInputError` when they cannot be used as a whole."""
    columns: dict[str, int] = {}
    rows: list[table.Row] = []
    bad_rows: list[BadRow] = []
    for line, value in bounded_rows(_values(body, bad_rows)):
        if isinstance(value, dict):
            rows.append((line, _row(value, columns)))
        else:
            bad_rows.append(BadRow(line, "it is no JSON object"))
    if not rows:
        raise InvalidInputError(bad_rows[0].reason if bad_rows else "the file is empty")
    result = table.read(list(columns), table.drained(rows), how)
    result.bad = sorted([*result.bad, *bad_rows], key=lambda row: row.line)
    return result


def _row(value: dict[str, Any], columns: dict[str, int]) -> list[str]:
    """Return the object's cells in the order of `columns`, to which new keys are added."""
    cells = dict(_cells(value))
    for name in cells:
        if name not in columns and len(columns) < _MAX_COLUMNS:
            columns[name] = len(columns)
    return [cells.get(name, "") for name in columns]


def _cells(value: dict[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each value, those of nested objects under both names."""
    for name, one in value.items():
        if isinstance(one, dict) and depth < _MAX_DEPTH:
            yield from _cells(one, f"{above}{name}.", depth + 1)
        else:
            yield above + name, _cell(one)


def _values(body: bytes, bad_rows: list[BadRow]) -> Iterator[Line]:
    """Yield each value with its line; a line that is no JSON goes to `bad_rows`."""
    if body.removeprefix(b"\xef\xbb\xbf")[:1_000].lstrip()[:1] == b"[":
        yield from enumerate(_parsed(_text(body)), start=1)
        return
    first_line, _, others = body.strip().partition(b"\n")
    if _is_document(first_line, is_alone=not others):
        yield from enumerate(_rows_within(_parsed(_text(body))), start=1)
        return
    for line, piece in enumerate(BytesIO(body), start=1):
        text = _text(piece)
        if not text.strip():
            continue
        try:
            value = _parsed(text)
        except InvalidInputError as error:
            bad_rows.append(BadRow(line, str(error)))
            if len(bad_rows) > table.MAX_BAD_ROWS:
                raise
        else:
            yield line, value


def _is_document(line: bytes, *, is_alone: bool) -> bool:
    """Whether a file is one object over several lines, by its first one, or one that holds the rows as a list."""
    if not is_alone:
        return line.strip().removeprefix(b"\xef\xbb\xbf") == b"{" or line.rstrip()[-1:] in {b"[", b",", b"{"}
    value = _parsed(_text(line)) if any(f'"{name}"'.encode() in line for name in _WRAPPERS) else None
    return isinstance(value, dict) and any(isinstance(value.get(name), list) for name in _WRAPPERS)


def _rows_within(value: Any) -> list[Any]:
    """Return the longest list of objects that an object holds, at most two levels down; else the object alone."""
    lists: list[list[Any]] = []
    level = [value]
    for _ in range(_MAX_DEPTH + 1):
        within = [one for parent in level if isinstance(parent, dict) for one in parent.values()]
        lists += [one for one in within if isinstance(one, list) and one and isinstance(one[0], dict)]
        level = within
    return max(lists, key=len, default=[value])


def _text(piece: bytes) -> str:
    try:
        return piece.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError("the file is no UTF-8: JSON always is") from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"it is no JSON: {str(error)[:100]}") from error


def _cell(value: object) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return value if isinstance(value, str) else json.dumps(value)
