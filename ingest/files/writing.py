"""Rows as CSV, JSON lines or XLSX. What a spreadsheet would run as a formula gets an apostrophe, which an import
takes off again (OWASP, CSV injection); JSON lines are exact."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ingest.files.table import FORMULA
from vigie.errors import InvalidInputError

Row = Mapping[str, Any]

# What XML 1.0 cannot hold, so that no spreadsheet can.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write(rows: Iterable[Row], kind: str, path: Path | None) -> str:
    """Write `rows` to `path`, or give them as text where there is none; raises `InvalidInputError`."""
    if kind == "xlsx":
        if path is None:
            raise InvalidInputError("a spreadsheet needs a file: --out FILE.xlsx")
        _xlsx(rows, path)
        return ""
    text = "".join(lines(rows, kind))
    if path is None:
        return text
    path.write_text(text, encoding="utf-8-sig" if kind == "csv" else "utf-8", newline="")  # Excel needs the mark
    return ""


def lines(rows: Iterable[Row], kind: str) -> Iterator[str]:
    """`rows` as text, line by line: nothing is held whole. Raises `InvalidInputError` for an unknown kind."""
    if kind not in {"csv", "jsonl"}:
        raise InvalidInputError(f"unknown format {kind!r}: one of csv, jsonl, xlsx")
    return _csv(rows) if kind == "csv" else (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def _csv(rows: Iterable[Row]) -> Iterator[str]:
    out = StringIO(newline="")
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(out, list(row), delimiter=";")
            writer.writeheader()
        writer.writerow({name: guarded(value) for name, value in row.items()})
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def _xlsx(rows: Iterable[Row], path: Path) -> None:
    import openpyxl  # 15 MB that only a spreadsheet needs

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Vigie")
    for number, row in enumerate(rows):
        if not number:
            sheet.append(list(row))
        sheet.append([_cell(value) for value in row.values()])
    book.save(path)


def _cell(value: Any) -> Any:
    cell = guarded(value)
    return _NO_XML.sub("", cell) if isinstance(cell, str) else cell


def guarded(value: Any) -> Any:
    """A cell that no spreadsheet runs; a text that begins with an apostrophe before such a sign gets one more."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if not isinstance(value, str) or not value:
        return value
    return f"'{value}" if value.lstrip("'")[:1] in set(FORMULA) else value
