"""A role that starts while a server is away waits for it."""

from tests.pipeline import analyse
from vigie.errors import UnavailableError
from vigie.log import MENTIONS, Message


def test_a_worker_that_cannot_join_yet_waits(house, monkeypatch):
    """One broker of three is down: the log answers, and joining the group may fail all the same."""

    def fail_once(*arguments):
        monkeypatch.undo()
        raise UnavailableError("Kafka does not answer")

    monkeypatch.setattr(house.log, "subscribe", fail_once)
    house.log.append(MENTIONS, [Message("co_1", b"not json")])
    analyse(house)
    assert house.count_unread() == 0
