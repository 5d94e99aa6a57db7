"""Whether database and log answer, asked within two seconds and once for all who ask."""

import threading

from vigie import health
from vigie.errors import UnavailableError


class Log:
    def __init__(self, answer):
        self.asked, self._answer = 0, answer

    def ends(self, topic):
        self.asked += 1
        return self._answer()


def refuse():
    raise UnavailableError("Kafka does not answer")


def test_a_log_that_is_away_or_has_no_topic_is_not_ready(house):
    assert health.readiness(house.engine, house.log)["ready"]
    away = health.readiness(house.engine, Log(refuse))
    assert (away["ready"], away["why"]) == (False, "Kafka does not answer")
    without_topic = health.readiness(house.engine, Log(dict))
    assert "run `vigie migrate`" in without_topic["why"]


def test_a_log_that_is_silent_is_asked_once_and_not_waited_for(house, monkeypatch):
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.2)
    answers = threading.Event()
    log = Log(lambda: answers.wait(60))
    whys = [health.readiness(house.engine, log)["why"] for _ in range(3)]
    answers.set()
    assert whys == ["the log did not answer within 0.2 seconds"] * 3 or "database" in whys[0]
    assert log.asked == 1


def test_an_answer_holds_for_a_second(house, monkeypatch):
    monkeypatch.setattr(health, "_ANSWER_KEPT_SECONDS", 3_600)
    log = Log(refuse)
    for _ in range(5):
        health.readiness(house.engine, log)
    assert log.asked == 1


def test_both_are_asked_at_once(house, monkeypatch):
    monkeypatch.setattr(health, "PROBE_SECONDS", 30.0)
    is_asked = threading.Event()
    monkeypatch.setattr(health, "_ask_database", lambda engine: is_asked.wait(20) and {})
    log = Log(lambda: is_asked.set() or {0: (0, 1)})
    assert health.readiness(house.engine, log)["ready"]
