"""A client that many threads share: opened once, closed when nobody uses it, its failure remembered for a second."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import wait_until
from vigie.errors import UnavailableError
from vigie.log import shared
from vigie.log.shared import SharedClient


class Opener:
    """Opens numbers once it may, and notes which were closed."""

    def __init__(self, error=None):
        self.may_open, self.error = threading.Event(), error
        self.opened, self.closed = [], []

    def open(self):
        number = len(self.opened)
        self.opened.append(number)
        self.may_open.wait(30)
        if self.error:
            raise self.error
        return number


def use(client, seconds=30.0):
    with client.using(seconds) as number:
        return number


def test_a_hundred_callers_open_one_client():
    opener = Opener()
    client = SharedClient("server", opener.open, opener.closed.append)
    with ThreadPoolExecutor(100) as pool:
        results = [pool.submit(use, client) for _ in range(100)]
        wait_until(lambda: opener.opened)
        opener.may_open.set()
        assert [result.result(30) for result in results] == [0] * 100
    assert opener.opened == [0]


def test_who_waits_too_long_is_told_while_the_opening_goes_on():
    opener = Opener()
    client = SharedClient("server", opener.open, opener.closed.append)
    for _ in range(3):
        with pytest.raises(UnavailableError, match="no connection within"):
            use(client, 0.01)
    opener.may_open.set()
    assert use(client) == 0
    assert opener.opened == [0]


def test_a_failure_is_everybodys_for_a_moment(monkeypatch):
    opener = Opener(OSError("refused"))
    opener.may_open.set()
    client = SharedClient("server", opener.open, opener.closed.append)
    monkeypatch.setattr(shared, "_FAILURE_KEPT_SECONDS", 3_600)
    for _ in range(5):
        with pytest.raises(OSError, match="refused"):
            use(client)
    assert opener.opened == [0]
    monkeypatch.setattr(shared, "_FAILURE_KEPT_SECONDS", 0)
    with pytest.raises(OSError, match="refused"):
        use(client)
    assert opener.opened == [0, 1]


def test_a_discarded_client_is_closed_when_its_last_user_has_left():
    opener = Opener()
    opener.may_open.set()
    client = SharedClient("server", opener.open, opener.closed.append)
    with client.using(30) as number:
        with client.using(30) as same:
            client.discard(same)
            client.discard(same)
        assert opener.closed == []
        assert number == 0
        assert use(client) == 1, "another is opened meanwhile"
    wait_until(lambda: opener.closed == [0])
    client.close()
    assert opener.closed == [0, 1]
