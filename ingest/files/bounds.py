"""Limits of files: what an archive or a table holds is counted before it is built in memory."""

import zipfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import TypeVar

from vigie.errors import InvalidInputError

Row = TypeVar("Row")

MAX_ROWS = 50_000  # of a file, whatever its format
MAX_COLUMNS = 500  # whose header holds something
_MAX_ENTRIES, _MAX_UNPACKED_BYTES = 20_000, 200_000_000
_MAX_ENTRY_BYTES = 20_000_000


def opened_zip(body: bytes) -> zipfile.ZipFile:
    """Return the archive; raises `InvalidInputError` when it is broken or holds too much."""
    try:
        archive = zipfile.ZipFile(BytesIO(body))
        entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InvalidInputError("the archive is broken: download it again") from error
    unpacked_bytes = sum(entry.file_size for entry in entries)
    if len(entries) > _MAX_ENTRIES or unpacked_bytes > _MAX_UNPACKED_BYTES:
        raise InvalidInputError("the archive holds too much: unpack it and import what is needed")
    return archive


def unpacked(archive: zipfile.ZipFile, name: str, limit: int = _MAX_ENTRY_BYTES) -> bytes:
    """Return one entry of at most `limit` bytes, whatever the archive says of its size; raises `InvalidInputError`."""
    try:
        with archive.open(name) as file:
            body = file.read(limit + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError) as error:
        raise InvalidInputError(f"{name[:100]} cannot be unpacked") from error
    if len(body) > limit:
        raise InvalidInputError(f"{name[:100]} is larger than {limit // 1_000_000} MB")
    return body


def bounded_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield `rows`; raises `InvalidInputError` when there are more than a file may have."""
    for count, row in enumerate(rows):
        if count >= MAX_ROWS:
            raise InvalidInputError(f"the file has more than {MAX_ROWS} rows: cut it in parts")
        yield row
