"""Leaving the weekly mail: one button, nothing by opening a link, nobody else's address."""

from datetime import timedelta
from email import message_from_bytes, policy
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from analysis.report import Week
from dashboards import subscription, weekly
from vigie import clock, companies, db, settings
from vigie.cli import work
from vigie.db.tables import outbox


@pytest.fixture
def client(house):
    return TestClient(work.make_app(house), base_url="http://127.0.0.1")


def addresses(house, firm):
    with db.reading(house.engine) as connection:
        return [one["email"] for one in companies.recipients(connection, firm["id"])]


def mail(house, firm):
    with db.writing(house.engine) as connection:
        for email in ("marie@example.fr", "paul@example.fr"):
            companies.add_recipient(connection, firm["id"], email)
    weekly.send(house.engine, house.settings, firm, Week.of(clock.now().date()).before())
    with db.reading(house.engine) as connection:
        body = connection.scalar(select(outbox.c.body).where(outbox.c.address == "marie@example.fr"))
    return message_from_bytes(body, policy=policy.default)


def test_the_mail_programs_own_button_takes_one_address_off(client, house, firm):
    wire = mail(house, firm)
    assert wire["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = urlsplit(wire["List-Unsubscribe"].strip("<>")).path
    assert path in wire.get_body(("plain",)).get_content().replace("\n", "")
    assert path in wire.get_body(("html",)).get_content()
    for _ in range(3):
        page = client.get(path)
        assert "Ne plus me l’envoyer" in page.text
        client.head(path)
    assert len(addresses(house, firm)) == 2, "opening changes nothing"
    done = client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert (done.status_code, addresses(house, firm)) == (200, ["paul@example.fr"])
    assert client.post(path).status_code == 200, "twice is as good as once"


def test_a_link_that_is_not_ours_or_is_old_does_nothing(client, house, firm):
    path = urlsplit(mail(house, firm)["List-Unsubscribe"].strip("<>")).path
    with clock.held(clock.now() + timedelta(days=401)):
        assert client.post(path).status_code == 404
    for bad in (path[:-6], "/unsubscribe/x", "/unsubscribe/" + "A" * 5_000):
        assert client.post(bad).status_code == 404
    assert len(addresses(house, firm)) == 2


def test_no_link_that_would_open_on_this_machine_only(tmp_path):
    inside = settings.load(data_dir=tmp_path, smtp_url="smtp://127.0.0.1:1")
    assert subscription.link(inside, "co_1", "a@example.fr") is None
    assert subscription.headers(None) == {}
