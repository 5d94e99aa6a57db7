"""The embedded log: one SQLite file, shared by every process on the machine.

`synchronous=FULL`, or a power cut could shorten the log below a position that the database has already stored.
A member that stops answering loses its partitions after `LEASE` seconds; until then two members may read the same
records, which the compare-and-set on the stored position makes harmless.
"""

import base64
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import structlog

from vigie import clock, metrics
from vigie.errors import UnavailableError
from vigie.log import (
    PARTITIONS,
    TOPICS,
    Batch,
    Message,
    Partition,
    Positions,
    Record,
    TopicFault,
    show_partitions,
    take,
)
from vigie.log.partition import partition_of
from vigie.scrub import scrub

logger = structlog.get_logger(__name__)

LEASE = 10.0
HEARTBEAT = 2.0
_IDLE = 0.05  # how often an idle reader looks at `PRAGMA data_version`, in seconds
_BUSY = 4.0  # below the 5 seconds in which an append must answer
_TRIM = 1_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS partition (
    topic TEXT, number INTEGER, start INTEGER NOT NULL, stop INTEGER NOT NULL, PRIMARY KEY (topic, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record (
    topic TEXT, partition INTEGER, offset INTEGER, key BLOB, value BLOB, headers TEXT NOT NULL,
    appended_at REAL NOT NULL, PRIMARY KEY (topic, partition, offset)
);
CREATE TABLE IF NOT EXISTS member (
    team TEXT, id TEXT, topics TEXT NOT NULL, seen_at REAL NOT NULL, PRIMARY KEY (team, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identity (only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL);
"""


class SqliteLog:
    """An `EventLog` in the file at `path`."""

    def __init__(self, path: str | Path, *, retention: timedelta) -> None:
        self._path, self._retention = Path(path), retention
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._opening = threading.Lock()

    def prepare(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            connection.executescript(_SCHEMA)
            connection.executemany(
                "INSERT OR IGNORE INTO partition VALUES (?, ?, 0, 0)",
                [(topic, number) for topic in TOPICS for number in range(PARTITIONS)],
            )
            connection.execute("INSERT OR IGNORE INTO identity VALUES (1, ?)", (_new_id(),))

    def topic_ids(self) -> dict[str, str | None]:
        """Return the file's identity for each topic: a log restored from a backup keeps it."""
        with self._connection() as connection:
            return dict(connection.execute("SELECT DISTINCT partition.topic, identity.id FROM partition, identity"))

    def find_faults(self) -> list[TopicFault]:
        """Return nothing: this process makes the topics itself."""
        return []

    def append(self, topic: str, messages: Iterable[Message]) -> None:
        with self.writing() as connection:
            stops = _stops(connection, topic)
            rows = [_row(topic, message, stops) for message in messages]
            connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany(
                "UPDATE partition SET stop = ? WHERE topic = ? AND number = ?",
                [(stop, topic, number) for number, stop in stops.items()],
            )

    def subscribe(self, group: str, topics: Sequence[str], positions: Positions) -> "SqliteSubscription":
        return SqliteSubscription(self, group, tuple(topics), positions)

    def ends(self, topic: str) -> dict[Partition, tuple[int, int]]:
        with self._connection() as connection:
            rows = connection.execute("SELECT number, start, stop FROM partition WHERE topic = ?", (topic,))
            return {Partition(topic, number): (start, stop) for number, start, stop in rows}

    def rewrite(self, key: str, change: Callable[[bytes | None], bytes | None]) -> None:
        with self.writing() as connection:
            connection.execute("PRAGMA secure_delete=ON")
            where = "topic = ? AND partition = ? AND offset = ?"
            ours = "SELECT topic, partition, offset, value FROM record WHERE key = ?"
            for *place, value in connection.execute(ours, (key.encode(),)).fetchall():
                if (changed := change(value)) != value:
                    connection.execute(f"UPDATE record SET value = ? WHERE {where}", (changed, *place))
        with self._connection() as connection:
            scrub(connection)

    def trim(self) -> int:
        oldest = (clock.now() - self._retention).timestamp()
        return sum(self._trim(topic, number, oldest) for topic in TOPICS for number in range(PARTITIONS))

    def close(self) -> None:
        with self._opening:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
        self._local = threading.local()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction, which holds the lock from its start."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._open()
            yield connection
        except sqlite3.OperationalError as error:
            raise UnavailableError(f"the embedded log {self._path} cannot be used: {error}") from error

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        with self._opening:
            self._opened.append(connection)
        return connection

    def _trim(self, topic: str, number: int, oldest: float) -> int:
        dropped = 0
        while True:  # a thousand at a time: nobody waits long for the write lock
            with self.writing() as connection:
                start, stop = connection.execute(
                    "SELECT start, stop FROM partition WHERE topic = ? AND number = ?", (topic, number)
                ).fetchone()
                until = connection.execute(
                    "SELECT min(offset) FROM record WHERE topic = ? AND partition = ? AND appended_at >= ?",
                    (topic, number, oldest),
                ).fetchone()[0]
                until = min(stop if until is None else until, start + _TRIM)
                connection.execute(
                    "DELETE FROM record WHERE topic = ? AND partition = ? AND offset < ?",
                    (topic, number, until),
                )
                connection.execute(
                    "UPDATE partition SET start = ? WHERE topic = ? AND number = ?", (until, topic, number)
                )
            dropped += int(until - start)
            if until - start < _TRIM:
                return dropped


class SqliteSubscription:
    """A member of a group: a row that says it is alive. Each member computes the same division by itself."""

    def __init__(self, log: SqliteLog, group: str, topics: tuple[str, ...], positions: Positions) -> None:
        self._log, self._group, self._topics, self._positions = log, group, topics, positions
        self._id = secrets.token_hex(8)
        self._next: dict[Partition, int] = {}
        self._topic_ids: dict[str, str | None] = {}  # as they were when the positions were taken up
        self._share_before: set[Partition] = set()
        self._beat_at = float("-inf")
        self._turn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def poll(self, limit: int = 500, timeout: float = 1.0) -> list[Batch]:
        until = time.monotonic() + timeout
        while True:
            self._stay_member()
            seen = self._version()
            if (batches := self._read(limit)) or time.monotonic() >= until:
                return batches
            while self._version() == seen and time.monotonic() < until:
                time.sleep(_IDLE)

    def rewind(self, batch: Batch) -> None:
        self._next.pop(batch.source, None)
        self._beat_at = float("-inf")

    def commit(self, batches: Sequence[Batch]) -> None:
        """Nobody but us reads the embedded log's lag, and we read it from the database."""

    def lag(self) -> int:
        ends = self._ends()
        return sum(ends[source][1] - offset for source, offset in self._next.items())

    def close(self) -> None:
        with self._log.writing() as connection:
            connection.execute("DELETE FROM member WHERE team = ? AND id = ?", (self._group, self._id))
        self._next.clear()

    def _ends(self) -> dict[Partition, tuple[int, int]]:
        return {source: end for topic in self._topics for source, end in self._log.ends(topic).items()}

    def _stay_member(self) -> None:
        if time.monotonic() - self._beat_at < HEARTBEAT:
            return
        self._hold(self._share())
        self._beat_at = time.monotonic()

    def _share(self) -> set[Partition]:
        """Say that we live, forget who does not, and see which partitions are ours."""
        now = time.time()
        with self._log.writing() as connection:
            connection.execute("DELETE FROM member WHERE team = ? AND seen_at < ?", (self._group, now - LEASE))
            connection.execute(
                "INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?)",
                (self._group, self._id, json.dumps(self._topics), now),
            )
            members = connection.execute("SELECT id FROM member WHERE team = ? ORDER BY id", (self._group,)).fetchall()
        rank = [id for (id,) in members].index(self._id)
        every = [Partition(topic, number) for topic in self._topics for number in range(PARTITIONS)]
        return {source for at, source in enumerate(every) if at % len(members) == rank}

    def _hold(self, share: set[Partition]) -> None:
        topic_ids = self._log.topic_ids()
        if topic_ids != self._topic_ids:  # another log lies in this one's place: its positions are asked anew
            self._next.clear()
            self._topic_ids = topic_ids
        for lost in self._next.keys() - share:
            del self._next[lost]
        gained = sorted(share - self._next.keys())
        if gained:
            self._next |= self._positions.resume(self._group, gained, self._ends, topic_ids)
        if share != self._share_before:
            self._note_share(share)

    def _note_share(self, share: set[Partition]) -> None:
        facts = {"group": self._group, "member": self._id}
        if revoked := self._share_before - share:
            logger.info("partitions_revoked", partitions=show_partitions(revoked), **facts)
        logger.info("partitions_assigned", partitions=show_partitions(share), **facts)
        metrics.rebalances.labels(self._group).inc()
        metrics.partitions.labels(self._group).set(len(share))
        self._share_before = share

    def _read(self, limit: int) -> list[Batch]:
        """What each partition holds next, starting after the one that was served last."""
        batches: list[Batch] = []
        sources = sorted(self._next)
        for turn in range(len(sources)):
            source = sources[(self._turn + turn) % len(sources)]
            if batch := self._batch(source, limit):
                batches.append(batch)
                limit -= sum(record.weight for record in batch.records)
                if limit <= 0:
                    self._turn = (self._turn + turn + 1) % len(sources)
                    break
        return batches

    def _batch(self, source: Partition, limit: int) -> Batch | None:
        start = self._next[source]
        with self._log.reading() as connection:
            rows = connection.execute(
                "SELECT offset, key, value, headers, appended_at FROM record"
                " WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?",
                (source.topic, source.number, start, limit),
            )
            records = take(map(_record, rows), limit)
        if not records:
            return None
        if records[0].offset != start:  # retention went past us: resume() says so and moves the position
            del self._next[source]
            self._beat_at = float("-inf")
            return None
        stop = records[-1].offset + 1
        self._next[source] = stop
        return Batch(source, start, stop, tuple(records))

    def _version(self) -> int:
        """Changes when another connection has committed something: the cheapest question SQLite answers."""
        with self._log.reading() as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0]) * 1_000_003 + connection.total_changes


def _new_id() -> str:
    """Return a random UUID, spelt as Kafka spells a topic's."""
    return base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")


def _stops(connection: sqlite3.Connection, topic: str) -> dict[int, int]:
    return dict(connection.execute("SELECT number, stop FROM partition WHERE topic = ?", (topic,)))


def _row(topic: str, message: Message, stops: dict[int, int]) -> tuple[object, ...]:
    number = partition_of(message.key, PARTITIONS)
    offset, stops[number] = stops[number], stops[number] + 1
    headers = json.dumps([(name, value.decode("latin-1")) for name, value in message.headers])
    return topic, number, offset, message.key.encode(), message.value, headers, clock.now().timestamp()


def _record(row: tuple[int, bytes, bytes, str, float]) -> Record:
    offset, key, value, headers, appended_at = row
    return Record(
        offset=offset,
        key=key,
        value=value,
        headers=tuple((name, text.encode("latin-1")) for name, text in json.loads(headers)),
        appended_at=datetime.fromtimestamp(appended_at, UTC),
    )
