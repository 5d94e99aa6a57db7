"""Where each group stands in the log: a row per partition, moved in the transaction that holds the results.

An offset says nothing about another log. So each row names the topic that it is of by its UUID, and a topic that was
made anew, or that lies on another cluster, stops the worker.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import structlog
from sqlalchemy import Connection, Engine, delete, select, update

from vigie import db
from vigie.db.tables import consumer_offset as offsets
from vigie.errors import PositionError
from vigie.log import Batch, EventLog, Partition, TopicIds

Ends = Callable[[], Mapping[Partition, tuple[int, int]]]

UNKNOWN_IDS: TopicIds = MappingProxyType({})

logger = structlog.get_logger(__name__)


class StoredOffset(NamedTuple):
    """The offset of the next record, and the UUID of its topic: None where an earlier release stored the offset."""

    next_offset: int
    topic_id: str | None


class StoredPositions:
    """The `Positions` that a log asks when a partition is assigned."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def resume(
        self, group: str, sources: Sequence[Partition], ends: Ends, topic_ids: TopicIds = UNKNOWN_IDS
    ) -> dict[Partition, int]:
        """Seeds here, not at the first advance: that skipped whatever came before it.

        An offset without an identity adopts the one that the log has now.
        """
        with db.reading(self._engine) as connection:
            stored = read_offsets(connection, group)
        bounds = ends()
        starts = {}
        moved = []
        for source in sources:
            topic_id = topic_ids.get(source.topic)
            before = stored.get(source)
            starts[source] = _start(source, before, topic_id, *bounds[source])
            after = StoredOffset(starts[source], topic_id or (before.topic_id if before else None))
            if after != before:
                moved.append((source, before, after))
        if moved:
            with db.writing(self._engine) as connection:
                for source, before, after in moved:
                    _move(connection, group, source, before, after)
        return starts


def find_fault(
    source: Partition, stored: StoredOffset, topic_id: str | None, ends: tuple[int, int] | None
) -> str | None:
    """Return why `stored` cannot be an offset of the log as it is, with the next step; None where it can.

    `ends` are the partition's first and next offset, None where it is missing.
    """
    place = f"{source.topic}/{source.number}"
    remedy = "Nothing was skipped: `vigie offsets show` compares, `vigie offsets reset` reads from the beginning"
    if ends is None:
        return f"{place}: the offset {stored.next_offset} is stored, and the log has no such partition. {remedy}"
    if stored.topic_id and topic_id and stored.topic_id != topic_id:
        return (
            f"{place}: the stored offset {stored.next_offset} is of another topic (id {stored.topic_id}) than the "
            f"log's (id {topic_id}): the topic was made anew, or VIGIE_LOG_URL leads to another log. {remedy}"
        )
    if stored.next_offset > ends[1]:
        return (
            f"{place}: the stored offset {stored.next_offset} lies past the end of the log, {ends[1]}: the log was "
            f"cut, or another one is used. {remedy}"
        )
    return None


def _start(source: Partition, stored: StoredOffset | None, topic_id: str | None, beginning: int, end: int) -> int:
    if stored is None:
        return beginning
    if fault := find_fault(source, stored, topic_id, (beginning, end)):
        raise PositionError(fault)
    lost = beginning - stored.next_offset
    if lost > 0:
        logger.error("retention_passed", topic=source.topic, partition=source.number, lost=lost)
    return max(stored.next_offset, beginning)


def _move(
    connection: Connection, group: str, source: Partition, before: StoredOffset | None, after: StoredOffset
) -> None:
    """Where another member was faster, its position stands: our first batch will be found stale, and sought again."""
    if before is None:
        db.upsert(connection, offsets, [_row(group, source, after)])
    else:
        unmoved = _where(group, source).where(offsets.c.next_offset == before.next_offset)
        connection.execute(unmoved.values(next_offset=after.next_offset, topic_id=after.topic_id))


def advance(connection: Connection, group: str, batch: Batch) -> bool:
    """Move past `batch`, unless another member did: then nothing of ours may be written.

    The first statement of its transaction, so that the write lock is held from the start.
    """
    moved = _where(group, batch.source).where(offsets.c.next_offset == batch.start).values(next_offset=batch.stop)
    return connection.execute(moved).rowcount == 1


def reset(
    connection: Connection, group: str, topic: str, starts: Mapping[Partition, int], topic_id: str | None
) -> None:
    """Let `group` read `topic` from `starts` on, whatever it has read before."""
    connection.execute(delete(offsets).where(offsets.c.group == group, offsets.c.topic == topic))
    rows = [_row(group, source, StoredOffset(start, topic_id)) for source, start in starts.items()]
    db.upsert(connection, offsets, rows)


class Standing(NamedTuple):
    """Where a group stands in a topic, and the topic: the first and next offset of each partition, and its UUID."""

    stored: Mapping[Partition, StoredOffset]
    ends: Mapping[Partition, tuple[int, int]]
    topic_id: str | None

    def find_fault(self, source: Partition) -> str | None:
        """Return why the partition's stored offset is none of this topic, with the next step; None where it is."""
        offset = self.stored.get(source)
        return find_fault(source, offset, self.topic_id, self.ends.get(source)) if offset else None

    def count_unread(self, source: Partition) -> int | None:
        """Return how many records of a partition were not handled; None where that is unknown."""
        if source not in self.ends or self.find_fault(source):
            return None
        beginning, end = self.ends[source]
        offset = self.stored.get(source)
        return end - max(offset.next_offset if offset else beginning, beginning)


def read_standing(engine: Engine, log: EventLog, group: str, topic: str) -> Standing:
    """Return where `group` stands in `topic`; `ends` is empty where the log has no such topic.

    Raises `UnavailableError`.
    """
    with db.reading(engine) as connection:
        stored = read_offsets(connection, group, topic)  # before the ends: both move
    return Standing(stored, log.ends(topic), log.topic_ids().get(topic))


def count_unread(engine: Engine, log: EventLog, group: str, topic: str) -> dict[Partition, int] | None:
    """Return how many records of each partition `group` has not handled.

    None where that is unknown: the topic is missing, or a stored offset is of another one or past the end. Raises
    `UnavailableError`.
    """
    standing = read_standing(engine, log, group, topic)
    counts = {source: standing.count_unread(source) for source in standing.stored.keys() | standing.ends.keys()}
    known = {source: count for source, count in counts.items() if count is not None}
    return known if standing.ends and len(known) == len(counts) else None


def describe(standing: Standing) -> list[dict[str, object]]:
    """Return a row per partition that is stored or in the log: both sides, what is unread and what is wrong."""
    rows: list[dict[str, object]] = []
    for source in sorted(standing.stored.keys() | standing.ends.keys()):
        offset = standing.stored.get(source)
        beginning, end = standing.ends.get(source, (None, None))
        rows.append(
            {
                "partition": f"{source.topic}/{source.number}",
                "stored": offset.next_offset if offset else None,
                "beginning": beginning,
                "end": end,
                "unread": standing.count_unread(source),
                "topic_id": standing.topic_id,
                "stored_topic_id": offset.topic_id if offset else None,
                "fault": standing.find_fault(source),
            }
        )
    return rows


def read_offsets(connection: Connection, group: str, topic: str | None = None) -> dict[Partition, StoredOffset]:
    """Return where `group` stands, in one topic or in all."""
    query = select(offsets).where(offsets.c.group == group).order_by(offsets.c.topic, offsets.c.partition)
    if topic is not None:
        query = query.where(offsets.c.topic == topic)
    return {
        Partition(row.topic, row.partition): StoredOffset(row.next_offset, row.topic_id)
        for row in connection.execute(query)
    }


def _row(group: str, source: Partition, stored: StoredOffset) -> dict[str, object]:
    return {"group": group, "topic": source.topic, "partition": source.number, **stored._asdict()}


def _where(group: str, source: Partition):  # type: ignore[no-untyped-def] # an Update, still without values
    return update(offsets).where(
        offsets.c.group == group, offsets.c.topic == source.topic, offsets.c.partition == source.number
    )
