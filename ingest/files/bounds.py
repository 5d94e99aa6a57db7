"""Archives are strangers' too: what is inside is counted before it is unpacked."""

import zipfile
from io import BytesIO

from vigie.errors import InvalidInputError

_MOST_ENTRIES, _MOST_UNPACKED = 20_000, 200_000_000


def opened_zip(body: bytes) -> zipfile.ZipFile:
    """The archive, if it is of a decent size; raises `InvalidInputError`."""
    try:
        archive = zipfile.ZipFile(BytesIO(body))
        entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise InvalidInputError("the archive is broken: download it again") from error
    if len(entries) > _MOST_ENTRIES or sum(one.file_size for one in entries) > _MOST_UNPACKED:
        raise InvalidInputError("the archive holds too much: unpack it and import what is needed")
    return archive


def unpacked(archive: zipfile.ZipFile, name: str, most: int = 50_000_000) -> bytes:
    """One entry, at most `most` bytes whatever the archive says of it; raises `InvalidInputError`."""
    try:
        with archive.open(name) as file:
            body = file.read(most + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError) as error:
        raise InvalidInputError(f"{name[:100]} cannot be unpacked") from error
    if len(body) > most:
        raise InvalidInputError(f"{name[:100]} is larger than {most // 1_000_000} MB")
    return body
