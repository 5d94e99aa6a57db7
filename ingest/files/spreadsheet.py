"""XLSX: the sheet that looks most like a table of reviews.

openpyxl builds strings and styles whole, 100 times as large as they are in the file, so each part is measured first.
Sheets are read as a stream.
"""

import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from io import BytesIO
from itertools import islice
from typing import Any

import openpyxl

from ingest.files import table
from ingest.files.bounds import bounded_rows, opened_zip
from ingest.files.table import How
from vigie.errors import InvalidInputError

_MAX_COLUMNS = 200
_MAX_SHEETS = 50
_MAX_CELLS = 2_000_000  # that hold something
_MAX_STYLES_BYTES, _MAX_PART_BYTES, _MAX_SHEET_BYTES = 1_000_000, 20_000_000, 60_000_000


def read(body: bytes, how: How) -> table.Read:
    """Return the mentions of a spreadsheet; raises `InvalidInputError` when it cannot be used as a whole."""
    with opened_zip(body) as archive:
        _check_parts(archive)
    try:
        book = openpyxl.load_workbook(BytesIO(body), read_only=True, data_only=True, keep_links=False)
        return _read_sheets(book, how)
    except (InvalidInputError, MemoryError):
        raise
    except Exception as error:  # a stranger's archive raises what openpyxl did not foresee
        raise InvalidInputError(f"the spreadsheet cannot be read ({type(error).__name__}): save it again") from error


def _check_parts(archive: zipfile.ZipFile) -> None:
    """Raise `InvalidInputError` for a part that is too large to build."""
    for entry in archive.infolist():
        name = entry.filename.lower()
        if "style" in name or "theme" in name:
            limit = _MAX_STYLES_BYTES
        else:
            limit = _MAX_SHEET_BYTES if "worksheets/" in name else _MAX_PART_BYTES
        if entry.file_size > limit:
            raise InvalidInputError(f"{entry.filename[:100]} is larger than {limit // 1_000_000} MB")


def _read_sheets(book: Any, how: How) -> table.Read:
    """Read the sheet whose header and first rows say most of reviews, the first among equals."""
    scores: list[tuple[int, int]] = []
    for at, sheet in enumerate(book.worksheets[:_MAX_SHEETS]):
        sheet.reset_dimensions()  # some programs state A1 for the whole
        first_rows = [cells for _, cells in islice(_rows(sheet), table.SAMPLE_ROWS)]
        if first_rows:
            scores.append((-table.score_of(first_rows[0], first_rows[1:]), at))
    if not scores:
        raise InvalidInputError("the spreadsheet is empty")
    rows = _rows(book.worksheets[min(scores)[1]])
    header = next(rows)[1]
    return table.read(header, rows, how)


def _rows(sheet: Any) -> Iterator[table.Row]:
    """Yield the rows that hold something, each with its number."""
    cell_count = 0
    rows = sheet.iter_rows(values_only=True, max_col=_MAX_COLUMNS)
    for line, row in enumerate(bounded_rows(rows), start=1):
        cells = [_text(value) for value in row]
        cell_count += sum(map(bool, cells))
        if cell_count > _MAX_CELLS:
            raise InvalidInputError(f"the file has more than {_MAX_CELLS} cells: cut it in parts")
        if any(cells):
            yield line, cells


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
