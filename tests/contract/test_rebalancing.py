"""Members of Kafka's group: only the partitions move that must, and an update from the release before is waited for."""

import threading
import time

import kafka as client
import pytest

from tests.servers import wait_until
from vigie.errors import UnavailableError
from vigie.log import MENTIONS, Message
from vigie.positions import StoredPositions


@pytest.fixture
def database_url(postgresql):
    return postgresql.new_database()


@pytest.fixture
def log_url(kafka):
    return f"{kafka.url}?prefix=r{time.monotonic_ns()}."


def test_a_member_that_stays_keeps_its_partitions(log, engine):
    revoked = []
    with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as first:
        wait_until(lambda: first.poll(timeout=0.2) or len(first._next) == 8)
        revoke = first.on_partitions_revoked
        first.on_partitions_revoked = lambda partitions: (revoked.extend(partitions), revoke(partitions))
        with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as second:
            wait_until(lambda: first.poll(timeout=0.1) or second.poll(timeout=0.1) or len(second._next) == 4)
            assert len(first._next) == 4
            assert {partition.partition for partition in revoked} == {source.number for source in second._next}
        wait_until(lambda: first.poll(timeout=0.2) or len(first._next) == 8)
        assert len(revoked) == 4, "what it held when the other one left has not moved"


def test_partitions_that_were_lost_are_not_claimed_again(log, engine):
    with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as member:
        wait_until(lambda: member.poll(timeout=0.2) or len(member._next) == 8)
        (claimed,) = member._assignor.metadata({"any"}).owned_partitions
        assert len(claimed.partitions) == 8
        member.on_partitions_lost(member._consumer.assignment())
        assert member._assignor.metadata({"any"}).owned_partitions == []
        wait_until(lambda: member.poll(timeout=0.2) or len(member._next) == 8)


def test_a_member_waits_for_those_of_the_release_before(log, engine, kafka, log_url):
    """They speak the eager protocol only: the group takes one or the other."""
    servers, _, prefix = log_url.removeprefix("kafka://").partition("?prefix=")
    old = client.KafkaConsumer(prefix + MENTIONS, bootstrap_servers=servers, group_id=f"{prefix}g")
    has_left, is_in = threading.Event(), threading.Event()

    def work():
        while not has_left.is_set():
            old.poll(timeout_ms=100)
            if old.assignment():
                is_in.set()
        old.close()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert is_in.wait(60)
        with log.subscribe("g", [MENTIONS], StoredPositions(engine)) as new:
            with pytest.raises(UnavailableError, match="InconsistentGroupProtocol"):
                wait_until(lambda: new.poll(timeout=0.2))
            has_left.set()
            worker.join(30)
            log.append(MENTIONS, [Message("k", b"v")])

            def batches():
                try:
                    return new.poll(timeout=0.2)
                except UnavailableError:
                    return []

            assert wait_until(batches, 60)
    finally:
        has_left.set()
        worker.join(30)
