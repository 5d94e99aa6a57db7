"""Mails that could not leave are shown to those who may change something about it, and sent again from there."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from dashboards import letters
from tests.dashboards.test_places import person, signed_in
from vigie import clock, companies, db, due, outbox
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.tables import outbox as deliveries
from vigie.db.tables import webhook

REFUSED = "the mail server refused it (535 5.7.8 Bad credentials)"


@pytest.fixture
def client(house):
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)


def fail(house, company_id, number, state="failed"):
    one = outbox.delivery(outbox.MAIL, company_id, f"m{number}@example.fr", f"event {number}", b"x")
    values = {"state": state, "error": REFUSED, "due_at": clock.now() + timedelta(hours=1), "attempts": 3}
    with db.writing(house.engine) as connection:
        outbox.enqueue(connection, [one])
        connection.execute(update(deliveries).where(deliveries.c.id == one.id).values(**values))


def states(house):
    with db.reading(house.engine) as connection:
        return dict(connection.execute(select(deliveries.c.event_id, deliveries.c.error)).all())


def test_an_owner_sees_their_own_and_sends_them_again(client, house, firm):
    with db.writing(house.engine) as connection:
        other = companies.add(connection, "Autre")
    fail(house, firm["id"], 1)
    fail(house, firm["id"], 2, "waiting")
    fail(house, None, 3)
    fail(house, other, 4)
    person(house, firm, "marie@example.fr", "owner")
    signed_in(house, client, "marie@example.fr")
    page = client.get(f"/companies/{firm['id']}?lang=fr").text
    assert "2 mails n’ont pas pu être remis" in page
    assert "le serveur de messagerie l’a refusé (535 5.7.8 Bad credentials)" in page
    assert client.post(f"/companies/{firm['id']}/settings/mails/again").status_code == 303
    assert states(house) == {"event 1": None, "event 2": None, "event 3": REFUSED, "event 4": REFUSED}
    assert "n’ont pas pu" not in client.get(f"/companies/{firm['id']}?lang=fr").text


def test_the_team_is_not_shown_what_it_cannot_mend(client, house, firm):
    fail(house, firm["id"], 1)
    person(house, firm, "equipe@example.fr", "team")
    signed_in(house, client, "equipe@example.fr")
    assert "Bad credentials" not in client.get(f"/companies/{firm['id']}").text
    assert client.post(f"/companies/{firm['id']}/settings/mails/again").status_code == 404


def test_whoever_runs_the_installation_sees_those_of_no_company(house, firm):
    fail(house, None, 3)
    with db.reading(house.engine) as connection:
        assert len(outbox.unsent_mails(connection, firm["id"], of_host=True)[0]) == 1
        assert outbox.unsent_mails(connection, firm["id"]) == ([], "")


@pytest.mark.parametrize(("language", "said"), [("fr", "aucun serveur de messagerie"), ("en", "no mail server is set")])
def test_without_a_mail_server_the_sign_in_page_says_how_to_open_it(client, house, language, said):
    answer = client.post(f"/sign-in?lang={language}", data={"email": "marie@example.fr"})
    assert said in answer.text
    assert "vigie token link" in answer.text


def test_with_a_mail_server_the_sign_in_page_names_the_mail(house):
    house = House(house.settings.model_copy(update={"smtp_url": "smtp://127.0.0.1:1"}), house.engine, house.log)
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1")
    assert "on their way" in client.post("/sign-in?lang=en", data={"email": "marie@example.fr"}).text


def test_a_mail_that_nobody_asked_for_waits_for_the_morning(house, firm, monkeypatch):
    """Eleven in the evening in Paris; the digits that somebody waits for leave at once."""
    night = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "marie@example.fr")
        hook = {"id": "wh_1", "company_id": firm["id"], "url": "https://example.com/", "events": ["alert.raised"]}
        off = {"off": "gone", "failing_since": night, "created_at": night, "secret": b""}
        connection.execute(webhook.insert().values(**hook, **off))
        due.schedule(connection, due.ENDPOINT_OFF, ["wh_1"])
    monkeypatch.setattr(clock, "now", lambda: night)
    assert letters.send_due(house.engine, house.settings) == 1
    with db.reading(house.engine) as connection:
        (due_at,) = connection.scalars(select(deliveries.c.due_at)).all()
    assert due_at == datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
