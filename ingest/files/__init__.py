"""Files that an owner brings, told by their content rather than by their name."""

import zipfile
from collections.abc import Callable
from io import BytesIO

from ingest.files import csv_file, json_lines, mails, spreadsheet, takeout
from ingest.files.table import How, Read
from vigie.errors import InvalidInputError

FORMATS: dict[str, Callable[..., Read]] = {
    "csv": csv_file.read,
    "xlsx": spreadsheet.read,
    "jsonl": json_lines.read,
    "takeout": takeout.read,
    "mail": mails.read,
}


def read(body: bytes, how: How, kind: str | None = None) -> Read:
    """Read a file of reviews. `kind` is one of FORMATS where the content would mislead.

    Raises `InvalidInputError` when it cannot be used as a whole.
    """
    if kind is not None and kind not in FORMATS:
        raise InvalidInputError(f"unknown format {kind!r}: one of {', '.join(FORMATS)}")
    return FORMATS[kind or recognised(body)](body, how)


def recognised(body: bytes) -> str:
    """Which of FORMATS a file is."""
    if zipfile.is_zipfile(BytesIO(body)):
        with zipfile.ZipFile(BytesIO(body)) as archive:
            return "xlsx" if "xl/workbook.xml" in archive.namelist() else "takeout"
    head = body[:4_000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] in {b"{", b"["}:
        return "takeout" if takeout.looks_like(body) else "jsonl"
    return "mail" if mails.looks_like(head) else "csv"
