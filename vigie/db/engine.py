"""Connections and transactions, and the few statements that the two databases spell differently."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
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
# Deadlock and serialisation failures, which a second try settles; SQLite says "locked" instead.
_CONFLICTS = {"40001", "40P01"}
_TRIES = 5

T = TypeVar("T")


def connect(url: str) -> Engine:
    """An engine for `url`; nothing is opened yet."""
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url)
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=10,
        pool_timeout=1,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 2, "options": "-c statement_timeout=30000 -c timezone=UTC"},
    )


def _sqlite(url: str) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 10}, pool_size=10, pool_timeout=1, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
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
    with _outage(), engine.connect().execution_options(**{_WRITE: True}) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction. Raises `UnavailableError` in an outage."""
    with _outage(), engine.connect() as connection, connection.begin():
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
            if not left or getattr(error.orig, "sqlstate", None) not in _CONFLICTS:
                raise
    raise AssertionError("unreachable")


@contextmanager
def _outage() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise UnavailableError("the database has no free connection") from error
    except DBAPIError as error:
        if error.connection_invalidated or _is_outage(error):
            raise UnavailableError(f"the database does not answer: {str(error.orig).splitlines()[0]}") from error
        raise


def _is_outage(error: DBAPIError) -> bool:
    """Full, locked, read-only or gone: nothing that the statement is to blame for."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return type(error.orig).__name__ == "OperationalError"
    return state[:2] in {"08", "53", "57", "58"}


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
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


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
