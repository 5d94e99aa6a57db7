"""From the embedded store to PostgreSQL and Kafka: everything stored, and what the log still holds unread.

Nothing of ours may run meanwhile. A move that was cut off is started again: the copy replaces its own unfinished one,
and a record that comes twice counts once. When it is done a mark in the data folder keeps the old store closed.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine, func, select

from vigie import backup, clock, db, heartbeat, positions
from vigie.errors import InvalidInputError
from vigie.log import ANALYSIS, MENTIONS, EventLog, Message, Partition, TopicIds
from vigie.log import Positions as PositionsProtocol

_ROLES = ("ingest", "analyse", "deliver", "serve")
_MOVING, _MOVED = "moving.json", "moved.json"
_POLL = 500
# What is not copied row for row: sessions are opened anew, positions and heartbeats belong to a place.
_OF_A_PLACE = {"token", "consumer_offset", "heartbeat", "due"}


def has_moved(data_dir: Path) -> bool:
    """Whether what lies in `data_dir` was moved elsewhere, and must not be used any more."""
    return (data_dir / _MOVED).exists()


def move(engine: Engine, log: EventLog, data_dir: Path, target: Engine, target_log: EventLog, name: str) -> int:
    """Copy the store to `target` and what is unread to `target_log`; how many records those were. `name` tells one
    target from another. Raises `InvalidInputError` while something runs, or where the target holds other firms."""
    with db.reading(engine) as connection:
        busy = [role for role in _ROLES if heartbeat.alive(connection, role)]
    if busy:
        raise InvalidInputError(f"stop Vigie first: {', '.join(busy)} still runs, or ran half a minute ago")
    resumed = _begin(data_dir / _MOVING, name)
    with tempfile.TemporaryDirectory(dir=data_dir) as folder:
        copy = Path(folder) / "copy.zip"
        backup.write(engine, None, copy)
        backup.restore(target, None, copy, replace=resumed)
    _compare(engine, target)
    target_log.prepare()
    moved = 0
    for messages in _unread(engine, log):
        target_log.append(MENTIONS, messages)
        moved += len(messages)
    (data_dir / _MOVING).replace(data_dir / _MOVED)
    return moved


def _begin(mark: Path, name: str) -> bool:
    """Note where the store goes; whether a move to there was begun before."""
    target = hashlib.sha256(name.encode()).hexdigest()
    if mark.exists() and json.loads(mark.read_text())["target"] == target:
        return True
    mark.write_text(json.dumps({"target": target, "begun_at": clock.now().isoformat()}))
    return False


def _compare(engine: Engine, target: Engine) -> None:
    """Every table has as many rows there as here."""
    here, there = _counts(engine), _counts(target)
    different = [f"{name} ({count}, {there.get(name)})" for name, count in here.items() if there.get(name) != count]
    if different:
        raise InvalidInputError(f"the copy differs from the original: {', '.join(different)}; start again")


def _counts(engine: Engine) -> dict[str, int]:
    with db.reading(engine) as connection:
        tables = [table for table in backup.tables(connection) if table.name not in _OF_A_PLACE]
        return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def _unread(engine: Engine, log: EventLog) -> Iterator[list[Message]]:
    """What analysis has not read yet, in order, some at a time; no position is moved."""
    with log.subscribe("moving", [MENTIONS], _Stored(engine)) as subscription:
        while batches := subscription.poll(_POLL, timeout=0.5):
            records = [record for batch in batches for record in batch.records]
            yield [
                Message((record.key or b"").decode("utf-8", "replace"), record.value, record.headers)
                for record in records
                if record.value is not None
            ]


class _Stored(PositionsProtocol):
    """Where analysis stands, for somebody who only looks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def resume(
        self, group: str, sources: Sequence[Partition], ends: positions.Ends, topic_ids: TopicIds
    ) -> dict[Partition, int]:
        with db.reading(self._engine) as connection:
            stored = positions.read_offsets(connection, ANALYSIS)
        starts = {source: beginning for source, (beginning, _) in ends().items() if source in sources}
        return {
            source: stored[source].next_offset if source in stored else beginning
            for source, beginning in starts.items()
        }
