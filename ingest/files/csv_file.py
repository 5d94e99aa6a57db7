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
_END = "\x00end of the file"  # no file holds it: binary data is refused
_MAX_TITLE_LINES = 15
_MAX_JUDGED_RUNS = 2_000
_ACCENTED_RUN = re.compile(rb"[\x20-\x7e]?[\x80-\xff]{1,8}[\x20-\x7e]?")
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
_WORD_LETTERS = frozenset("éèêëàâçùûüîïôöœæñ")
_CAPITALS = frozenset("ÉÈÊÀÂÇÙÛÎÔŒ")
_SIGNS = frozenset("’‘“”«»…€–—\xa0°ßáíóú")
# MySQL's way to escape a quotation mark; RFC 4180 doubles it.
_BACKSLASHED = re.compile(r'\\"(?=[^",;\t|\r\n])')
_KIND = re.compile(r'^"?(?:\d{1,4}([/.-])\d{1,2}\1\d{1,4}.{0,20}|\d{1,5}(?:[.,]\d{1,4})?)"?$')


def read(body: bytes, how: How) -> Read:
    """Return the mentions of a CSV file; raises `InvalidInputError` when it cannot be used as a whole."""
    csv.field_size_limit(_MAX_FIELD_CHARS)
    bad_rows: list[BadRow] = []
    with _opened(body) as text:
        start = text.read(_MAX_HEADER_CHARS)
        escape = "\\" if _BACKSLASHED.search(start) else None
        separator = _separator(start)
        text.seek(0)
        rows = _rows(text, separator, escape, bad_rows)
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
    """Return UTF-8 or UTF-16 by their marks or signs, else what older programs write and reads best."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif len(body) > 1 and body[:200].count(0) * 3 > len(body[:200]) and b"\x00\x00" not in body[:200]:
        encoding = "utf-16-le" if body[1] == 0 else "utf-16-be"
    else:
        encoding = "utf-8-sig"
    if _is_encoded(body, encoding):
        return encoding
    if encoding != "utf-8-sig":
        raise InvalidInputError("the file's characters cannot be read: save it as CSV UTF-8")
    return _old_encoding(body)


def _old_encoding(body: bytes) -> str:
    """Return the encoding of Windows, ISO (with the euro), the Mac or DOS in which accents stand where French has them.

    Windows' is the first among equals.
    """
    runs = [match[0] for _, match in zip(range(_MAX_JUDGED_RUNS), _ACCENTED_RUN.finditer(body), strict=False)]
    if sum(bool(_UTF8_SEQUENCE.search(run)) for run in runs) * 2 > len(runs):
        # UTF-8 with a bad byte: each cell is repaired alone
        return "cp1252" if _is_encoded(body, "cp1252") else "latin-1"
    scores = {name: sum(_plausibility(run, name) for run in runs) for name in ("cp1252", "mac_roman", "cp850")}
    best = max(scores, key=lambda name: scores[name])
    # ISO 8859-15 differs from Windows in eight signs: its euro and ligatures are ¤, ½ and ¼ there.
    if best == "cp1252" and any(re.search(rb"\xa4|[a-z][\xbc\xbd][a-z]", run) for run in runs):
        is_iso = not any(0x80 <= byte < 0xA0 for run in runs for byte in run)
        best = "iso8859_15" if is_iso else best
    return best if _is_encoded(body, best) else "latin-1"


def _plausibility(run: bytes, encoding: str) -> int:
    """Return how well the accented signs of a run fit into French words: below zero for what nobody writes."""
    text = run.decode(encoding, "replace")
    score = 0
    for at, sign in enumerate(text):
        if sign.isascii():
            continue
        is_within = at > 0 and text[at - 1].isalpha() and text[at - 1].islower()
        if sign in _WORD_LETTERS or sign in _SIGNS:
            score += 2
        elif sign in _CAPITALS:
            score += -1 if is_within else 1
        else:
            score -= 2
    return score


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


def _rows(text: TextIO, separator: str, escape: str | None, bad_rows: list[BadRow]) -> Iterator[table.Row]:
    """Yield each row with the line on which it starts; what cannot be read goes to `bad_rows`.

    Raises `InvalidInputError` where a quotation mark is never closed.
    """
    lines: list[str] = []
    reader = csv.reader(_kept(text, separator, escape, lines), delimiter=separator, escapechar=escape)
    while True:
        line = reader.line_num + 1
        lines.clear()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad_rows.append(BadRow(line, f"line {line} cannot be read as CSV: {error}"))
            if len(bad_rows) > table.MAX_BAD_ROWS:
                raise InvalidInputError(f"line {line} cannot be read as CSV: {error}") from error
            continue
        if row == [_END]:
            return
        if (row and row[-1].endswith(_END)) or _holds_rows(lines, separator):
            raise InvalidInputError(f"line {line}: a quotation mark is opened there and not closed: correct that line")
        yield line, ["" if cell == "\\N" else cell for cell in row]


def _kept(text: TextIO, separator: str, escape: str | None, lines: list[str]) -> Iterator[str]:
    """Yield each line, kept in `lines` too, then a sign that the file ends: in a quoted cell it would be lost."""
    for line in text:
        if escape:
            line = line.replace(f"{separator}\\N", separator)  # MySQL's NULL
        lines.append(line)
        yield line
    yield _END


def _holds_rows(lines: list[str], separator: str) -> bool:
    """Return whether further lines of one row are rows themselves: as many cells, a number in the same place."""
    if len(lines) < 2:
        return False
    first = [bool(_KIND.match(cell)) for cell in lines[0].strip().split(separator)]
    for line in lines[1:]:
        cells = line.strip().split(separator)
        if len(cells) == len(first) > 1 and any(
            is_told and _KIND.match(cell) for is_told, cell in zip(first, cells, strict=True)
        ):
            return True
    return False


def _separator(start: str) -> str:
    """Return the sign that splits the header most: a sample's statistics are misled by commas in French texts.

    A title may stand above the header: the first line that holds a separator counts.
    """
    lines = start.splitlines()[:_MAX_TITLE_LINES]
    unquoted = [re.sub(r'"[^"]*"', "", line) for line in lines]
    if not unquoted:
        return ";"
    header = next((line for line in unquoted if any(sign in line for sign in ";,\t|")), unquoted[0])
    return max(";,\t|", key=header.count)
