"""A file that an owner brings: read, given an identity, appended to the log. A mapping is remembered."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, RowMapping

from ingest import parsing, sources_store
from ingest.collect import Intake, Parcel
from ingest.files.table import BadRow, How, Read, platform_of
from ingest.found import mentions
from vigie import db
from vigie.errors import InvalidInputError

_MOST_BYTES = 50_000_000
_STEP = 250
# Mentions that go at once, a second's work for one worker, and those a second that follow, half of what it reads: what
# comes meanwhile does not wait behind a file, nor does the owner of a small one.
_AT_ONCE, _PACE = 1_000, 500


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: mentions handed to the log, rows that could not be used, columns as they were read.

    `counts` and `unread` are those of `ingest.files.table.Read`.
    """

    mentions: int
    bad: list[BadRow]
    columns: dict[str, str]
    counts: Mapping[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


def import_file(
    engine: Engine,
    intake: Intake,
    firm: RowMapping | Mapping[str, Any],
    path: Path,
    *,
    name: str | None = None,
    kind: str | None = None,
    mapping: Mapping[str, str] | None = None,
    notify: bool = False,
    platform: str | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Imported:
    """Import a file for `firm`. The same file twice counts once; `name` says that a file continues another.

    Raises `InvalidInputError` when the file as a whole cannot be used.
    """
    with db.reading(engine) as connection:
        learnt = sources_store.mappings(connection, firm["id"])
    read = _parsed(path, How(firm["timezone"], mapping or {}, learnt, platform_of(platform)), kind)
    with db.writing(engine) as connection:
        if mapping and read.shape:
            sources_store.learn_mapping(connection, firm["id"], read.shape, mapping)
        row = sources_store.named(connection, firm["id"], "file", name or path.name)
    found = mentions(firm["id"], row["id"], read.found, numbered=True)
    if found:
        with db.writing(engine) as connection:
            sources_store.received(connection, row, min(one.published_at for one in found))
    # Oldest first, as if Vigie had been there: a baseline comes before what is compared with it.
    found.sort(key=lambda one: one.published_at)
    begun = time.monotonic()
    for done in range(0, len(found), _STEP):
        time.sleep(max(0.0, begun + (done - _AT_ONCE) / _PACE - time.monotonic()))
        part = found[done : done + _STEP]
        origin = sources_store.origin(row)
        intake.append(Parcel(firm["id"], origin, part, "always" if notify else "never"))
        progress(done + len(part), len(found))
    return Imported(len(found), read.bad, read.columns, read.counts, read.unread)


def _parsed(path: Path, how: How, kind: str | None) -> Read:
    """Return the content of a file; raises `InvalidInputError`."""
    try:
        with path.open("rb") as file:
            if path.stat().st_size > _MOST_BYTES:
                raise InvalidInputError(f"{path.name} is larger than {_MOST_BYTES // 1_000_000} MB: cut it in parts")
            return parsing.read_file(file, how, kind)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}") from error
