"""The event log: few verbs, values in Kafka's words, two backends behind one contract.

The contract suite in `tests/contract/` runs on both. A mistake in a record is the consumer's affair: the log carries
bytes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from vigie.errors import SettingsError
from vigie.settings import Settings

# A key's place depends on it. A topic may have more: they are read, and nothing of ours is written there.
PARTITIONS = 8
MENTIONS, DEAD, ALERTS = "mentions", "mentions.dead", "alerts"
TOPICS = (MENTIONS, DEAD, ALERTS)
WEIGHT_HEADER = "mentions"
ANALYSIS = "analysis"  # the group that reads `mentions`, named here since the lag is asked for elsewhere too

Header = tuple[str, bytes]
# The UUID of each topic that exists. A topic that is deleted and created again has another one; None where the log
# has no such thing (Kafka before 2.8).
TopicIds = Mapping[str, str | None]


class Partition(NamedTuple):
    """One ordered part of a topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Message:
    """What is appended: the key decides the partition, and order holds per key."""

    key: str
    value: bytes
    headers: tuple[Header, ...] = ()


class Unreadable(NamedTuple):
    """Why the records from one offset up to `stop` cannot be read: a sentence, and the class of the error."""

    reason: str
    error_class: str
    stop: int


@dataclass(frozen=True, slots=True)
class Record:
    """What was appended, at its offset. A foreign producer may leave key and value out.

    One that is `unreadable` stands for all records of a batch that cannot be unpacked, and holds nothing.
    """

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    appended_at: datetime
    unreadable: Unreadable | None = None

    @property
    def next_offset(self) -> int:
        """The offset behind it."""
        return self.unreadable.stop if self.unreadable else self.offset + 1

    @property
    def weight(self) -> int:
        """How many mentions it carries, as far as its header says."""
        for name, value in self.headers:
            if name == WEIGHT_HEADER and value.isdigit() and len(value) < 4:
                return max(1, int(value))
        return 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition.

    `start` is where the batch before it stopped, not its first record's offset: Kafka's offsets have gaps. One without
    records covers such a gap: markers of transactions, and what an aborted one wrote.
    """

    source: Partition
    start: int
    stop: int
    records: tuple[Record, ...]


class TopicFault(NamedTuple):
    """How a topic differs from what the settings ask for, with the next step; a warning stops nothing today."""

    text: str
    is_warning: bool = False


class Positions(Protocol):
    """Where each group stands. The truth is in the database, in the transaction of the results."""

    def resume(
        self,
        group: str,
        sources: Sequence[Partition],
        ends: Callable[[], Mapping[Partition, tuple[int, int]]],
        topic_ids: TopicIds,
    ) -> dict[Partition, int]:
        """The next offset of `group` in each partition; where there is none, the log's beginning, which is kept.

        Called when partitions are assigned. The log is asked for its `ends` (first and next offset) after the
        positions are read: another member may move both meanwhile. Raises `PositionError` when a stored position is
        of another topic than `topic_ids` names, or lies past the log's end.
        """


class Subscription(Protocol):
    """One member of a group. Used by one thread; rebalancing stays inside."""

    def poll(self, limit: int = 500, timeout: float = 1.0) -> list[Batch]:
        """Batches holding together about `limit` mentions (at least one record); empty after `timeout` seconds.

        Raises `UnavailableError` when the log does not answer or a topic is missing, and `PositionError` when a topic
        was made anew.
        """

    def rewind(self, batch: Batch) -> None:
        """Give that partition's records again, from the stored position."""

    def commit(self, batches: Sequence[Batch]) -> None:
        """A hint for tools that show the lag; failing to give it is no error."""

    def lag(self) -> int:
        """How many records lie before this member, in the partitions that it holds."""

    def close(self) -> None:
        """Leave the group; the others take over at once."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class EventLog(Protocol):
    """Where events wait. Safe to share between threads."""

    def prepare(self) -> None:
        """Create the topics that are missing, and bring the others to the settings: for `vigie migrate`.

        Raises `SettingsError` where topics are missing and may not be created.
        """

    def topic_ids(self) -> TopicIds:
        """Return the identity of each topic; a topic that is missing is left out."""

    def find_faults(self) -> list[TopicFault]:
        """Return how the topics differ from the settings; empty where all is well."""

    def append(self, topic: str, messages: Iterable[Message]) -> None:
        """Durable on return; raises `UnavailableError` when that cannot be promised within 5 seconds."""

    def subscribe(self, group: str, topics: Sequence[str], positions: Positions) -> Subscription:
        """Join `group`, which shares the partitions of `topics` among its members."""

    def ends(self, topic: str) -> dict[Partition, tuple[int, int]]:
        """Each partition's first offset still held, and the next to be written; empty where the topic is missing."""

    def rewrite(self, key: str, change: Callable[[bytes | None], bytes | None]) -> datetime | None:
        """Replace the value of every record of `key` by what `change` makes of it, in place.

        None when it is done; where records cannot be changed, the moment by which the log has dropped them all.
        """

    def trim(self) -> int:
        """Drop what is older than the retention, where the log does not do so by itself; how many records went."""

    def close(self) -> None: ...


def open_log(settings: Settings, *, client_id: str = "vigie") -> EventLog:
    """The log that the settings name; `client_id` names this process to Kafka."""
    scheme = settings.log.partition(":")[0]
    if scheme == "sqlite":
        from vigie.log.sqlite import SqliteLog

        return SqliteLog(settings.log.removeprefix("sqlite:///"), retention=settings.log_retention)
    if scheme == "kafka":
        from vigie.log.kafka import KafkaLog

        return KafkaLog(settings.log, retention=settings.log_retention, client_id=client_id)
    raise SettingsError(f"VIGIE_LOG_URL: unknown scheme {scheme}://")


def missing_topics(log: EventLog) -> list[str]:
    """Return the topics that `vigie migrate` has not created yet. Raises `UnavailableError`."""
    present = log.topic_ids()
    return [topic for topic in TOPICS if topic not in present]


def show_partitions(partitions: Iterable[Partition]) -> str:
    """Return partitions as a log line names them: `mentions/0,mentions/3`."""
    return ",".join(f"{topic}/{number}" for topic, number in sorted(partitions))


def take(records: Iterable[Record], limit: int) -> list[Record]:
    """The leading records that carry about `limit` mentions together, one at least; reads no further."""
    taken: list[Record] = []
    for record in records:
        taken.append(record)
        limit -= record.weight
        if limit <= 0:
            break
    return taken
