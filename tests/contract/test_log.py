"""What both logs promise, on both databases: order, groups, resuming, fencing, dead letters."""

import threading
import time
from collections import Counter, defaultdict

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from tests.servers import wait_until
from vigie import db
from vigie.consumer import Consumer, Prepared
from vigie.db.tables import consumer_offset, dead_letter
from vigie.errors import PositionError, RepeatedFailureError, UnavailableError
from vigie.log import MENTIONS, Message, Partition
from vigie.log.partition import partition_of
from vigie.positions import StoredPositions

GROUP = "counting"


class Counting:
    """Stores each value it is given; `seen` is a table without any key of its own, so that a repeat shows."""

    def __init__(self, group=GROUP, fail=None):
        self.group, self.fail = group, fail or (lambda values: None)

    def prepare(self, records):
        values = [(record.key or b"").decode() + "=" + (record.value or b"").decode() for record in records]
        self.fail(values)
        return [Prepared(value) for value in values]

    def apply(self, connection, values):
        connection.execute(SEEN.insert(), [{"group": self.group, "value": value} for value in values])


SEEN = sa.Table(
    "seen",
    sa.MetaData(),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("group", sa.String(64)),
    sa.Column("value", sa.String(200)),
)


@pytest.fixture
def witness(engine):
    SEEN.create(engine)
    return lambda group=GROUP: engine_values(engine, group)


def engine_values(engine, group):
    with db.reading(engine) as connection:
        return list(connection.scalars(select(SEEN.c.value).where(SEEN.c.group == group).order_by(SEEN.c.n)))


def numbered(count, keys=5):
    return [Message(f"company-{n % keys}", str(n).encode()) for n in range(count)]


def expected(count, keys=5):
    return Counter(f"company-{n % keys}={n}" for n in range(count))


def consume(log, engine, handler, until, timeout=60.0):
    with log.subscribe(handler.group, [MENTIONS], StoredPositions(engine)) as subscription:
        consumer = Consumer(subscription, engine, handler, sleep=lambda seconds: time.sleep(0.05))
        deadline = time.monotonic() + timeout
        while not until():
            assert time.monotonic() < deadline, "not drained in time"
            consumer.run_once(timeout=0.1)


def test_every_record_is_handled_once_and_in_order_per_key(log, engine, witness):
    log.append(MENTIONS, numbered(200))
    consume(log, engine, Counting(), lambda: len(witness()) >= 200)
    assert Counter(witness()) == expected(200)
    per_key = defaultdict(list)
    for value in witness():
        key, _, number = value.partition("=")
        per_key[key].append(int(number))
    assert all(numbers == sorted(numbers) for numbers in per_key.values())


def test_a_key_lies_where_kafka_would_place_it(log, engine, witness):
    log.append(MENTIONS, [Message("company-1", b"x")])
    with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as subscription:
        batch = wait_until(lambda: subscription.poll(timeout=0.2))[0]
    assert batch.source == Partition(MENTIONS, partition_of("company-1", 8))
    assert (batch.start, batch.stop, batch.records[0].key) == (0, 1, b"company-1")


def test_groups_are_independent(log, engine, witness):
    log.append(MENTIONS, numbered(20))
    consume(log, engine, Counting("one"), lambda: len(witness("one")) >= 20)
    consume(log, engine, Counting("two"), lambda: len(witness("two")) >= 20)
    assert Counter(witness("one")) == Counter(witness("two")) == expected(20)


def test_a_member_resumes_where_the_database_stands(log, engine, witness):
    log.append(MENTIONS, numbered(30))
    consume(log, engine, Counting(), lambda: len(witness()) >= 30)
    log.append(MENTIONS, numbered(40)[30:])
    consume(log, engine, Counting(), lambda: len(witness()) >= 40)
    assert Counter(witness()) == expected(40)


def test_the_position_moves_with_the_results_or_not_at_all(log, engine, witness):
    log.append(MENTIONS, numbered(10, keys=1))
    attempts = []

    class Failing(Counting):
        def apply(self, connection, values):
            super().apply(connection, values)
            attempts.append(values)
            if len(attempts) == 1:
                raise UnavailableError("the database went away in mid-batch")

    consume(log, engine, Failing(), lambda: len(witness()) >= 10)
    assert len(attempts) == 2
    assert witness() == [f"company-0={n}" for n in range(10)]


def test_a_failing_record_goes_to_the_dead_letters_alone(log, engine, witness):
    log.append(MENTIONS, numbered(20, keys=1))

    def fail(values):
        if "company-0=7" in values:
            raise ValueError("seven is not liked")

    consume(log, engine, Counting(fail=fail), lambda: len(witness()) >= 19)
    assert Counter(witness()) == expected(20, keys=1) - Counter(["company-0=7"])
    with db.reading(engine) as connection:
        (dead,) = connection.execute(select(dead_letter)).all()
    assert (dead.value, dead.key, dead.offset) == (b"7", b"company-0", 7)
    assert "seven is not liked" in dead.reason


def test_a_failure_that_repeats_over_companies_ends_the_member(log, engine, witness):
    log.append(MENTIONS, numbered(300))

    def fail(values):
        raise ValueError("every record fails")

    with pytest.raises(RepeatedFailureError):
        consume(log, engine, Counting(fail=fail), lambda: False, timeout=240)
    with db.reading(engine) as connection:
        offsets = connection.scalars(select(consumer_offset.c.next_offset)).all()
    assert sum(offsets) < 300, "nothing may be dropped past the limit"


def test_a_stale_member_writes_nothing(log, engine, witness):
    log.append(MENTIONS, numbered(10, keys=1))
    with log.subscribe(GROUP, [MENTIONS], StoredPositions(engine)) as slow:
        batches = wait_until(lambda: slow.poll(timeout=0.2))
        with db.writing(engine) as connection:  # another member has handled the first four meanwhile
            here = consumer_offset.c.partition == batches[0].source.number
            connection.execute(consumer_offset.update().where(here).values(next_offset=4))
        consumer = Consumer(Replaying(slow, batches), engine, Counting())
        assert consumer.run_once(timeout=0.1) == 0
        assert witness() == []
        wait_until(lambda: consumer.run_once(timeout=0.2))
    assert witness() == [f"company-0={n}" for n in range(4, 10)]


def test_partitions_are_stored_together_and_a_stale_one_alone_is_left(log, engine, witness):
    log.append(MENTIONS, numbered(40, keys=40))
    with log.subscribe(GROUP, [MENTIONS], StoredPositions(engine)) as slow:
        batches = wait_until(lambda: len(found := slow.poll(timeout=0.5)) > 1 and found)
        taken, *others = batches
        with db.writing(engine) as connection:  # another member has handled the first of them meanwhile
            here = consumer_offset.c.partition == taken.source.number
            connection.execute(consumer_offset.update().where(here).values(next_offset=taken.stop))
        consumer, transactions = Consumer(Replaying(slow, batches), engine, handler := Counting()), []
        handler.apply = lambda connection, values: (
            transactions.append(values) or Counting.apply(handler, connection, values)
        )
        assert consumer.run_once(timeout=0.1) == sum(len(batch.records) for batch in others)
    assert len(transactions) == 1
    assert not {f"{record.key.decode()}={record.value.decode()}" for record in taken.records} & set(witness())


class Replaying:
    """A subscription whose first poll gives what was polled before."""

    def __init__(self, subscription, batches):
        self._subscription, self._batches = subscription, batches

    def poll(self, limit=500, timeout=1.0):
        if self._batches:
            batches, self._batches = self._batches, []
            return batches
        return self._subscription.poll(limit, timeout)

    def __getattr__(self, name):
        return getattr(self._subscription, name)


@pytest.mark.parametrize("members", [2, 3])
def test_members_share_the_work_and_take_over_from_one_that_leaves(log, engine, witness, members):
    done, leave = threading.Event(), threading.Event()
    handled = dict.fromkeys(range(members), 0)

    def work(number):
        with log.subscribe(GROUP, [MENTIONS], StoredPositions(engine)) as subscription:
            consumer = Consumer(subscription, engine, Counting(), sleep=lambda seconds: time.sleep(0.05))
            while not done.is_set() and not (number == 0 and leave.is_set()):
                handled[number] += consumer.run_once(limit=10, timeout=0.1)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(members)]
    for thread in threads:
        thread.start()
    try:
        # Who is quicker takes a batch, so on a busy machine it takes some until each of two had one.
        for total in range(20, 4_000, 20):
            log.append(MENTIONS, numbered(total, keys=40)[-20:])
            time.sleep(0.1)
            if total >= 400 and sum(map(bool, handled.values())) > 1:
                break
        wait_until(lambda: len(witness()) >= total, timeout=60)
        leave.set()
        threads[0].join(20)
        log.append(MENTIONS, numbered(total + 100, keys=40)[-100:])
        wait_until(lambda: len(witness()) >= total + 100, timeout=60)
    finally:
        done.set()
        for thread in threads:
            thread.join(20)
    assert Counter(witness()) == expected(total + 100, keys=40)
    assert sum(map(bool, handled.values())) > 1, "one member did everything"


def test_a_record_weighs_what_it_carries(log, engine):
    heavy = [Message("company-0", str(n).encode(), (("mentions", b"50"),)) for n in range(30)]
    log.append(MENTIONS, heavy)
    with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as subscription:
        (batch,) = wait_until(lambda: subscription.poll(limit=200, timeout=0.2))
    assert len(batch.records) == 4


def test_headers_and_bytes_come_back_as_they_were(log, engine):
    log.append(MENTIONS, [Message("clé", bytes(range(256)), (("a", b"\xff\x00"), ("a", b"2")))])
    with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as subscription:
        record = wait_until(lambda: subscription.poll(timeout=0.2))[0].records[0]
    assert (record.key, record.value) == ("clé".encode(), bytes(range(256)))
    assert record.headers == (("a", b"\xff\x00"), ("a", b"2"))


def test_a_position_past_the_end_is_refused_loudly(log, engine):
    log.append(MENTIONS, numbered(3, keys=1))
    with db.writing(engine) as connection:
        rows = [{"group": "g", "topic": MENTIONS, "partition": n, "next_offset": 99} for n in range(8)]
        db.upsert(connection, consumer_offset, rows)
    with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as subscription, pytest.raises(PositionError):
        wait_until(lambda: subscription.poll(timeout=0.2), timeout=20)


def test_ends_and_lag_tell_what_lies_there(log, engine):
    log.append(MENTIONS, numbered(30, keys=1))
    assert sum(end for _, end in log.ends(MENTIONS).values()) == 30
    with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as subscription:
        wait_until(lambda: subscription.poll(limit=10, timeout=0.2))
        assert subscription.lag() == 20


def test_a_position_that_moves_while_a_member_joins_is_no_fault(log, engine):
    """Another member appends and handles between our look at the log's end and our look at the position."""
    source = Partition(MENTIONS, 0)
    positions = StoredPositions(engine)
    assert positions.resume("g", [source], lambda: {source: (0, 0)}) == {source: 0}

    def ends_after_somebody_moved():
        with db.writing(engine) as connection:
            connection.execute(consumer_offset.update().values(next_offset=5))
        return {source: (0, 5)}

    assert positions.resume("g", [source], ends_after_somebody_moved) == {source: 0}
    assert positions.resume("g", [source], lambda: {source: (0, 5)}) == {source: 5}


def test_what_retention_took_is_passed_over_loudly(log, engine):
    source = Partition(MENTIONS, 0)
    positions = StoredPositions(engine)
    positions.resume("g", [source], lambda: {source: (0, 0)})
    assert positions.resume("g", [source], lambda: {source: (7, 9)}) == {source: 7}
    assert positions.resume("g", [source], lambda: {source: (7, 9)}) == {source: 7}
