"""XLSX: the first sheet that holds a header with a text or a rating."""

from collections.abc import Iterator
from datetime import date, datetime
from io import BytesIO
from typing import Any

import openpyxl

from ingest.files import table
from ingest.files.bounds import opened_zip
from ingest.files.table import How
from vigie.errors import InvalidInputError

_MOST_ROWS, _MOST_COLUMNS = 200_000, 200


def read(body: bytes, how: How) -> table.Read:
    """Read a spreadsheet; raises `InvalidInputError` when it cannot be used as a whole."""
    opened_zip(body).close()
    try:
        book = openpyxl.load_workbook(BytesIO(body), read_only=True, data_only=True, keep_links=False)
        problem: InvalidInputError | None = None
        for sheet in book.worksheets:
            rows = _rows(sheet)
            header = next(rows, None)
            if header is None:
                continue
            try:
                return table.read(header[1], rows, how)
            except InvalidInputError as error:
                problem = problem or error
    except InvalidInputError:
        raise
    except Exception as error:  # a stranger's archive raises what openpyxl did not foresee
        raise InvalidInputError(f"the spreadsheet cannot be read ({type(error).__name__}): save it again") from error
    raise problem or InvalidInputError("the spreadsheet is empty")


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something, each with its number."""
    for line, row in enumerate(sheet.iter_rows(values_only=True, max_col=_MOST_COLUMNS), start=1):
        if line > _MOST_ROWS:
            return
        cells = [_text(value) for value in row]
        if any(cells):
            yield line, cells


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
