"""The analysis worker's turns: what comes in goes first."""

from collections import Counter
from itertools import count
from types import SimpleNamespace

import pytest

from analysis import rereading, worker


@pytest.fixture
def turn(house, monkeypatch):
    """A turn of a worker to which so many records come; a quarter of a second passes with each. What was asked."""
    asked, moments = Counter(), count()
    monkeypatch.setattr(worker, "look", lambda engine, limit: asked.update([f"look at {limit}"]) or 0)
    monkeypatch.setattr(rereading, "advance", lambda *given: asked.update(["reread"]) or 0)
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: next(moments) / 4))
    one = worker.Worker(house.engine, house.log)

    def turns(number, handled):
        asked.clear()
        one._consumer = SimpleNamespace(run_once=lambda timeout: handled)
        for _ in range(number):
            one.run_once()
        return asked

    yield turns
    one.close()


def test_while_there_is_more_to_read_few_windows_are_looked_at_and_other_timers_wait(turn):
    assert turn(40, handled=7) == {"look at 2": 20, "reread": 2}  # ten seconds


def test_when_nothing_comes_all_timers_are_asked_at_each_turn(turn):
    assert turn(4, handled=0) == {"look at 20": 4, "reread": 4}
