"""A backup: one zip of the tables, row by row as JSON lines, and of the embedded log.

The same file is restored into SQLite or PostgreSQL, and into a later release, which migrates it. The tables are read
in one snapshot before the log is copied, so that no stored position lies past the log's end. The secret key is left
out: whoever finds a backup cannot read the passwords in it.
"""

import base64
import io
import json
import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Date, DateTime, Engine, MetaData, Table, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from vigie import clock, due
from vigie.db import migrate, search, types
from vigie.db.engine import writing
from vigie.errors import InvalidInputError

_MANIFEST, _LOG = "manifest.json", "log.db"
_FORM = 1
_SHORT_LIVED = {"token": ("kind", ("session", "link"))}  # what opens pages is made anew
# Mails with links and codes that open pages: invitations (`in_…`) and sign-ins (`si_…`), see dashboards/letters.py.
_OPENING_MAILS = ("in\\_%", "si\\_%")
_BATCH = 1_000
_MOST_LINE = 50_000_000

Row = dict[str, Any]


def write(engine: Engine, log: Path | None, out: Path) -> dict[str, int]:
    """Write everything to `out`; how many rows of each table. `log` is the embedded log's file, if there is one."""
    aside = out.with_name(out.name + ".part")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        counts = _write_tables(engine, archive)
        if log is not None and log.exists():
            _write_log(log, archive)
        made = {"form": _FORM, "tables_at": migrate.version(engine), "made_at": clock.now().isoformat(), "rows": counts}
        archive.writestr(_MANIFEST, json.dumps(made, indent=1))
    aside.replace(out)
    return counts


def restore(engine: Engine, log: Path | None, path: Path, *, replace: bool = False) -> dict[str, int]:
    """Bring back what `write` wrote; how many rows of each table. Raises `InvalidInputError` for another kind of file,
    and for a database that holds firms already, unless `replace`."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            if manifest.get("form") != _FORM or not str(manifest["tables_at"]) <= migrate.HEAD:
                raise InvalidInputError(f"{path} was made by a later release of Vigie")
            _check_log(archive)
            _restore_tables(engine, archive, manifest, replace=replace, with_positions=log is not None)
            if log is not None and _LOG in archive.namelist():
                _restore_log(log, archive)
            return dict(manifest["rows"])
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, sqlite3.DatabaseError) as error:
        raise InvalidInputError(f"{path} is not a backup of Vigie, or is damaged: {error}") from error


def _write_tables(engine: Engine, archive: zipfile.ZipFile) -> dict[str, int]:
    counts: dict[str, int] = {}
    level = "REPEATABLE READ" if engine.dialect.name == "postgresql" else None
    options = {"isolation_level": level} if level else {}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        for table in tables(connection):
            with archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as file:
                counts[table.name] = sum(file.write(line) and 1 for line in _lines(connection, table))
    return counts


def _lines(connection: Connection, table: Table) -> Iterator[bytes]:
    query = select(table)
    if table.name in _SHORT_LIVED:
        column, values = _SHORT_LIVED[table.name]
        query = query.where(table.c[column].not_in(values))
    for pattern in _OPENING_MAILS if table.name == "outbox" else ():
        query = query.where(table.c.event_id.not_like(pattern, escape="\\"))
    for row in connection.execution_options(yield_per=_BATCH).execute(query).mappings():
        yield json.dumps({name: _plain(value) for name, value in row.items()}).encode() + b"\n"


def _plain(value: Any) -> Any:
    """Return a stored value as SQLite has it, whichever database it comes from; bytes as {"b64": …}."""
    if isinstance(value, bytes | memoryview):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return types.microseconds(value)
    return value.isoformat() if isinstance(value, date) else value


def _write_log(log: Path, archive: zipfile.ZipFile) -> None:
    with tempfile.TemporaryDirectory(dir=log.parent) as folder:
        copy = Path(folder) / _LOG
        with closing(sqlite3.connect(log)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        archive.write(copy, _LOG)


def _restore_tables(
    engine: Engine, archive: zipfile.ZipFile, manifest: Row, *, replace: bool, with_positions: bool
) -> None:
    """Into tables of the backup's own release, which are then migrated as any old ones."""
    present_keys = _present_keys(engine)
    _clear(engine, replace=replace)
    migrate.migrate(engine, manifest["tables_at"])
    with writing(engine) as connection:
        ours = tables(connection)
        for table in reversed(ours):
            connection.execute(table.delete())  # a migration may have written timers of its own
        for table in ours:
            # Positions are of the log that was backed up: on another one everything is read from its beginning.
            if table.name != "consumer_offset" or (with_positions and _LOG in archive.namelist()):
                _load(connection, table, archive)
        _drop_ways_in(connection, present_keys)
    migrate.migrate(engine)
    with writing(engine) as connection:
        due.schedule(connection, due.SEARCH, ["mentions"])


def _present_keys(engine: Engine) -> set[str] | None:
    """Return the hashes of the keys that are valid here, or None where no company lives yet."""
    with writing(engine) as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        company, token = metadata.tables.get("company"), metadata.tables.get("token")
        if company is None or token is None:
            return None
        if not connection.scalar(select(func.count()).select_from(company)):
            return None
        return set(connection.scalars(select(token.c.hash)))


def _drop_ways_in(connection: Connection, present_keys: set[str] | None) -> None:
    """Remove restored keys that this installation has revoked since, and sessions and links, which no backup holds."""
    metadata = MetaData()
    metadata.reflect(connection, only=["token"])
    token = metadata.tables["token"]
    connection.execute(token.delete().where(token.c.kind.in_(["session", "link"])))
    if present_keys is None:
        return
    revoked = set(connection.scalars(select(token.c.hash))) - present_keys
    for key_hash in revoked:
        connection.execute(token.delete().where(token.c.hash == key_hash))


def _clear(engine: Engine, *, replace: bool) -> None:
    with writing(engine) as connection:
        search.drop(connection)
        metadata = MetaData()
        metadata.reflect(connection)
        firms = metadata.tables.get("company")
        if firms is not None and not replace and connection.scalar(select(func.count()).select_from(firms)):
            raise InvalidInputError("the database holds firms: restore with --replace, which removes them first")
        metadata.drop_all(connection)


def _load(connection: Connection, table: Table, archive: zipfile.ZipFile) -> None:
    name = f"tables/{table.name}.jsonl"
    if name not in archive.namelist():
        return
    rows: list[Row] = []
    with archive.open(name) as file:
        for line in io.BufferedReader(file):  # type: ignore[type-var]
            rows.append(_row(line, table))
            if len(rows) == _BATCH:
                connection.execute(insert(table), rows)
                rows = []
    if rows:
        connection.execute(insert(table), rows)


def _row(line: bytes, table: Table) -> Row:
    if len(line) > _MOST_LINE:
        raise ValueError("a row is too long")
    given = json.loads(line)
    return {name: _native(value, table.c[name].type) for name, value in given.items() if name in table.c}


def _native(value: Any, kind: TypeEngine[Any]) -> Any:
    """Return a value of a backup as a column of that type takes it."""
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"])
    if isinstance(kind, JSONB):
        return types.storable(value)
    if isinstance(kind, DateTime) and value is not None:
        return types.moment(value)
    return date.fromisoformat(value) if isinstance(kind, Date) and value is not None else value


def _check_log(archive: zipfile.ZipFile) -> None:
    """Raise `InvalidInputError` for a log that would do something of its own once it is opened."""
    if _LOG not in archive.namelist():
        return
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(archive.extract(_LOG, folder))) as log:
        if log.execute("SELECT 1 FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone():
            raise InvalidInputError("the log in the backup holds triggers, so Vigie did not write it")


def _restore_log(log: Path, archive: zipfile.ZipFile) -> None:
    """Into the place of the log, page by page, so that a process that has it open sees a whole one."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=log.parent) as folder:
        copy = Path(archive.extract(_LOG, folder))
        with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(log)) as target:
            source.backup(target)


def tables(connection: Connection) -> list[Table]:
    """The tables that a backup holds, as they are, those that others refer to first."""
    metadata = MetaData()
    metadata.reflect(connection, only=_is_kept)
    return metadata.sorted_tables


def _is_kept(name: str, metadata: MetaData) -> bool:
    """What a search looks in is derived from the mentions."""
    return name != "alembic_version" and not name.startswith(search.PREFIX)
