"""The team's edition: praise in the customers' words, one habit; no count, no score, no owner's page."""

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select

from analysis.report import Week
from dashboards import weekly
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import hear
from vigie import clock, companies, db
from vigie.db.tables import outbox
from vigie.errors import InvalidInputError

WEEK = Week.of(clock.now().date()).before()
DAY = datetime.combine(WEEK.first, datetime.min.time(), UTC) + timedelta(hours=30)
PRAISE = Found(text="Julie a été adorable, quel accueil souriant !", author="Nadia", rating=5, published_at=DAY)
COMPLAINTS = [
    Found(text=f"Attente interminable, Kevin nous a oubliés {n} fois.", author="Paul", rating=1, published_at=DAY)
    for n in (2, 3)
]


def send(house, firm, **emails):
    with db.writing(house.engine) as connection:
        for edition, email in emails.items():
            companies.add_recipient(connection, firm["id"], email, edition=edition)
    weekly.send(house.engine, house.settings, firm, WEEK)
    with db.reading(house.engine) as connection:
        rows = connection.execute(select(outbox.c.address, outbox.c.body)).all()
    return {row.address: message_from_bytes(row.body, policy=policy.default) for row in rows}


def test_the_team_reads_praise_and_one_habit_and_nothing_that_counts_people(house, firm):
    hear(house, firm, PRAISE, *COMPLAINTS)
    mails = send(house, firm, owner="patron@example.fr", team="equipe@example.fr")
    assert set(mails) == {"patron@example.fr", "equipe@example.fr"}
    wire = mails["equipe@example.fr"]
    for kind in ("plain", "html"):
        said = wire.get_body((kind,)).get_content()
        assert "Julie a été adorable" in said
        assert "combien de temps" in said, "the habit for waiting"
        assert "Kevin" not in said
        assert "Attente interminable" not in said
        assert "/companies/" not in said
    text = wire.get_body(("plain",)).get_content().partition("/unsubscribe/")[0]
    assert not re.search(r"\d+ (avis|sur|mentions)|/ 5|★", text)
    assert "équipe" in wire["Subject"]
    assert wire["List-Unsubscribe"]


def test_a_team_is_not_written_to_for_nothing_and_never_twice(house, firm):
    assert send(house, firm, team="equipe@example.fr") == {}
    hear(house, firm, PRAISE)
    assert len(send(house, firm)) == 1
    assert weekly.send(house.engine, house.settings, firm, WEEK) == 0


def test_an_edition_that_is_none_is_refused(house, firm):
    with db.writing(house.engine) as connection, pytest.raises(InvalidInputError):
        companies.add_recipient(connection, firm["id"], "a@example.fr", edition="boss")


def test_the_team_of_a_practice_is_not_written_to_without_a_habit(house):
    with db.writing(house.engine) as connection:
        company_id = companies.add(connection, "Cabinet Durand", sector="86.23Z")
        practice = dict(companies.get(connection, company_id))
    hear(house, practice, PRAISE)
    assert send(house, practice, team="equipe@example.fr") == {}, "praise may not leave, and nothing else is there"
    hear(house, practice, *COMPLAINTS)
    said = send(house, practice)["equipe@example.fr"].get_body(("plain",)).get_content()
    assert "combien de temps" in said
    assert "Julie" not in said
