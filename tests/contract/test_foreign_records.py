"""What other programs write into Kafka's topics: each codec, transactions, and batches that cannot be unpacked."""

import threading
import time

import confluent_kafka
import pytest
import structlog
from kafka.record import default_records
from sqlalchemy import select

from tests.contract.test_dead_letters import event, said, stored
from tests.servers import wait_until
from vigie import companies, db, deadletters, metrics
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.tables import consumer_offset
from vigie.errors import UnavailableError
from vigie.log import DEAD, MENTIONS, Message, unpacked
from vigie.log.partition import partition_of
from vigie.positions import StoredPositions
from vigie.settings import Settings

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@pytest.fixture
def log_url(kafka, request):
    return f"{kafka.url}?prefix={request.node.name.partition('[')[0][-40:]}{time.monotonic_ns()}."


@pytest.fixture
def house(engine, log, log_url, tmp_path):
    return House(Settings(data_dir=tmp_path, secret_key="test", log_url=log_url), engine, log)


@pytest.fixture
def firm(house):
    with db.writing(house.engine) as connection:
        return companies.add(connection, "Boulangerie")


@pytest.fixture
def produce(log_url):
    """Return a function that appends events as librdkafka does, and waits for the broker's answer."""
    servers, _, prefix = log_url.removeprefix("kafka://").partition("?prefix=")

    def send(company_id, values, partition=None, **options):
        producer = confluent_kafka.Producer({"bootstrap.servers": servers, "linger.ms": 200, **options})
        if "transactional.id" in options:
            producer.init_transactions(30)
            producer.begin_transaction()
        place = partition_of(company_id, 8) if partition is None else partition
        for value in values:
            producer.produce(prefix + MENTIONS, value, company_id, place, headers={"from": b"elsewhere"})
        producer.flush(30)
        return producer

    return send


def analyse(house):
    work.analyse(house, threading.Event(), once=True)


def lag(house):
    return house.count_unread()


def letters(house):
    with db.reading(house.engine) as connection:
        return [dict(row) for row in deadletters.waiting(connection)]


@pytest.mark.parametrize("codec", CODECS)
def test_each_codec_is_read(house, firm, produce, codec):
    produce(firm, [event(firm, said(f"m{n}")) for n in range(20)], **{"compression.type": codec})
    analyse(house)
    assert stored(house.engine) == {f"m{n}" for n in range(20)}


def test_a_batch_that_cannot_be_unpacked_is_set_apart_and_those_behind_it_are_read(house, firm, produce, monkeypatch):
    def fail(data):
        raise OSError("not a frame of ours")

    monkeypatch.setattr(default_records, "zstd_decode", fail)
    house.log.append(MENTIONS, [Message(firm, event(firm, said("before")))])
    produce(firm, [event(firm, said(f"lost{n}")) for n in range(3)], **{"compression.type": "zstd"})
    house.log.append(MENTIONS, [Message(firm, event(firm, said("after")))])
    analyse(house)
    assert stored(house.engine) == {"before", "after"}
    (letter,) = letters(house)
    assert (letter["topic"], letter["partition"], letter["offset"]) == (MENTIONS, partition_of(firm, 8), 1)
    assert letter["value"] is None
    assert "offsets 1 to 3" in letter["reason"]
    assert "not a frame of ours" in letter["reason"]
    work.deliver(house, threading.Event(), once=True)
    with house.log.subscribe("dead-readers", [DEAD], StoredPositions(house.engine)) as subscription:
        (batch,) = wait_until(lambda: subscription.poll(timeout=0.2))
    assert dict(batch.records[0].headers)["__connect.errors.exception.class.name"] == b"OSError"
    assert lag(house) == 0


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_a_batch_that_would_fill_the_memory_is_set_apart(house, firm, produce, monkeypatch, codec):
    monkeypatch.setattr(unpacked, "MAX_UNPACKED_BYTES", 100_000)
    produce(firm, [b" " * 500_000], **{"compression.type": codec})
    house.log.append(MENTIONS, [Message(firm, event(firm, said("after")))])
    analyse(house)
    assert stored(house.engine) == {"after"}
    (letter,) = letters(house)
    assert "unpacks to more than 100000 bytes" in letter["reason"]


def test_a_batch_that_is_unpacked_at_the_second_try_is_read(house, firm, produce, monkeypatch):
    decode, tries = default_records.zstd_decode, []

    def fail_once(data):
        tries.append(1)
        if len(tries) == 1:
            raise MemoryError
        return decode(data)

    monkeypatch.setattr(default_records, "zstd_decode", fail_once)
    produce(firm, [event(firm, said("m1"))], **{"compression.type": "zstd"})
    analyse(house)
    assert stored(house.engine) == {"m1"}
    assert letters(house) == []


def test_a_client_that_fails_is_replaced(house, firm, engine, log, monkeypatch):
    log.append(MENTIONS, [Message(firm, b"1")])
    with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as subscription:
        assert wait_until(lambda: subscription.poll(timeout=0.2))
        monkeypatch.setattr(subscription._consumer, "poll", lambda **options: 1 / 0)
        with pytest.raises(UnavailableError, match="ZeroDivisionError"):
            subscription.poll(timeout=0.2)
        log.append(MENTIONS, [Message(firm, b"2")])
        batches = wait_until(lambda: subscription.poll(timeout=0.2))
    assert [record.value for batch in batches for record in batch.records][-1] == b"2"


def test_an_aborted_transaction_is_not_read_and_leaves_no_lag(house, firm, produce):
    committed = produce(firm, [event(firm, said("committed"))], **{"transactional.id": f"{firm}-a"})
    committed.commit_transaction(30)
    aborted = produce(firm, [event(firm, said("aborted"))], **{"transactional.id": f"{firm}-b"})
    aborted.abort_transaction(30)
    analyse(house)
    assert stored(house.engine) == {"committed"}
    wait_until(lambda: lag(house) == 0)
    with db.reading(house.engine) as connection:
        offsets = connection.scalars(select(consumer_offset.c.next_offset)).all()
    assert sum(offsets) == 4, "two records and two markers"


def test_an_open_transaction_is_waited_for(house, firm, produce):
    producer = produce(firm, [event(firm, said("open"))], **{"transactional.id": f"{firm}-c"})
    analyse(house)
    assert stored(house.engine) == set()
    producer.commit_transaction(30)
    wait_until(lambda: sum(end for _, end in house.log.ends(MENTIONS).values()) == 2)
    analyse(house)
    assert stored(house.engine) == {"open"}


def test_records_in_another_partition_are_stored_counted_and_logged_once_for_each_key(house, firm, produce):
    counted = metrics.misplaced_records._value.get()
    expected = partition_of(firm, 8)
    elsewhere = (expected + 1) % 8
    produce(firm, [event(firm, said("m1")), event(firm, said("m2"))], partition=elsewhere)
    produce(None, [event(firm, said("m3"))], partition=elsewhere)
    produce(firm, [event(firm, said("m4"))])
    with structlog.testing.capture_logs() as lines:
        analyse(house)
    assert stored(house.engine) == {"m1", "m2", "m3", "m4"}
    assert metrics.misplaced_records._value.get() == counted + 3
    logged = [line for line in lines if line["event"] == "misplaced_record"]
    assert [(line["partition"], line["expected"]) for line in logged] == [(elsewhere, expected), (elsewhere, None)]


def test_a_moment_beyond_the_calendar_is_no_fault(house, firm, engine, log):
    from vigie.log import kafka

    class Fetched:
        offset, key, value, headers, timestamp = 0, b"k", b"v", [("a", None)], 2**62

    assert kafka._record(Fetched).appended_at.year == 9999
