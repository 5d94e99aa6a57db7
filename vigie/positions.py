"""Where each group stands in the log: a row per partition, moved in the transaction that holds the results."""

from collections.abc import Callable, Mapping, Sequence

import structlog
from sqlalchemy import Connection, Engine, select, update

from vigie import db
from vigie.db.tables import consumer_offset as offsets
from vigie.errors import PositionError
from vigie.log import Batch, Partition

Ends = Callable[[], Mapping[Partition, tuple[int, int]]]

logger = structlog.get_logger(__name__)


class StoredPositions:
    """The `Positions` that a log asks when a partition is assigned."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def resume(self, group: str, sources: Sequence[Partition], ends: Ends) -> dict[Partition, int]:
        """Seeds here, not at the first advance: that skipped whatever came before it."""
        with db.reading(self._engine) as connection:
            stored = {source: position_of(connection, group, source) for source in sources}
        bounds = ends()
        starts = {source: _start(source, stored[source], *bounds[source]) for source in sources}
        moved = [source for source in sources if starts[source] != stored[source]]
        if moved:
            with db.writing(self._engine) as connection:
                for source in moved:
                    _move(connection, group, source, stored[source], starts[source])
        return starts


def _start(source: Partition, stored: int | None, beginning: int, end: int) -> int:
    if stored is None:
        return beginning
    if stored > end:
        raise PositionError(
            f"{source.topic}/{source.number}: the database stands at {stored}, the log ends at {end}. "
            "The log was cut or another one is used: run `vigie doctor`"
        )
    if stored < beginning:
        logger.error("retention_passed", topic=source.topic, partition=source.number, lost=beginning - stored)
    return max(stored, beginning)


def _move(connection: Connection, group: str, source: Partition, stored: int | None, start: int) -> None:
    """Where another member was faster, its position stands: our first batch will be found stale, and sought again."""
    if stored is None:
        row = {"group": group, "topic": source.topic, "partition": source.number, "next_offset": start}
        db.upsert(connection, offsets, [row])
    else:
        connection.execute(_where(group, source).where(offsets.c.next_offset == stored).values(next_offset=start))


def advance(connection: Connection, group: str, batch: Batch) -> bool:
    """Move past `batch`, unless another member did: then nothing of ours may be written.

    The first statement of its transaction, so that the write lock is held from the start.
    """
    moved = _where(group, batch.source).where(offsets.c.next_offset == batch.start).values(next_offset=batch.stop)
    return connection.execute(moved).rowcount == 1


def lag(connection: Connection, group: str, ends: dict[Partition, tuple[int, int]]) -> int:
    """How many records of those partitions `group` has not handled."""
    lying = 0
    for source, (beginning, end) in ends.items():
        stored = position_of(connection, group, source)
        lying += end - (beginning if stored is None else max(stored, beginning))
    return lying


def position_of(connection: Connection, group: str, source: Partition) -> int | None:
    """Where `group` stands in that partition: the offset of the next record; None where it never was."""
    return connection.scalar(
        select(offsets.c.next_offset).where(
            offsets.c.group == group, offsets.c.topic == source.topic, offsets.c.partition == source.number
        )
    )


def _where(group: str, source: Partition):  # type: ignore[no-untyped-def] # an Update, still without values
    return update(offsets).where(
        offsets.c.group == group, offsets.c.topic == source.topic, offsets.c.partition == source.number
    )
