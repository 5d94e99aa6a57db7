"""Records of a company that was removed, or of one company that all fail, never stop the others."""

import threading

import pytest
from sqlalchemy import select

from tests.contract.test_dead_letters import event, said, stored
from vigie import companies, counters, db, deadletters
from vigie.cli import work
from vigie.cli.house import House
from vigie.consumer import FailureStreak
from vigie.db.tables import dead_letter, outbox
from vigie.errors import RepeatedFailureError
from vigie.log import MENTIONS, Message, Record
from vigie.settings import Settings

RECORDS = 300


@pytest.fixture
def house(log, engine, tmp_path):
    return House(Settings(data_dir=tmp_path, secret_key="test"), engine, log)


def add_company(engine, name):
    with db.writing(engine) as connection:
        return companies.add(connection, name)


def test_records_of_a_removed_company_are_dropped_and_counted(house, log, engine):
    removed, other = add_company(engine, "Essai"), add_company(engine, "Maison Delage")
    log.append(MENTIONS, [Message(removed, event(removed, said(f"r{n}"), said(f"s{n}"))) for n in range(RECORDS)])
    log.append(MENTIONS, [Message(other, event(other, said("read")))])
    with db.writing(engine) as connection:
        companies.remove(connection, removed)
    work.analyse(house, threading.Event(), once=True)
    assert stored(engine) == {"read"}
    with db.reading(engine) as connection:
        assert deadletters.waiting(connection) == []
        assert counters.read(connection, counters.DROPPED_MENTIONS) == 2 * RECORDS


def test_records_that_are_each_unusable_stop_nobody(house, log, engine):
    bad, other = add_company(engine, "Essai"), add_company(engine, "Maison Delage")
    log.append(MENTIONS, [Message(key, b"not json") for key in (bad, other) for _ in range(RECORDS)])
    log.append(MENTIONS, [Message(other, event(other, said("read")))])
    work.analyse(house, threading.Event(), once=True)
    assert stored(engine) == {"read"}
    with db.reading(engine) as connection:
        assert deadletters.count_waiting(connection) == 2 * RECORDS


def test_the_dead_letters_of_a_company_go_with_it(house, log, engine):
    company_id = add_company(engine, "Essai")
    log.append(MENTIONS, [Message(company_id, b"not json")])
    work.analyse(house, threading.Event(), once=True)
    with db.writing(engine) as connection:
        assert deadletters.count_waiting(connection) == 1
        companies.remove(connection, company_id)
    with db.reading(engine) as connection:
        assert connection.execute(select(dead_letter)).all() == []
        assert connection.execute(select(outbox)).all() == []


def fail(streak, key, error):
    try:
        raise error
    except Exception as raised:
        streak.add(Record(offset=0, key=key, value=b"", headers=(), appended_at=None), raised)


def test_one_company_alone_never_ends_the_worker():
    streak = FailureStreak(limit=3)
    for _ in range(100):
        fail(streak, b"co_1", ValueError("x"))


def test_the_same_failure_of_several_companies_ends_it():
    streak = FailureStreak(limit=3)
    for number in range(3):
        fail(streak, b"co_%d" % number, ValueError("x"))
    with pytest.raises(RepeatedFailureError, match="ValueError"):
        fail(streak, b"co_3", ValueError("x"))


def test_a_success_or_another_cause_begins_a_new_streak():
    streak = FailureStreak(limit=3)
    for number in range(20):
        fail(streak, b"co_%d" % number, ValueError("x") if number % 2 else TypeError("x"))
    for number in range(20):
        fail(streak, b"co_%d" % number, ValueError("x"))
        if number % 3 == 0:
            streak.end()
