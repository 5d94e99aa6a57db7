"""Timers and deliveries: claimed by one, given back by time, refused when stale. On both databases."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from vigie import clock, db, due, outbox
from vigie.db.tables import outbox as outbox_table
from vigie.outbox import DeliveryError


def schedule(engine, *keys, **more):
    with db.writing(engine) as connection:
        due.schedule(connection, "poll", keys, **more)


def test_a_timer_is_claimed_once_among_many_workers(engine):
    schedule(engine, *(f"s{n}" for n in range(40)))
    taken: Counter = Counter()

    def work():
        while timers := due.claim(engine, "poll", limit=3):
            taken.update(timer.key for timer in timers)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == Counter(f"s{n}" for n in range(40))


def test_a_timer_whose_worker_died_is_due_again(engine):
    schedule(engine, "s")
    assert due.claim(engine, "poll", lease=timedelta(seconds=-1))
    (again,) = due.claim(engine, "poll")
    assert again.claim == 2


def test_a_worker_that_comes_back_late_changes_nothing(engine):
    schedule(engine, "s")
    (late,) = due.claim(engine, "poll", lease=timedelta(seconds=-1))
    (now,) = due.claim(engine, "poll")
    with db.writing(engine) as connection:
        assert not due.finish(connection, late)
        assert due.finish(connection, now, again_at=clock.now() + timedelta(hours=1))
    assert due.claim(engine, "poll") == []


def test_what_is_asked_for_while_it_runs_runs_again(engine):
    schedule(engine, "s", since={"s": "2026-11-10"})
    (timer,) = due.claim(engine, "poll")
    schedule(engine, "s", since={"s": "2026-11-03"})
    with db.writing(engine) as connection:
        assert not due.finish(connection, timer)
    (again,) = due.claim(engine, "poll")
    assert again.since == "2026-11-03", "the earliest day stays"


def test_a_future_timer_waits(engine):
    schedule(engine, "s", at=clock.now() + timedelta(hours=1))
    assert due.claim(engine, "poll") == []
    schedule(engine, "s", at=clock.now() - timedelta(hours=1))
    assert due.claim(engine, "poll")


class Wire:
    """The far end of a delivery."""

    def __init__(self, *answers):
        self.answers, self.seen = list(answers), []

    def send(self, delivery):
        self.seen.append((delivery.id, delivery.body))
        if self.answers and (error := self.answers.pop(0)):
            raise error


def enqueue(engine, *events):
    with db.writing(engine) as connection:
        outbox.enqueue(connection, [outbox.delivery("mail", None, "a@example.fr", event, b"hello") for event in events])


def row(engine):
    with db.reading(engine) as connection:
        return connection.execute(select(outbox_table)).one()


def make_due(engine):
    with db.writing(engine) as connection:
        connection.execute(outbox_table.update().values(due_at=clock.now() - timedelta(seconds=1)))


def test_a_delivery_is_sent_once(engine):
    enqueue(engine, "e1", "e1")
    wire = Wire()
    assert outbox.send_due(engine, {"mail": wire}) == 1
    assert outbox.send_due(engine, {"mail": wire}) == 0
    assert row(engine).state == "sent"


def test_a_refused_delivery_is_tried_again_later_under_the_same_id(engine):
    enqueue(engine, "e1")
    wire = Wire(DeliveryError("busy", retry_after=600), None)
    outbox.send_due(engine, {"mail": wire})
    assert row(engine).state == "waiting"
    assert row(engine).due_at > clock.now() + timedelta(seconds=500), "Retry-After is respected"
    make_due(engine)
    outbox.send_due(engine, {"mail": wire})
    assert row(engine).state == "sent"
    assert len({one for one, _ in wire.seen}) == 1


@pytest.mark.parametrize("error", [DeliveryError("gone", permanent=True)])
def test_a_hopeless_delivery_is_given_up(engine, error):
    enqueue(engine, "e1")
    outbox.send_due(engine, {"mail": Wire(error)})
    assert (row(engine).state, row(engine).error) == ("failed", "gone")


def test_a_delivery_is_given_up_after_three_days(engine):
    enqueue(engine, "e1")
    for _ in range(10):
        make_due(engine)
        outbox.send_due(engine, {"mail": Wire(DeliveryError("busy"))})
    assert row(engine).state == "failed"


def test_a_bug_in_a_sender_stops_nobody_else(engine):
    enqueue(engine, "e1", "e2")
    wire = Wire(KeyError("a bug"), None)
    assert outbox.send_due(engine, {"mail": wire}) == 2
    assert len(wire.seen) == 2


def test_a_stale_sender_is_refused_by_its_number(engine):
    enqueue(engine, "e1")
    (late,) = outbox.claim(engine, [outbox.WEBHOOK, outbox.MAIL])
    make_due(engine)
    (now,) = outbox.claim(engine, [outbox.WEBHOOK, outbox.MAIL])
    assert not outbox.settle(engine, late)
    assert outbox.settle(engine, now)


def test_a_lease_survives_a_dead_sender(engine):
    enqueue(engine, "e1")
    assert outbox.claim(engine, [outbox.WEBHOOK, outbox.MAIL])
    assert outbox.claim(engine, [outbox.WEBHOOK, outbox.MAIL]) == []
    make_due(engine)
    assert outbox.claim(engine, [outbox.WEBHOOK, outbox.MAIL])
