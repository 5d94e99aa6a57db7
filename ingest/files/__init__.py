"""Files that an owner brings, recognised by their content rather than by their name."""

import importlib
import re
import zipfile
from io import BytesIO

from ingest.files.bounds import opened_zip, unpacked
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

_OTHER = {
    b"\x1f\x8b": "this is a compressed archive (.tgz or .gz): unpack it and import the file in it",
    b"\xd0\xcf\x11\xe0": "this is an old or a protected Excel file: save it as XLSX or CSV, without a password",
    b"%PDF": "this is a PDF: export the reviews as CSV or XLSX",
    b"\x89PNG": "this is a picture: export the reviews as CSV or XLSX",
    b"\xff\xd8\xff": "this is a picture: export the reviews as CSV or XLSX",
    b"7z\xbc\xaf": "this is a compressed archive: unpack it and import the file in it",
    b"Rar!": "this is a compressed archive: unpack it and import the file in it",
}
_XML_WORKBOOK = re.compile(rb"urn:schemas-microsoft-com:office:spreadsheet")
_WEB_PAGE = re.compile(rb"<(?:!doctype html|html|table|meta)\b", re.I)
_TABLE_NAME = re.compile(r"\.(?:csv|tsv|xlsx|jsonl)$", re.I)


def read(body: bytes, how: How, kind: str | None = None) -> Read:
    """Return the mentions of a file. `kind` is one of FORMATS where the content would mislead.

    Raises `InvalidInputError` when the file cannot be used as a whole.
    """
    if kind is not None and kind not in FORMATS:
        raise InvalidInputError(f"unknown format {kind!r}: one of {', '.join(FORMATS)}")
    if kind is None:
        refuse_other(body)
        body = table_within(body)
    module = importlib.import_module(FORMATS[kind or recognised(body)])
    result: Read = module.read(body, how)
    return result


def refuse_other(body: bytes) -> None:
    """Raise `InvalidInputError` with what to do, for a file that is another thing whatever its name says."""
    for sign, reason in _OTHER.items():
        if body.startswith(sign):
            raise InvalidInputError(reason)
    head = body[:4_000].removeprefix(b"\xef\xbb\xbf").lstrip()
    if _XML_WORKBOOK.search(head):
        raise InvalidInputError("this is an XML spreadsheet: open it in Excel and save it as XLSX or CSV")
    if _WEB_PAGE.match(head):
        raise InvalidInputError("this is a web page, whatever its name: open it in Excel and save it as XLSX or CSV")


def table_within(body: bytes) -> bytes:
    """Return the one table that an archive holds, or `body` as it is; raises `InvalidInputError` for others."""
    if not zipfile.is_zipfile(BytesIO(body)) or _is_workbook(body):
        return body
    with opened_zip(body) as archive:
        names = archive.namelist()
        if "content.xml" in names:
            raise InvalidInputError("this is an OpenDocument file (.ods): save it as XLSX or CSV")
        if any(name.startswith(("word/", "ppt/", "Index/")) for name in names):
            raise InvalidInputError("this is a document of another program: save it as XLSX or CSV")
        tables = [name for name in names if _TABLE_NAME.search(name) and not name.startswith("__MACOSX/")]
        if len(tables) > 1 and not any(name.lower().endswith(".json") for name in names):
            raise InvalidInputError("the archive holds several tables: unpack it and import each")
        return unpacked(archive, tables[0]) if len(tables) == 1 else body


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
