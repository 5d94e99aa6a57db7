"""The log on Kafka: with `kafka_topics`, what knows kafka-python (which has no types, nor a way to share a consumer).

Rebalancing is hidden here. The listener only notes which partitions went, since it runs on the client's I/O thread
where no consumer method may be called; `poll` then takes up what the member holds, from the stored positions.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import kafka
import structlog
from kafka.consumer.fetcher import Fetcher
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.record.default_records import DefaultRecordBatch
from kafka.structs import OffsetAndMetadata, TopicPartition

from vigie import clock, metrics
from vigie.errors import SettingsError, UnavailableError
from vigie.log import (
    PARTITIONS,
    Batch,
    Message,
    Partition,
    Positions,
    Record,
    TopicFault,
    Unreadable,
    kafka_topics,
    show_partitions,
    take,
)
from vigie.log.partition import partition_of
from vigie.log.shared import SharedClient
from vigie.log.unpacked import check_unpacked_size

logger = structlog.get_logger(__name__)

_HEARTBEAT_MS = 1_000  # a member hears of a rebalance with its next heartbeat, and the group waits for it
_ANSWER_MS = 4_000
# An append must succeed or fail within five seconds: it waits so long for the producer, and for a topic's metadata.
_APPEND_SECONDS, _OPEN_SECONDS, _BLOCK_MS = 4.6, 3.0, 1_500
_BOOTSTRAP_MS = 2_700  # sooner than a caller gives up, so that it hears why there is no producer
_STUCK = 8.0  # seconds: longer than any call of ours may take
_UNPACK_TRIES = 3
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC).timestamp() * 1000 - 1_000  # milliseconds
_FETCHED = 100  # records per fetch: at most 25 MB wait here, as a record holds at most 256 kB

_OPTIONS = {
    "security_protocol", "ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password", "sasl_mechanism",
    "sasl_plain_username", "sasl_plain_password",
}  # fmt: skip


class KafkaLog:
    """An `EventLog` at `kafka://host:port,host:port[?option=value]`.

    Options are kafka-python's own for TLS and SASL; `replication` for topics that we create (default -1, as the brokers
    say); and `prefix`, put before the names of topics and groups where several installations share one cluster.
    """

    def __init__(self, url: str, *, retention: timedelta, client_id: str = "vigie") -> None:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise SettingsError("VIGIE_LOG_URL: the account belongs to its options sasl_plain_username and _password")
        options = dict(parse_qsl(parts.query))
        replication = _parse_replication(options.pop("replication", "-1"))
        self._names = _Names(options.pop("prefix", ""))
        self._topics = kafka_topics.TopicSettings(self._names.prefix, replication, retention)
        if unknown := options.keys() - _OPTIONS:
            raise SettingsError(f"VIGIE_LOG_URL: unknown option {', '.join(sorted(unknown))}")
        self._config: dict[str, Any] = {
            "bootstrap_servers": parts.netloc.split(","),
            "bootstrap_timeout_ms": _ANSWER_MS,
            "request_timeout_ms": _ANSWER_MS,
            "reconnect_backoff_max_ms": 2_000,
            "client_id": client_id,
            "proxy_url": _ClosingSocket.URL,
            **options,
        }
        self._producer: SharedClient[Any] = SharedClient("Kafka", self._open_producer, _close_producer)

    def rewrite(self, key: str, change: Callable[[bytes | None], bytes | None]) -> datetime:
        """A broker's records cannot be changed: they go with its retention, or never (`datetime.max`).

        While no broker answers, the topics count as `vigie migrate` makes them.
        """
        try:
            with self._administering() as admin:
                longest_stay = kafka_topics.read_longest_stay(admin, self._topics)
        except UnavailableError:
            longest_stay = kafka_topics.longest_stay_by_settings(self._topics)
        return datetime.max.replace(tzinfo=UTC) if longest_stay is None else clock.now() + longest_stay

    def prepare(self) -> None:
        with self._administering() as admin:
            kafka_topics.create_missing(admin, self._topics)
        with self._administering() as admin:
            kafka_topics.apply_settings(admin, self._topics)

    def topic_ids(self) -> dict[str, str | None]:
        with self._administering() as admin:
            return kafka_topics.read_topic_ids(admin, self._topics)

    def find_faults(self) -> list[TopicFault]:
        with self._administering() as admin:
            return kafka_topics.find_faults(admin, self._topics)

    def append(self, topic: str, messages: Iterable[Message]) -> None:
        until = time.monotonic() + _APPEND_SECONDS
        with _unavailable("Kafka"), self._producer.using(_OPEN_SECONDS) as producer:
            try:
                self._send(producer, topic, messages, until)
            except (KafkaError, RuntimeError, ValueError) as error:
                # After a batch expired, kafka-python 3.0.12's idempotent producer was seen to refuse everything for
                # ever. What it may have sent all the same comes twice, and counts once.
                self._producer.discard(producer)
                if isinstance(error, KafkaError):
                    raise
                raise UnavailableError(f"Kafka's client failed: {type(error).__name__} {error}"[:300]) from error

    def _send(self, producer: Any, topic: str, messages: Iterable[Message], until: float) -> None:
        sent = [
            producer.send(
                self._names.prefix + topic,
                value=message.value,
                key=message.key.encode(),
                headers=list(message.headers),
                partition=partition_of(message.key, PARTITIONS),
            )
            for message in messages
        ]
        for future in sent:
            future.get(timeout=max(0.01, until - time.monotonic()))

    def subscribe(self, group: str, topics: Sequence[str], positions: Positions) -> "KafkaSubscription":
        with _unavailable("Kafka"):
            return KafkaSubscription(self._config, self._names, group, topics, positions)

    def ends(self, topic: str) -> dict[Partition, tuple[int, int]]:
        with _unavailable("Kafka"):
            consumer = _construct(
                kafka.KafkaConsumer, self._config, enable_auto_commit=False, isolation_level="read_committed"
            )
            try:
                with _unstuck(consumer):
                    numbers = consumer.partitions_for_topic(self._names.prefix + topic) or ()
                    return self._names.ends(consumer, [Partition(topic, number) for number in numbers])
            finally:
                consumer.close(autocommit=False)

    def trim(self) -> int:
        return 0  # the broker does, by the topic's retention.ms

    def close(self) -> None:
        self._producer.close()

    @contextmanager
    def _administering(self) -> Iterator[Any]:
        with _unavailable("Kafka"), _construct(kafka.KafkaAdminClient, self._config) as admin, _unstuck(admin):
            yield admin

    def _open_producer(self) -> Any:
        return _construct(
            kafka.KafkaProducer,
            {**self._config, "bootstrap_timeout_ms": _BOOTSTRAP_MS},
            acks="all",
            enable_idempotence=True,
            batch_size=131_072,
            linger_ms=5,
            max_block_ms=_BLOCK_MS,
            delivery_timeout_ms=_ANSWER_MS + 500,
            # Without the C checksum, hashing the bytes costs more than packing them (81 against 40 µs).
            compression_type=None if find_spec("crc32c") else "gzip",
        )


class KafkaSubscription(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
    """A member of a consumer group, whose positions are ours and not the broker's."""

    def __init__(
        self, config: dict[str, Any], names: "_Names", group: str, topics: Sequence[str], positions: Positions
    ) -> None:
        self._config = config
        self._names, self._group, self._positions = names, group, positions
        self._topics = tuple(topics)
        self._topic_ids: dict[str, str | None] = {}  # as they were when the positions were taken up
        self._next: dict[Partition, int] = {}
        self._waiting: dict[Partition, deque[Record]] = {}
        self._revoked: set[Partition] = set()
        self._unpack_tries: dict[Partition, tuple[int, int]] = {}  # the offset, and how often it failed
        self._has_failed = False
        self._consumer = self._join()

    def _join(self) -> Any:
        """Return a consumer that joins the group at its first poll."""
        self._assignor = CooperativeStickyAssignor()  # moves only the partitions that must (KIP-429)
        consumer = _construct(
            kafka.KafkaConsumer,
            self._config,
            group_id=self._names.prefix + self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            partition_assignment_strategy=[self._assignor],
            session_timeout_ms=10_000,  # the default of 45 s is for those who have no fence
            heartbeat_interval_ms=_HEARTBEAT_MS,
            fetch_max_wait_ms=100,
            metadata_max_age_ms=30_000,  # for so long a topic that was made anew may stay unnoticed
        )
        consumer._fetcher.PartitionRecords = _PartitionRecords
        outer = [self._names.prefix + topic for topic in self._topics]
        consumer.subscribe(outer, listener=self)
        # A member that joins before it knows the topics gets no partition and may wait for some for ever.
        try:
            with _unstuck(consumer):
                for topic in outer:
                    consumer.partitions_for_topic(topic)
        except BaseException:
            _close_consumer(consumer)
            raise
        return consumer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        sources = {self._names.inner(one) for one in revoked}
        self._revoked |= sources
        if sources:
            logger.info("partitions_revoked", group=self._group, partitions=show_partitions(sources))

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """`poll` sees to it, as no consumer method may be called here."""
        sources = [self._names.inner(one) for one in assigned]
        member = self._consumer._coordinator._generation.member_id
        logger.info("partitions_assigned", group=self._group, member=member, partitions=show_partitions(sources))
        metrics.rebalances.labels(self._group).inc()

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        # kafka-python 3.0.12 would claim them at the next join: those that another member is to get were nobody's then.
        self._assignor.member_assignment = None
        self.on_partitions_revoked(lost)

    def poll(self, limit: int = 500, timeout: float = 1.0) -> list[Batch]:
        until = time.monotonic() + timeout
        while True:
            with _unavailable("Kafka"):
                if self._has_failed:
                    self._join_anew()
                with _unstuck(self._consumer):
                    self._fetch(max(0.01, until - time.monotonic()))
                    batches = self._pass_gaps() + self._hand_out(limit)
                if batches or time.monotonic() >= until:
                    return batches

    def rewind(self, batch: Batch) -> None:
        self._drop(batch.source)

    def commit(self, batches: Sequence[Batch]) -> None:
        offsets = {
            self._names.outer(batch.source): OffsetAndMetadata(batch.stop, "", -1)
            for batch in batches
            if batch.source in self._next
        }
        if offsets:
            self._consumer.commit_async(offsets)

    def lag(self) -> int:
        with _unavailable("Kafka"), _unstuck(self._consumer):
            ends = self._names.ends(self._consumer, self._next)
        return sum(ends[source][1] - start for source, start in self._next.items())

    def close(self) -> None:
        _close_consumer(self._consumer)

    def _join_anew(self) -> None:
        """Replace a consumer that failed."""
        self.close()
        self._next.clear()
        self._waiting.clear()
        self._revoked.clear()
        self._consumer = self._join()
        self._has_failed = False

    def _poll(self, **options: Any) -> dict[Any, list[Any]]:
        """Return the fetched records by partition. Raises `UnavailableError` where the client itself fails."""
        try:
            fetched: dict[Any, list[Any]] = self._consumer.poll(**options)
        except _UnreadableBatchError as error:
            self._pass_unreadable(error)
            return {}
        except KafkaError:
            raise
        except Exception as error:
            self._has_failed = True
            logger.exception("consumer_failed")
            raise UnavailableError(f"Kafka's client failed: {type(error).__name__} {error}"[:300]) from error
        return fetched

    def _pass_unreadable(self, error: "_UnreadableBatchError") -> None:
        """Put one unreadable record in the place of a batch, and go on behind it; raises at the first tries."""
        source = self._names.inner(error.partition)
        if source not in self._next:
            return
        offset, tries = self._unpack_tries.get(source, (error.start, 0))
        tries = tries + 1 if offset == error.start else 1
        self._unpack_tries[source] = error.start, tries
        if tries < _UNPACK_TRIES:
            raise UnavailableError(f"{source.topic}/{source.number}: {error}")
        unreadable = Unreadable(str(error), type(error.__cause__).__name__, error.stop)
        self._waiting[source].append(Record(error.start, None, None, (), clock.now(), unreadable))
        self._consumer.seek(error.partition, error.stop)

    def _fetch(self, wait: float) -> None:
        """Ask the broker, unless records still wait here: then only stay a member."""
        if any(self._waiting.values()):
            held = self._consumer.assignment()
            self._consumer.pause(*held)
            self._poll(timeout_ms=0)
            self._consumer.resume(*(held & self._consumer.assignment()))
            fetched = {}
        else:
            fetched = self._poll(timeout_ms=int(wait * 1000), max_records=_FETCHED)
        while self._revoked:
            self._drop(self._revoked.pop())
        self._check_topics()
        for assigned, records in fetched.items():
            self._keep(self._names.inner(assigned), records)
        self._take_up()

    def _check_topics(self) -> None:
        """Let go of a topic that was made anew: its stored positions are refused when it is taken up."""
        for topic in self._topics:
            outer = self._names.prefix + topic
            if self._consumer._cluster.partitions_for_topic(outer) is None:
                raise UnavailableError(f"the log has no topic {outer}: run `vigie migrate`")
            if topic in self._topic_ids and self._read_topic_id(topic) != self._topic_ids[topic]:
                for source in [source for source in self._next if source.topic == topic]:
                    self._drop(source)

    def _read_topic_id(self, topic: str) -> str | None:
        """Return the identity of a topic as the last metadata told it."""
        return kafka_topics.spell_topic_id(self._consumer._cluster.topic_id(self._names.prefix + topic))

    def _keep(self, source: Partition, records: list[Any]) -> None:
        """Records of a partition not taken up yet are let go: its position is not known, and it is sought soon."""
        if source not in self._next:
            return
        waiting = self._waiting[source]
        expected = waiting[-1].next_offset if waiting else self._next[source]
        if records[0].offset > expected and self._is_lost(source, expected):
            self._drop(source)
            return
        waiting.extend(_record(one) for one in records if one.offset >= expected)

    def _is_lost(self, source: Partition, expected: int) -> bool:
        """Whether a gap is retention's: compaction and transactions leave gaps too, and those hold nothing."""
        outer = self._names.outer(source)
        return bool(self._consumer.beginning_offsets([outer])[outer] > expected)

    def _take_up(self) -> None:
        """Start at the stored position wherever a partition is held but not known yet."""
        held = {self._names.inner(one) for one in self._consumer.assignment()}
        metrics.partitions.labels(self._group).set(len(held))
        for gone in self._next.keys() - held:
            self._drop(gone)
        gained = sorted(held - self._next.keys())
        if not gained:
            return
        self._consumer.topics()  # asks the broker: what the client remembers may be of a topic that is gone
        self._topic_ids |= {topic: self._read_topic_id(topic) for topic in {source.topic for source in gained}}
        starts = self._positions.resume(
            self._group, gained, lambda: self._names.ends(self._consumer, gained), self._topic_ids
        )
        for source, start in starts.items():
            self._consumer.seek(self._names.outer(source), start)
            self._next[source], self._waiting[source] = start, deque()

    def _hand_out(self, limit: int) -> list[Batch]:
        batches = []
        for source, waiting in list(self._waiting.items()):
            if not waiting or limit <= 0:
                continue
            records = take(waiting, limit)
            for _ in records:
                waiting.popleft()
            stop = records[-1].next_offset
            batches.append(Batch(source, self._next[source], stop, tuple(records)))
            self._next[source] = stop
            limit -= sum(record.weight for record in records)
            # Served once, last in the next turn.
            self._waiting[source] = self._waiting.pop(source)
        return batches

    def _pass_gaps(self) -> list[Batch]:
        """Return empty batches over offsets that hold no record: a lag would stay behind markers of transactions."""
        batches = []
        for source in [source for source, waiting in self._waiting.items() if not waiting]:
            start, stop = self._next[source], self._consumer.position(self._names.outer(source), timeout_ms=0)
            if stop is None or stop <= start:
                continue
            if self._is_lost(source, start):
                self._drop(source)
            else:
                batches.append(Batch(source, start, stop, ()))
        self._next |= {batch.source: batch.stop for batch in batches}  # only now, as what is above may fail
        return batches

    def _drop(self, source: Partition) -> None:
        self._next.pop(source, None)
        self._waiting.pop(source, None)


class _Names:
    """Partitions by our names and by the cluster's."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def outer(self, source: Partition) -> Any:
        return TopicPartition(self.prefix + source.topic, source.number)

    def inner(self, one: Any) -> Partition:
        return Partition(one.topic.removeprefix(self.prefix), one.partition)

    def ends(self, consumer: Any, sources: Iterable[Partition]) -> dict[Partition, tuple[int, int]]:
        partitions = [self.outer(source) for source in sources]
        beginnings, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        return {self.inner(one): (beginnings[one], ends[one]) for one in partitions}


class _UnreadableBatchError(Exception):
    """A fetched batch cannot be unpacked: its partition, the first offset not read, and the one behind the batch."""

    def __init__(self, partition: Any, start: int, stop: int, cause: Exception) -> None:
        stretch = f"offset {start}" if stop == start + 1 else f"offsets {start} to {stop - 1}"
        super().__init__(f"{stretch} cannot be unpacked: {type(cause).__name__} {cause}"[:300])
        self.partition, self.start, self.stop = partition, start, stop


def _close_consumer(consumer: Any) -> None:
    try:
        with _unstuck(consumer):
            consumer.close(autocommit=False, timeout_ms=2_000)
    except Exception as error:  # whatever a client says that has failed before
        logger.warning("consumer_not_closed", error=f"{type(error).__name__} {error}")


class _PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python has no types
    """The fetched batches of one partition; one that cannot be unpacked says where it lies, and ends them.

    kafka-python 3.0.12 asks a failed one for records without end, on the calling thread (`Fetcher.fetched_records`).
    """

    def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Iterator[Any]:
        batches = _LastBatch(records)
        try:
            yield from super()._unpack_records(tp, batches, *deserializers)
        except Exception as error:
            self.drain()
            start = max(self.next_fetch_offset, batches.start)
            raise _UnreadableBatchError(tp, start, max(start + 1, batches.stop), error) from error


class _LastBatch:
    """Fetched batches, of which the last that was taken is known by its offsets."""

    def __init__(self, records: Any) -> None:
        self._records = records
        self.start = self.stop = 0

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if batch is not None:
            self.start, self.stop = batch.base_offset, getattr(batch, "next_offset", 0)
            if isinstance(batch, DefaultRecordBatch) and batch.compression_type:
                check_unpacked_size(batch.compression_type, bytes(memoryview(batch._buffer)[batch._pos :]))
        return batch


class _ClosingSocket(KafkaNetSocket):  # type: ignore[misc] # kafka-python has no types
    """A plain connection whose socket is closed when connecting fails; kafka-python 3.0.12 leaves it to the collector.

    kafka-python looks for the class by the scheme of its option `proxy_url`; there is no proxy.
    """

    SCHEMES = ("plain",)
    URL = "plain://"

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: float | None = None) -> Any:
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


def _parse_replication(text: str) -> int:
    """Return the replication factor, -1 for the brokers' own. Raises `SettingsError` for anything else."""
    if text == str(kafka_topics.BROKERS_REPLICATION):
        return kafka_topics.BROKERS_REPLICATION
    if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 100:
        return int(text)
    raise SettingsError(
        f"VIGIE_LOG_URL: replication={text} is no number of copies: 1 to 99, or -1 for the brokers' own"
    )


def _construct(factory: Callable[..., Any], config: dict[str, Any], **options: Any) -> Any:
    """Return a Kafka client; one whose constructor fails is closed.

    kafka-python 3.0.12 leaves its I/O thread and four file descriptors behind when no broker answers.
    """
    clients = []

    def make_client(**client_options: Any) -> Any:
        client = KafkaNetClient(**client_options)
        # `vigie migrate` alone creates topics. kafka-python 3.0.12 ignores its own option of this name.
        client.cluster.config["allow_auto_create_topics"] = False
        clients.append(client)
        return client

    try:
        return factory(**config, **options, kafka_client=make_client)
    except BaseException:
        for client in clients:
            client.close()
        raise


def _close_producer(producer: Any) -> None:
    try:
        producer.close(timeout=5)
    except KafkaError as error:
        logger.warning("producer_not_closed", error=str(error))


def _record(fetched: Any) -> Record:
    return Record(
        offset=fetched.offset,
        key=fetched.key,
        value=fetched.value,
        headers=tuple((name, value or b"") for name, value in fetched.headers or ()),
        appended_at=datetime.fromtimestamp(min(max(0, fetched.timestamp), _LAST_MOMENT) / 1000, UTC),
    )


@contextmanager
def _unavailable(what: str) -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise UnavailableError(f"{what} does not answer: {type(error).__name__} {error}"[:300]) from error


@contextmanager
def _unstuck(client: Any) -> Iterator[None]:
    """Let no call hang for ever.

    Some calls of kafka-python 3.0.12 wait for its I/O thread without any limit, and that thread can lose a task (seen
    when a member joined before it knew its topics). After `_STUCK` seconds the waiters are failed, an outage to us.
    """
    error = KafkaTimeoutError(f"no answer from the client's own thread in {_STUCK:g} s")
    timer = threading.Timer(_STUCK, client._net._fail_pending_waiters, [error])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
