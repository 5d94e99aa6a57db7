"""From the log to a handler: poll → prepare → one transaction (position first, then results) → commit.

What a record is to blame for is set aside as a dead letter; an outage is nobody's fault and keeps the place.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, Engine

from vigie import clock, db, ids, outbox, positions
from vigie.db.tables import dead_letter
from vigie.errors import TooManyDeadLettersError, UnavailableError
from vigie.log import DEAD, Batch, Partition, Record, Subscription

logger = structlog.get_logger(__name__)

_MOST = 500  # mentions in a transaction: beyond, others wait too long for SQLite's lock
_MOST_DEAD_IN_A_ROW = 100
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
    """What a handler made of one record: `work` to store, if any, and what is set aside."""

    work: Any = None
    dead: list[DeadLetter] = field(default_factory=list)


class Handler(Protocol):
    """What a group does with its records."""

    group: str

    def prepare(self, records: Sequence[Record]) -> Sequence[Prepared]:
        """Everything that takes time, outside any transaction; one for each record. Called again after a failure."""

    def apply(self, connection: Connection, works: Sequence[Any]) -> None:
        """Store the work of some records. Nothing here computes or waits: the database's write lock is held."""


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

    def run_once(self, limit: int = _MOST, timeout: float = 1.0) -> int:
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
        if not batches:
            return 0
        try:
            stale = self._attempt(batches)
        except BaseException:
            for batch in batches:  # polling on would skip what failed, and what came after it
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
        """Handle them in one transaction; the partitions that another member took on meanwhile."""
        try:
            prepared = iter(self._handler.prepare([record for batch in batches for record in batch.records]))
            return self._store([(batch, list(islice(prepared, len(batch.records)))) for batch in batches])
        except (UnavailableError, TooManyDeadLettersError):
            raise
        except Exception as error:
            logger.exception("handler_failed", partitions=[batch.source for batch in batches])
            return self._one_by_one(batches, error)

    def _one_by_one(self, batches: Sequence[Batch], error: Exception) -> set[Partition]:
        """Find the record that is to blame, and set it aside alone."""
        if len(batches) > 1:
            return {stale for batch in batches for stale in self._attempt([batch])}
        (batch,) = batches
        if len(batch.records) > 1:
            return next((stale for single in _singles(batch) if (stale := self._attempt([single]))), set())
        (record,) = batch.records
        letter = DeadLetter(record, f"{type(error).__name__}: {error}"[:500], record.value)
        return self._store([(batch, [Prepared(dead=[letter])])])

    def _store(self, handled: Sequence[tuple[Batch, list[Prepared]]]) -> set[Partition]:
        for batch, prepared in handled:
            self._count_dead(batch, prepared)
        return db.retrying(self._engine, lambda connection: self._write(connection, handled))

    def _write(self, connection: Connection, handled: Sequence[tuple[Batch, list[Prepared]]]) -> set[Partition]:
        stale: set[Partition] = set()
        works, dead = [], []
        # In one order, or two members may wait for each other.
        for batch, prepared in sorted(handled, key=lambda one: one[0].source):
            if not positions.advance(connection, self._handler.group, batch):
                stale.add(batch.source)
                continue
            works += [one.work for one in prepared if one.work is not None]
            dead += [_dead_row(batch, letter) for one in prepared for letter in one.dead]
        if works:
            self._handler.apply(connection, works)
        db.upsert(connection, dead_letter, dead)
        outbox.enqueue(connection, [_announced(row) for row in dead])
        return stale

    def _count_dead(self, batch: Batch, prepared: Sequence[Prepared]) -> None:
        for record, one in zip(batch.records, prepared, strict=True):
            is_dead = any(letter.value == record.value for letter in one.dead)
            self._dead_in_a_row = self._dead_in_a_row + 1 if is_dead else 0
            if self._dead_in_a_row > _MOST_DEAD_IN_A_ROW:
                raise TooManyDeadLettersError(
                    f"{_MOST_DEAD_IN_A_ROW} records in a row could not be handled; the last: {one.dead[-1].reason}"
                )


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
