"""CSV: any separator, any common encoding."""

import csv
import re
from collections.abc import Iterator

from ingest.files import table
from ingest.files.table import How
from vigie.errors import InvalidInputError

_MOST_FIELD = 200_000


def read(body: bytes, how: How) -> table.Read:
    """Read a CSV file; raises `InvalidInputError` when it cannot be used as a whole."""
    rows = _rows(decoded(body))
    header = next(rows, None)
    if header is None:
        raise InvalidInputError("the file is empty")
    return table.read(header[1], rows, how)


def decoded(body: bytes) -> str:
    """The file's text: UTF-8 or UTF-16 by their marks, else UTF-8, else Windows-1252 as older programs write."""
    marked = body.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ["utf-16"] if marked else ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            text = body.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise InvalidInputError("the file's characters cannot be read: save it as CSV UTF-8")
    if "\x00" in text[:10_000]:
        raise InvalidInputError("this is no CSV file (it holds binary data): export it as CSV")
    return text


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line on which it starts."""
    csv.field_size_limit(_MOST_FIELD)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=_separator(text))
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidInputError(f"line {line} cannot be read as CSV: {error}") from error


def _separator(text: str) -> str:
    """The one that splits the header most: a sample's statistics are misled by commas in French texts."""
    header = re.sub(r'"[^"]*"', "", text.split("\n", 1)[0])
    return max(";,\t|", key=header.count)
