"""A log that was made anew is told from the one that the stored offsets are of, on both logs and both databases."""

import sqlite3

import kafka as client
import pytest
from sqlalchemy import select

from tests.contract.test_log import Counting, consume, engine_values, numbered, witness  # noqa: F401 # a fixture
from tests.servers import wait_until
from vigie import db, positions
from vigie.db.tables import consumer_offset
from vigie.errors import PositionError, UnavailableError
from vigie.log import MENTIONS, TOPICS, Message, Partition, missing_topics
from vigie.positions import StoredPositions

GROUP = "counting"


def remove_topics(log, log_url):
    """Delete every topic, as an administrator or a lost disk does."""
    if log_url.startswith("sqlite"):
        with sqlite3.connect(log_url.removeprefix("sqlite:///")) as connection:
            for table in ("partition", "record", "identity"):
                connection.execute(f"DELETE FROM {table}")
        connection.close()
        return
    address, _, prefix = log_url.removeprefix("kafka://").partition("?prefix=")
    admin = client.KafkaAdminClient(bootstrap_servers=address)
    names = [prefix + topic for topic in TOPICS]
    admin.delete_topics(names)
    wait_until(lambda: not set(names) & set(admin.list_topics()))
    admin.close()


def make_anew(log, log_url):
    remove_topics(log, log_url)
    log.prepare()


def stored_ids(engine):
    with db.reading(engine) as connection:
        return set(connection.scalars(select(consumer_offset.c.topic_id)))


def test_a_log_made_anew_and_longer_than_before_is_refused(log, log_url, engine, witness):  # noqa: F811
    log.append(MENTIONS, numbered(10, keys=1))
    consume(log, engine, Counting(), lambda: len(witness()) >= 10)
    make_anew(log, log_url)
    log.append(MENTIONS, numbered(30, keys=1))
    subscription = log.subscribe(GROUP, [MENTIONS], StoredPositions(engine))
    with subscription, pytest.raises(PositionError, match="vigie offsets reset"):
        wait_until(lambda: subscription.poll(timeout=0.2))
    assert len(witness()) == 10


def test_a_member_that_runs_while_the_log_is_made_anew_ends(log, log_url, engine, witness):  # noqa: F811
    log.append(MENTIONS, numbered(10, keys=1))
    with log.subscribe(GROUP, [MENTIONS], StoredPositions(engine)) as subscription:
        wait_until(lambda: subscription.poll(timeout=0.2))
        make_anew(log, log_url)
        log.append(MENTIONS, numbered(30, keys=1))

        def is_refused():
            try:
                subscription.poll(timeout=0.2)
            except UnavailableError:  # while the client sees neither of the two topics
                return False
            except PositionError:
                return True
            return False

        wait_until(is_refused, timeout=60)


def test_offsets_of_an_earlier_release_adopt_the_log_that_is_there(log, engine, witness):  # noqa: F811
    log.append(MENTIONS, numbered(10))
    consume(log, engine, Counting(), lambda: len(witness()) >= 10)
    with db.writing(engine) as connection:
        connection.execute(consumer_offset.update().values(topic_id=None))
    log.append(MENTIONS, numbered(12)[10:])
    consume(log, engine, Counting(), lambda: len(witness()) >= 12)
    assert len(witness()) == 12
    assert stored_ids(engine) == {log.topic_ids()[MENTIONS]}


def test_after_a_reset_the_new_log_is_read_from_its_beginning(log, log_url, engine, witness):  # noqa: F811
    log.append(MENTIONS, numbered(10, keys=1))
    consume(log, engine, Counting(), lambda: len(witness()) >= 10)
    make_anew(log, log_url)
    log.append(MENTIONS, numbered(30, keys=1))
    starts = {source: beginning for source, (beginning, _) in log.ends(MENTIONS).items()}
    with db.writing(engine) as connection:
        positions.reset(connection, GROUP, MENTIONS, starts, log.topic_ids()[MENTIONS])
    consume(log, engine, Counting(), lambda: len(witness()) >= 40)
    assert len(witness()) == 40


def test_the_lag_is_unknown_without_the_topic_and_with_another_one(log, log_url, engine, witness):  # noqa: F811
    def count_unread():
        return positions.count_unread(engine, log, GROUP, MENTIONS)

    log.append(MENTIONS, numbered(10, keys=1))
    consume(log, engine, Counting(), lambda: len(witness()) >= 10)
    assert sum(count_unread().values()) == 0
    log.append(MENTIONS, numbered(3, keys=1))
    assert sum(count_unread().values()) == 3
    remove_topics(log, log_url)
    assert count_unread() is None
    log.prepare()
    assert count_unread() is None
    log.append(MENTIONS, numbered(30, keys=1))
    assert count_unread() is None


def test_an_offset_past_the_end_is_no_negative_lag(log, engine):
    log.append(MENTIONS, numbered(3, keys=1))
    with db.writing(engine) as connection:
        positions.reset(connection, GROUP, MENTIONS, {Partition(MENTIONS, 0): 99}, log.topic_ids()[MENTIONS])
    assert positions.count_unread(engine, log, GROUP, MENTIONS) is None


def test_topics_that_are_missing_are_named_and_not_made(log, log_url):
    assert missing_topics(log) == []
    identities = log.topic_ids()
    assert all(identities[topic] for topic in TOPICS)
    remove_topics(log, log_url)
    assert missing_topics(log) == list(TOPICS)
    log.prepare()
    assert log.topic_ids()[MENTIONS] != identities[MENTIONS]
    log.prepare()
    log.append(MENTIONS, [Message("company-1", b"x")])


@pytest.mark.parametrize("log_url", ["kafka"], indirect=True)  # the embedded log makes its topics itself
def test_a_member_without_its_topic_waits_and_says_so(log, log_url, engine, witness):  # noqa: F811
    remove_topics(log, log_url)
    with log.subscribe(GROUP, [MENTIONS], StoredPositions(engine)) as subscription:
        with pytest.raises(UnavailableError, match="run `vigie migrate`"):
            subscription.poll(timeout=0.2)
        log.prepare()
        log.append(MENTIONS, numbered(3, keys=1))

        def polled():
            try:
                return subscription.poll(timeout=0.2)
            except UnavailableError:
                return []

        assert wait_until(polled, timeout=60)
