"""An adviser's Monday mail: who needs help first; once, and only as long as it is wanted."""

import email
from email.policy import default

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from dashboards import rounds
from tests.dashboards.test_pages_and_mail import a_week
from tests.dashboards.test_places import signed_in
from vigie import companies, db, due, people
from vigie.cli import work
from vigie.db.tables import outbox


@pytest.fixture
def adviser(house, firm):
    """Somebody with two firms, whose Monday it is."""
    a_week(house, firm)
    with db.writing(house.engine) as connection:
        person_id = people.add(connection, "conseil@example.fr")
        calm = companies.add(connection, "Atelier Zola")
        for company_id in (calm, firm["id"]):
            people.grant(connection, person_id, company_id, "adviser", by="Marie")
    assert rounds.send_due(house.engine, house.settings) == 0, "not before Monday"
    with db.writing(house.engine) as connection:
        due.schedule(connection, due.ROUND, [person_id])
    return person_id


def sent(house):
    with db.reading(house.engine) as connection:
        bodies = connection.scalars(select(outbox.c.body).where(outbox.c.address == "conseil@example.fr")).all()
    return [email.message_from_bytes(body, policy=default) for body in bodies]


def test_the_firm_that_needs_help_comes_first_and_is_told_once(house, firm, adviser):
    assert rounds.send_due(house.engine, house.settings) == 1
    assert rounds.send_due(house.engine, house.settings) == 0
    (mail,) = sent(house)
    said = mail.get_content()
    assert mail["Subject"] == f"Vos établissements : {firm['name']} d’abord"
    assert said.index(firm["name"]) < said.index("Atelier Zola")
    assert "Vigie n’écoute encore nulle part" in said
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "&" not in said
    assert "<" not in said


def test_it_stops_by_its_own_link_and_begins_again_on_the_page(house, adviser):
    rounds.send_due(house.engine, house.settings)
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    link = sent(house)[0]["List-Unsubscribe"].strip("<>").partition("/round/")[2]
    assert "suivez" in client.get(f"/round/{link}").text
    with db.reading(house.engine) as connection:
        assert due.is_set(connection, due.ROUND, adviser), "a GET changes nothing"
    assert client.post(f"/round/{link}").status_code == 200
    with db.reading(house.engine) as connection:
        assert not due.is_set(connection, due.ROUND, adviser)
    signed_in(house, client, "conseil@example.fr")
    assert "M’envoyer cette liste" in client.get("/").text
    assert client.post("/round", data={"wanted": "true"}).status_code == 303
    assert "vous recevez cette liste" in client.get("/").text


def test_whoever_follows_no_firm_any_more_is_left_alone(house, firm, adviser):
    with db.writing(house.engine) as connection:
        for one in people.firms_of(connection, adviser):
            people.revoke(connection, adviser, one["id"])
    rounds.send_due(house.engine, house.settings)
    assert sent(house) == []
