"""Files that an owner brings, recognised by their content rather than by their name."""

import importlib
import zipfile
from io import BytesIO

from ingest.files.table import How, Read
from vigie.errors import InvalidInputError

# Each format's module, which has a function `read`. One is imported when its first file comes.
FORMATS: dict[str, str] = {
    "csv": "ingest.files.csv_file",
    "xlsx": "ingest.files.spreadsheet",
    "jsonl": "ingest.files.json_lines",
    "takeout": "ingest.files.takeout",
    "mail": "ingest.files.mails",
}


def read(body: bytes, how: How, kind: str | None = None) -> Read:
    """Return the mentions of a file. `kind` is one of FORMATS where the content would mislead.

    Raises `InvalidInputError` when the file cannot be used as a whole.
    """
    if kind is not None and kind not in FORMATS:
        raise InvalidInputError(f"unknown format {kind!r}: one of {', '.join(FORMATS)}")
    module = importlib.import_module(FORMATS[kind or recognised(body)])
    result: Read = module.read(body, how)
    return result


def recognised(body: bytes) -> str:
    """Return the name of the file's format, one of FORMATS."""
    from ingest.files import mails, takeout

    if zipfile.is_zipfile(BytesIO(body)):
        return "xlsx" if _is_workbook(body) else "takeout"
    head = body[:4_000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] in {b"{", b"["}:
        return "takeout" if takeout.looks_like(body) else "jsonl"
    return "mail" if mails.looks_like(head) else "csv"


def _is_workbook(body: bytes) -> bool:
    try:
        with zipfile.ZipFile(BytesIO(body)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InvalidInputError("the archive is broken: download it again") from error
