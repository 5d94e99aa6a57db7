"""Log consumer: poll, prepare, one transaction (offset first, then results), commit.

A record that cannot be processed becomes a dead letter. During an outage nothing is skipped: the batch is retried.
"""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, Engine

from vigie import clock, counters, db, ids, metrics, outbox, positions
from vigie.db.tables import dead_letter
from vigie.errors import RepeatedFailureError, UnavailableError, UndecodableError
from vigie.log import DEAD, Batch, Partition, Record, Subscription
from vigie.misplaced import MisplacedRecords
from vigie.outages import Outage

logger = structlog.get_logger(__name__)

MAX_MENTIONS = 500  # in one transaction: more would hold SQLite's write lock too long
MAX_FAILURES_OF_ONE_CAUSE = 100
_CONNECT = "__connect.errors"
BACK_OFF_SECONDS = (0.1, 0.5, 2.0, 5.0)  # the last one from there on


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record, or part of one, that cannot be processed; `part` tells the parts of a record apart.

    `source_kind` is that of its mentions, where it could be read.
    `error_class` is the name of the exception's class.
    """

    record: Record
    reason: str
    value: bytes | None
    part: int = 0
    source_kind: str = "unknown"
    error_class: str = UndecodableError.__name__


@dataclass(slots=True)
class Prepared:
    """The outcome for one record: `work` to store, dead letters, and how many mentions were dropped."""

    work: Any = None
    dead: list[DeadLetter] = field(default_factory=list)
    dropped: int = 0


class Handler(Protocol):
    """A consumer group's logic."""

    group: str

    def prepare(self, records: Sequence[Record]) -> Sequence[Prepared]:
        """Return one outcome per record.

        Everything that takes time happens here, outside any transaction. Called again after a failure.
        """

    def apply(self, connection: Connection, works: Sequence[Any]) -> Mapping[str, int] | None:
        """Store the work of some records; return how many mentions were stored, by source kind.

        The database's write lock is held, so nothing here computes or waits.
        """


Handled = tuple[Batch, list[Prepared]]
Cause = tuple[str, str, int]


class FailureStreak:
    """Consecutive records on which the handler failed for one cause, without a success between them.

    A record that the handler itself declares unusable is no failure of the handler, and does not count. Nor does one
    company's data, however much of it fails, since stopping would stop every other company too.
    """

    def __init__(self, limit: int = MAX_FAILURES_OF_ONE_CAUSE) -> None:
        self._limit = limit
        self._cause: Cause | None = None
        self._keys: set[bytes | None] = set()
        self._length = 0

    def end(self) -> None:
        """Forget the streak: a record was processed."""
        self._cause = None
        self._keys.clear()
        self._length = 0

    def add(self, record: Record, error: Exception) -> None:
        """Count a failure. Raise `RepeatedFailureError` when the cause is ours and not in the records."""
        cause = _cause_of(error)
        if cause != self._cause:
            self.end()
            self._cause = cause
        self._keys.add(record.key)
        self._length += 1
        if self._length > self._limit and len(self._keys) > 1:
            name, file, line = cause
            raise RepeatedFailureError(
                f"{self._length} records of {len(self._keys)} companies failed alike, the last with "
                f"{name} ({file}:{line}): nothing more is set apart until this is mended"[:500]
            )


class Consumer:
    """A member of `handler.group`, on one thread."""

    def __init__(
        self,
        subscription: Subscription,
        engine: Engine,
        handler: Handler,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._subscription = subscription
        self._engine = engine
        self._handler = handler
        self._sleep = sleep
        self._outage = Outage(handler.group)
        self._streak = FailureStreak()
        self._misplaced = MisplacedRecords()

    def run_once(self, limit: int = MAX_MENTIONS, timeout: float = 1.0) -> int:
        """Process one poll and return the number of records; an outage waits and returns 0."""
        try:
            batches = self._subscription.poll(limit, timeout)
            handled = self._handle_all(batches)
        except UnavailableError as error:
            failures = self._outage.note(error)
            self._sleep(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)])
            return 0
        self._outage.end()
        return handled

    def _handle_all(self, batches: Sequence[Batch]) -> int:
        if not batches:
            return 0
        try:
            stale = self._attempt(batches)
        except BaseException:
            for batch in batches:  # polling on would skip the failed batch and those after it
                self._subscription.rewind(batch)
            raise
        for batch in batches:
            if batch.source in stale:
                logger.info("stale_batch", partition=batch.source, start=batch.start)
                self._subscription.rewind(batch)
        stored = [batch for batch in batches if batch.source not in stale]
        self._subscription.commit(stored)
        return sum(len(batch.records) for batch in stored)

    def _attempt(self, batches: Sequence[Batch]) -> set[Partition]:
        """Process the batches in one transaction; return the partitions that another member has taken on."""
        try:
            handled = self._prepare(batches)
            stale = self._store(handled)
        except (UnavailableError, RepeatedFailureError):
            raise
        except Exception as error:
            logger.exception("handler_failed", partitions=[batch.source for batch in batches])
            return self._isolate_failure(batches, error)
        if any(batch.records for batch in batches):
            self._streak.end()
        return stale

    def _prepare(self, batches: Sequence[Batch]) -> list[Handled]:
        records = [record for batch in batches for record in batch.records if not record.unreadable]
        with metrics.timed(metrics.prepare_seconds):
            prepared = iter(self._handler.prepare(records) if records else ())
        return [
            (batch, [_set_apart(record) if record.unreadable else next(prepared) for record in batch.records])
            for batch in batches
        ]

    def _isolate_failure(self, batches: Sequence[Batch], error: Exception) -> set[Partition]:
        """Retry in smaller parts until the failing record stands alone, and make it a dead letter."""
        if len(batches) > 1:
            return {stale for batch in batches for stale in self._attempt([batch])}
        (batch,) = batches
        if not batch.records:
            raise error
        if len(batch.records) > 1:
            attempts = (self._attempt([single]) for single in _split(batch))
            return next((stale for stale in attempts if stale), set())
        (record,) = batch.records
        self._streak.add(record, error)
        error_class = type(error).__name__
        letter = DeadLetter(record, f"{error_class}: {error}"[:500], record.value, error_class=error_class)
        return self._store([(batch, [Prepared(dead=[letter])])])

    def _store(self, handled: Sequence[Handled]) -> set[Partition]:
        with metrics.timed(metrics.store_seconds):
            stale, stored = db.retrying(self._engine, lambda connection: self._write(connection, handled))
        metrics.add_by_kind(metrics.mentions_stored, stored)
        done = [(batch, prepared) for batch, prepared in handled if batch.source not in stale]
        _note_stored(done)
        for batch, _ in done:
            self._misplaced.note(batch)
        return stale

    def _write(self, connection: Connection, handled: Sequence[Handled]) -> tuple[set[Partition], Mapping[str, int]]:
        stale: set[Partition] = set()
        works = []
        dead_rows = []
        announcements = []
        dropped = 0
        # Partitions in one order, or two members may wait for each other.
        for batch, prepared in sorted(handled, key=lambda pair: pair[0].source):
            if not positions.advance(connection, self._handler.group, batch):
                stale.add(batch.source)
                continue
            for outcome in prepared:
                if outcome.work is not None:
                    works.append(outcome.work)
                for letter in outcome.dead:
                    dead_rows.append(row := _dead_row(batch, letter))
                    announcements.append(_announcement(row, letter.error_class))
                dropped += outcome.dropped
        stored = self._handler.apply(connection, works) if works else None
        db.upsert(connection, dead_letter, dead_rows)
        outbox.enqueue(connection, announcements)
        counters.add(connection, counters.DROPPED_MENTIONS, dropped)
        return stale, stored or {}


def _note_stored(handled: Sequence[Handled]) -> None:
    """Log the batches that were stored, and log and count their dead letters. A reason may quote a customer, so it is
    not logged."""
    for batch, prepared in handled:
        place = {"topic": batch.source.topic, "partition": batch.source.number}
        logger.debug("batch_stored", start=batch.start, stop=batch.stop, records=len(batch.records), **place)
        for letter in (letter for outcome in prepared for letter in outcome.dead):
            metrics.dead_letters.labels(metrics.bounded_kind(letter.source_kind)).inc()
            logger.warning("dead_letter", id=_dead_id(batch, letter), offset=letter.record.offset, **place)


def _set_apart(record: Record) -> Prepared:
    """Return the outcome of records that the log cannot give."""
    assert record.unreadable is not None
    reason, error_class, _ = record.unreadable
    return Prepared(dead=[DeadLetter(record, reason, None, error_class=error_class)])


def _cause_of(error: Exception) -> Cause:
    """Return the exception's type and the line of code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    file = last.filename.rpartition("/")[2] if last else ""
    line = (last.lineno or 0) if last else 0
    return type(error).__name__, file, line


def _split(batch: Batch) -> Iterator[Batch]:
    """Return one batch per record; the offsets between them stay covered."""
    start = batch.start
    for record in batch.records:
        stop = record.next_offset if record is not batch.records[-1] else batch.stop
        yield Batch(batch.source, start, stop, (record,))
        start = stop


def _dead_id(batch: Batch, letter: DeadLetter) -> str:
    return ids.derived("dead", *batch.source, letter.record.offset, letter.part)


def _dead_row(batch: Batch, letter: DeadLetter) -> dict[str, Any]:
    record = letter.record
    headers = [[name, value.decode("latin-1")] for name, value in record.headers]
    return {
        "id": _dead_id(batch, letter),
        "topic": batch.source.topic,
        "partition": batch.source.number,
        "offset": record.offset,
        "key": record.key,
        "value": letter.value,
        "headers": headers,
        "reason": letter.reason,
        "created_at": clock.now(),
    }


def _announcement(row: dict[str, Any], error_class: str) -> outbox.Delivery:
    """Return the record for `mentions.dead`: the original headers, the reason, and where the record lay.

    The headers with the prefix are those of Kafka Connect (KIP-298), so that its tools read them.
    """
    key = (row["key"] or b"").decode("utf-8", "replace")
    headers = {
        **dict(row["headers"]),
        f"{_CONNECT}.topic": row["topic"],
        f"{_CONNECT}.partition": str(row["partition"]),
        f"{_CONNECT}.offset": str(row["offset"]),
        f"{_CONNECT}.exception.class.name": error_class,
        f"{_CONNECT}.exception.message": row["reason"],
        "reason": row["reason"],
        "key": key,
    }
    return outbox.delivery(outbox.TOPIC, None, DEAD, row["id"], row["value"] or b"", headers)
