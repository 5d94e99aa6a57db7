"""CSV: any separator, any common encoding. The file is decoded and read as a stream."""

import codecs
import csv
import re
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from typing import TextIO

from ingest.files import table
from ingest.files.table import BadRow, How, Read
from vigie.errors import InvalidInputError

_MAX_FIELD_CHARS = 200_000
_MAX_HEADER_CHARS = 100_000
_CHUNK_BYTES = 65_536


def read(body: bytes, how: How) -> Read:
    """Return the mentions of a CSV file; raises `InvalidInputError` when it cannot be used as a whole."""
    csv.field_size_limit(_MAX_FIELD_CHARS)
    bad_rows: list[BadRow] = []
    with _opened(body) as text:
        separator = _separator(text.readline(_MAX_HEADER_CHARS))
        text.seek(0)
        rows = _rows(text, separator, bad_rows)
        header = next(rows, None)
        if header is None:
            raise InvalidInputError(bad_rows[0].reason if bad_rows else "the file is empty")
        result = table.read(header[1], rows, how)
    if bad_rows and not result.found:
        raise InvalidInputError(bad_rows[0].reason)
    result.bad = sorted([*result.bad, *bad_rows], key=lambda row: row.line)
    return result


def decoded(body: bytes) -> str:
    """Return the file's text; raises `InvalidInputError` when it has none."""
    with _opened(body) as text:
        return text.read()


def _opened(body: bytes) -> TextIO:
    """Return the file's text as a stream; raises `InvalidInputError` when it has none."""
    text = TextIOWrapper(BytesIO(body), _encoding(body), newline="")
    if "\x00" in text.read(10_000):
        raise InvalidInputError("this is no CSV file (it holds binary data): export it as CSV")
    text.seek(0)
    return text


def _encoding(body: bytes) -> str:
    """Return UTF-8 or UTF-16 by their marks, else UTF-8, else Windows-1252 as older programs write."""
    is_marked = body.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ["utf-16"] if is_marked else ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        if _is_encoded(body, encoding):
            return encoding
    raise InvalidInputError("the file's characters cannot be read: save it as CSV UTF-8")


def _is_encoded(body: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    view = memoryview(body)
    try:
        for start in range(0, len(view), _CHUNK_BYTES):
            decoder.decode(bytes(view[start : start + _CHUNK_BYTES]))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _rows(text: TextIO, separator: str, bad_rows: list[BadRow]) -> Iterator[table.Row]:
    """Yield each row with the line on which it starts; what cannot be read goes to `bad_rows`."""
    reader = csv.reader(text, delimiter=separator)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad_rows.append(BadRow(line, f"line {line} cannot be read as CSV: {error}"))
            if len(bad_rows) > table.MAX_BAD_ROWS:
                raise InvalidInputError(f"line {line} cannot be read as CSV: {error}") from error


def _separator(header: str) -> str:
    """Return the sign that splits the header most: a sample's statistics are misled by commas in French texts."""
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max(";,\t|", key=unquoted.count)
