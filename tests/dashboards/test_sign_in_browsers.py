"""The six digits belong to the browser that asked: a stranger can neither use them nor use up a person's tries."""

import re
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from vigie import clock, db, outbox, people
from vigie.cli import work
from vigie.db.tables import outbox as deliveries

MARIE = "marie@example.fr"


@pytest.fixture
def browsers(house, firm):
    """Two browsers at one installation: Marie's, and a stranger's."""
    with db.writing(house.engine) as connection:
        people.grant(connection, people.add(connection, MARIE), firm["id"], "owner", by="test")
    app = work.make_app(house)
    return [TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) for _ in range(2)]


def ask(client):
    return client.post("/sign-in", data={"email": MARIE})


def enter(client, code):
    return client.post("/sign-in/code", data={"email": MARIE, "code": code}).status_code


def newest_mail(house):
    with db.reading(house.engine) as connection:
        newest = select(deliveries.c.body).where(deliveries.c.kind == outbox.MAIL)
        body = connection.scalar(newest.order_by(deliveries.c.created_at.desc()))
    return message_from_bytes(body, policy=policy.default).get_content()


def code_in(mail):
    return re.search(r"\b\d{3}\s\d{3}\b", mail)[0]


@pytest.fixture
def wait(monkeypatch):
    """Let two minutes pass, so that a further mail may be asked for."""

    def two_minutes():
        later = clock.now() + timedelta(minutes=2)
        monkeypatch.setattr(clock, "now", lambda: later)

    return two_minutes


def test_the_digits_work_in_the_browser_that_asked_only(house, browsers):
    marie, stranger = browsers
    cookie = ask(marie).headers["set-cookie"]
    assert "HttpOnly" in cookie
    code = code_in(newest_mail(house))
    assert enter(stranger, code) == 403
    assert enter(marie, code) == 303


def test_a_stranger_cannot_use_up_the_tries(house, browsers, wait):
    marie, stranger = browsers
    ask(stranger)
    for _ in range(12):
        assert enter(stranger, "000000") == 403
    wait()
    ask(marie)
    code = code_in(newest_mail(house))
    for _ in range(12):
        assert enter(stranger, "000000") == 403
    assert enter(marie, code) == 303


def test_a_stranger_who_asks_later_leaves_the_digits_as_they_are(house, browsers, wait):
    marie, stranger = browsers
    ask(marie)
    code = code_in(newest_mail(house))
    wait()
    ask(stranger)
    assert enter(marie, code) == 303


def test_ten_tries_are_all_that_a_browser_has(house, browsers, wait):
    marie, _ = browsers
    ask(marie)
    for _ in range(10):
        assert enter(marie, "x") == 403
    wait()
    ask(marie)
    assert enter(marie, code_in(newest_mail(house))) == 403


def test_all_browsers_together_have_a_hundred_tries(house, browsers, monkeypatch):
    monkeypatch.setattr(people, "_PAUSE", timedelta(0))
    app = work.make_app(house)
    for _ in range(10):
        stranger = TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)
        ask(stranger)
        for _ in range(10):
            assert enter(stranger, "x") == 403
    marie, _ = browsers
    ask(marie)
    assert enter(marie, code_in(newest_mail(house))) == 403, "the link still opens"
