"""From the log to a handler: poll → prepare → one transaction (position first, then results) → commit.

What a record is to blame for is set aside as a dead letter; an outage is nobody's fault and keeps the place.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, Engine

from vigie import clock, db, ids, outbox, positions
from vigie.db.tables import dead_letter
from vigie.errors import TooManyDeadLettersError, UnavailableError
from vigie.log import DEAD, Batch, Record, Subscription, take

logger = structlog.get_logger(__name__)

MOST_PER_TRANSACTION = 500  # mentions: beyond, others wait too long for SQLite's lock
MOST_DEAD_IN_A_ROW = 100
_BACK_OFF = (0.1, 0.5, 2.0, 5.0)  # seconds; the last one from there on


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record, or a part of one, that cannot be handled; `part` tells apart what came from one record."""

    record: Record
    reason: str
    value: bytes | None
    part: int = 0


@dataclass(slots=True)
class Prepared:
    """What a handler made of some records: `work` to store, and what is set aside."""

    work: Any
    dead: list[DeadLetter] = field(default_factory=list)


class Handler(Protocol):
    """What a group does with its records."""

    group: str

    def prepare(self, records: Sequence[Record]) -> Prepared:
        """Everything that takes time, outside any transaction. Called again after a failure."""

    def apply(self, connection: Connection, work: Any) -> None:
        """Store `work`. Nothing here computes or waits: the database's write lock is held."""


class Consumer:
    """One member of `handler.group`, on one thread."""

    def __init__(
        self,
        subscription: Subscription,
        engine: Engine,
        handler: Handler,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._subscription, self._engine, self._handler, self._sleep = subscription, engine, handler, sleep
        self._failures = 0
        self._dead_in_a_row = 0

    def run_once(self, limit: int = MOST_PER_TRANSACTION, timeout: float = 1.0) -> int:
        """Handle what one poll brings; how many records that was. An outage waits, and brings none."""
        try:
            batches = self._subscription.poll(limit, timeout)
            handled = self._handle_all(batches)
        except UnavailableError as error:
            wait = _BACK_OFF[min(self._failures, len(_BACK_OFF) - 1)]
            self._failures += 1
            logger.warning("outage", error=str(error), wait=wait)
            self._sleep(wait)
            return 0
        self._failures = 0
        return handled

    def _handle_all(self, batches: Sequence[Batch]) -> int:
        try:
            return sum(self._handle(batch) for batch in batches)
        except BaseException:
            for batch in batches:  # polling on would skip what failed, and what came after it
                self._subscription.rewind(batch)
            raise

    def _handle(self, batch: Batch) -> int:
        for piece in _pieces(batch):
            if not self._attempt(piece):
                logger.info("stale_batch", partition=batch.source, start=piece.start)
                self._subscription.rewind(batch)
                return 0
        self._subscription.commit([batch])
        return len(batch.records)

    def _attempt(self, batch: Batch) -> bool:
        try:
            return self._store(batch, self._handler.prepare(batch.records))
        except UnavailableError:
            raise
        except Exception as error:
            logger.exception("handler_failed", partition=batch.source, start=batch.start)
            if len(batch.records) > 1:
                return all(self._attempt(single) for single in _singles(batch))
            record = batch.records[0]
            reason = f"{type(error).__name__}: {error}"[:500]
            return self._store(batch, Prepared(None, [DeadLetter(record, reason, record.value)]))

    def _store(self, batch: Batch, prepared: Prepared) -> bool:
        self._count_dead(batch, prepared)
        return db.retrying(self._engine, lambda connection: self._write(connection, batch, prepared))

    def _write(self, connection: Connection, batch: Batch, prepared: Prepared) -> bool:
        if not positions.advance(connection, self._handler.group, batch):
            return False
        if prepared.work is not None:
            self._handler.apply(connection, prepared.work)
        rows = [_dead_row(batch, letter) for letter in prepared.dead]
        db.upsert(connection, dead_letter, rows)
        outbox.enqueue(connection, [_announced(row) for row in rows])
        return True

    def _count_dead(self, batch: Batch, prepared: Prepared) -> None:
        whole = {letter.record.offset for letter in prepared.dead if letter.value == letter.record.value}
        for record in batch.records:
            self._dead_in_a_row = self._dead_in_a_row + 1 if record.offset in whole else 0
            if self._dead_in_a_row > MOST_DEAD_IN_A_ROW:
                raise TooManyDeadLettersError(
                    f"{MOST_DEAD_IN_A_ROW} records in a row could not be handled; the last: {prepared.dead[-1].reason}"
                )


def _pieces(batch: Batch) -> Iterator[Batch]:
    """The batch in transactions of a bounded size; each starts where the one before it stopped."""
    records, start = batch.records, batch.start
    while records:
        head = tuple(take(records, MOST_PER_TRANSACTION))
        records = records[len(head) :]
        stop = head[-1].offset + 1 if records else batch.stop
        yield Batch(batch.source, start, stop, head)
        start = stop


def _singles(batch: Batch) -> Iterator[Batch]:
    start = batch.start
    for record in batch.records:
        stop = record.offset + 1 if record is not batch.records[-1] else batch.stop
        yield Batch(batch.source, start, stop, (record,))
        start = stop


def _dead_row(batch: Batch, letter: DeadLetter) -> dict[str, Any]:
    record = letter.record
    return {
        "id": ids.derived("dead", *batch.source, record.offset, letter.part),
        "topic": batch.source.topic,
        "partition": batch.source.number,
        "offset": record.offset,
        "key": record.key,
        "value": letter.value,
        "headers": [[name, value.decode("latin-1")] for name, value in record.headers],
        "reason": letter.reason,
        "created_at": clock.now(),
    }


def _announced(row: dict[str, Any]) -> outbox.Delivery:
    """The dead letter for the topic of its kind, with the reason and the original headers."""
    headers = {**dict(row["headers"]), "reason": row["reason"], "key": (row["key"] or b"").decode("utf-8", "replace")}
    return outbox.delivery(outbox.TOPIC, None, DEAD, row["id"], row["value"] or b"", headers)
