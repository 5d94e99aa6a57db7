"""Connections and transactions, and the few statements that the two databases spell differently."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    FunctionElement,
    Insert,
    Select,
    Table,
    create_engine,
    event,
    make_url,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.compiler import compiles

from vigie.db.types import Instant
from vigie.errors import UnavailableError
from vigie.scrub import scrub as scrub_file

_WRITE = "vigie_write"
# What is deleted is overwritten, as Debian's SQLite does anyway: expired words leave the file's free pages.
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000", "secure_delete=ON")
# Deadlock and serialisation failures, which a second try settles; SQLite says "locked" instead.
_CONFLICTS = {"40001", "40P01"}
_TRIES = 5
_READ_ONLY = "25006"
_PGBOUNCER_FAULTS = {
    "unsupported startup parameter": "set ignore_startup_parameters = options in pgbouncer.ini",
    "prepared statement": "set pool_mode = session, or max_prepared_statements (pgbouncer 1.21)",
}

T = TypeVar("T")


def connect(url: str, *, pool_size: int = 9, application_name: str = "vigie") -> Engine:
    """An engine for `url`; nothing is opened yet.

    PostgreSQL gets at most `pool_size` connections at once, each named `application_name` in pg_stat_activity.
    """
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url)
    return _postgresql(make_url(url), pool_size, application_name)


def _postgresql(url: URL, pool_size: int, application_name: str) -> Engine:
    """Return an engine that keeps the `options` and the `application_name` of the address."""
    given = url.query.get("options", "")
    given_options = " ".join(given) if isinstance(given, tuple) else given
    options = f"{given_options} -c statement_timeout=30000 -c timezone=UTC".strip()
    name = {} if "application_name" in url.query else {"application_name": application_name}
    return create_engine(
        url.difference_update_query(["options"]),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=2,
        pool_pre_ping=True,
        hide_parameters=True,  # what customers wrote does not belong in a log
        connect_args={"connect_timeout": 2, "options": options, **name},
    )


def _sqlite(url: str) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 10}, pool_size=10, pool_timeout=1, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at its start: one that reads first and writes later may be refused half way.
        writes = connection.get_execution_options().get(_WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction: committed at the end, or rolled back. Raises `UnavailableError` in an outage."""
    with _outage(engine), engine.connect().execution_options(**{_WRITE: True}) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction. Raises `UnavailableError` in an outage."""
    with _outage(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One read transaction whose statements all see the same moment. Raises `UnavailableError` in an outage.

    SQLite's transactions do so anyway; PostgreSQL's default shows each statement what was committed before it.
    """
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    if engine.dialect.name != "postgresql":
        options = {}
    with _outage(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def finds(engine: Engine, query: Select[Any], **parameters: Any) -> bool:
    """Whether there is such a row, without a lock: for what is asked often and nearly always answered no."""
    with reading(engine) as connection:
        return connection.execute(query, parameters).first() is not None


def scrub(engine: Engine) -> None:
    """Leave no byte of what was deleted, where the database is a file of ours; PostgreSQL's VACUUM does so in time."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        scrub_file(connection.connection.driver_connection)  # type: ignore[arg-type] # SQLite's own


def retrying(engine: Engine, work: Callable[[Connection], T]) -> T:
    """`work` in a write transaction, again when another transaction stood in its way."""
    for left in reversed(range(_TRIES)):
        try:
            with writing(engine) as connection:
                return work(connection)
        except DBAPIError as error:
            if not left or _sqlstate(error) not in _CONFLICTS:
                raise
    raise AssertionError("unreachable")


@contextmanager
def _outage(engine: Engine) -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise UnavailableError("the database has no free connection") from error
    except DBAPIError as error:
        if _sqlstate(error) == _READ_ONLY:
            engine.dispose()  # after a failover, the old connections would stay with the server that may not write
        if error.connection_invalidated or _is_outage(error):
            raise UnavailableError(f"the database does not answer: {_first_line(error)}") from error
        raise


def _first_line(error: DBAPIError) -> str:
    """Return the database's words on one line; those of pgbouncer with what to do."""
    line = str(error.orig).splitlines()[0]
    hint = next((hint for fault, hint in _PGBOUNCER_FAULTS.items() if fault in line), None)
    return f"{line} ({hint})" if hint else line


def _sqlstate(error: DBAPIError) -> str | None:
    """Return PostgreSQL's code of what went wrong (its manual, appendix A); SQLite has none."""
    return getattr(error.orig, "sqlstate", None)


def _is_outage(error: DBAPIError) -> bool:
    """Full, locked, read-only or gone: nothing that the statement is to blame for."""
    state = _sqlstate(error)
    if state is None:
        return type(error.orig).__name__ == "OperationalError"
    is_pgbouncer_fault = state in {"42P05", "26000"}  # a prepared statement of another client's session
    return state == _READ_ONLY or is_pgbouncer_fault or state[:2] in {"08", "53", "57", "58"}


class _Now(FunctionElement[Any]):
    type = Instant()
    inherit_cache = True


def now() -> ColumnElement[Any]:
    """The database's own clock, as an `Instant`: timers and leases never trust a worker's."""
    return _Now()


def present(connection: Connection) -> datetime:
    """The present moment by the database's own clock."""
    moment = connection.scalar(select(now()))
    assert isinstance(moment, datetime)
    return moment


@compiles(_Now, "sqlite")
def _now_sqlite(element: _Now, compiler: Any, **kwargs: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"


@compiles(_Now, "postgresql")
def _now_postgresql(element: _Now, compiler: Any, **kwargs: Any) -> str:
    return "clock_timestamp()"


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    update: Iterable[str] | Callable[[Table, Any], dict[str, Any]] = (),
) -> None:
    """Insert `rows`; where the primary key is taken, set `update` (columns, or what it makes of the table and the
    excluded row).

    With an empty `update`, a row whose key is taken is left as it is.
    """
    if rows:
        wanted = update if callable(update) else tuple(update)
        connection.execute(_upserting(connection.dialect.name, table, wanted), list(rows))


@lru_cache(maxsize=100)
def _upserting(dialect: str, table: Table, update: tuple[str, ...] | Callable[[Table, Any], dict[str, Any]]) -> Insert:
    """Made once: the making costs more than the insertion of some rows."""
    insert = (sqlite_insert if dialect == "sqlite" else postgresql_insert)(table)
    values = update(table, insert.excluded) if callable(update) else {name: insert.excluded[name] for name in update}
    if not values:
        return insert.on_conflict_do_nothing()
    return insert.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=values)


def locking(connection: Connection, query: Select[Any]) -> Select[Any]:
    """`query` holding its rows until the transaction ends; on SQLite the writer holds everything already."""
    return query if connection.dialect.name == "sqlite" else query.with_for_update()


def before(at: ColumnElement[datetime], id_: ColumnElement[str], last: tuple[datetime, str]) -> ColumnElement[bool]:
    """The rows after `last` where the latest come first.

    One comparison of pairs: an index goes to it at once. "Earlier, or as early with a lesser id" is the same, but
    PostgreSQL then walks over all the pages before.
    """
    return tuple_(at, id_) < last
