"""The analysis worker's turns: what comes in goes first."""

from collections import Counter
from types import SimpleNamespace

import pytest

from analysis import rereading, worker


@pytest.fixture
def turn(house, monkeypatch):
    """Ten seconds of a worker to which so many records come at each poll of a quarter of a second, and of which each look
    at windows takes `seconds`. What was asked."""
    asked, passed = Counter(), [0.0]

    def takes(seconds, name=None):
        passed[0] += seconds
        asked.update([name] if name else [])
        return 0

    monkeypatch.setattr(rereading, "advance", lambda *given: takes(0.0, "reread"))
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: passed[0]))
    one = worker.Worker(house.engine, house.log)

    def ten_seconds(handled, seconds=0.0):
        monkeypatch.setattr(worker, "look", lambda engine, limit: takes(seconds, f"look at {limit}"))
        one._consumer = SimpleNamespace(run_once=lambda timeout: takes(0.25, "poll") or handled)
        end = passed[0] + 10
        while passed[0] < end:
            one.run_once()
        return asked

    yield ten_seconds
    one.close()


def test_while_there_is_more_to_read_few_windows_are_looked_at_and_other_timers_wait(turn):
    assert turn(handled=7) == {"poll": 40, "look at 2": 20, "reread": 2}


def test_windows_that_take_long_leave_time_to_read(turn):
    asked = turn(handled=7, seconds=1.0)
    assert asked["look at 2"] == 2
    assert asked["poll"] == 32


def test_when_nothing_comes_all_timers_are_asked_at_each_turn(turn):
    assert turn(handled=0) == {"poll": 40, "look at 20": 40, "reread": 40}
