"""Mails by the day and by the month, and the offer of fewer when nobody says anything."""

import re
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from starlette.testclient import TestClient

from analysis import report
from analysis.report import Day, Month, Week
from dashboards import weekly
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import hear
from vigie import clock, companies, db
from vigie.cli import work
from vigie.db.tables import due, outbox, recipient, source
from vigie.errors import InvalidInputError


def noon(day):
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def mails(house):
    with db.reading(house.engine) as connection:
        rows = connection.execute(select(outbox.c.address, outbox.c.body).order_by(outbox.c.created_at)).all()
    return {row.address: message_from_bytes(row.body, policy=policy.default) for row in rows}


def text(wire):
    return wire.get_body(("plain",)).get_content()


def reader(house, firm, email, **chosen):
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], email, **chosen)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_what_ended_ended_yesterday_at_the_latest_and_nothing_is_left_out(today):
    for period in report.ended(today):
        assert period.first <= period.last < today
    day, week, month = report.ended(today)
    assert day.last == today - timedelta(days=1)
    assert (today - week.last).days <= 7
    assert (month.last + timedelta(days=1)).day == 1
    assert month.last + timedelta(days=1) == today.replace(day=1)
    before = report.names_within(8, week)
    assert len(before) == len(set(before))
    assert week.name not in before
    assert sum("-W" in name for name in before) == 8


def test_each_reader_has_the_mail_of_their_own_rhythm(house, firm):
    today = clock.local_day(clock.now(), firm["timezone"])
    for day in (today - timedelta(days=1), report.ended(today)[1].first, report.ended(today)[2].first):
        hear(house, firm, Found(text=f"Accueil parfait le {day}.", rating=5, published_at=noon(day)))
    for frequency in companies.FREQUENCIES:
        reader(house, firm, f"{frequency}@example.fr", frequency=frequency)
    with db.writing(house.engine) as connection:
        past = clock.now() - timedelta(minutes=1)
        connection.execute(update(due).where(due.c.kind == "report").values(due_at=past))
    assert weekly.send_due(house.engine, house.settings) == 1
    sent = mails(house)
    assert set(sent) == {"daily@example.fr", "weekly@example.fr", "monthly@example.fr"}
    assert "hier" in sent["daily@example.fr"]["Subject"]
    assert "cette semaine" in sent["weekly@example.fr"]["Subject"]
    assert "le mois dernier" in sent["monthly@example.fr"]["Subject"]
    assert f"le {today - timedelta(days=1)}" in text(sent["daily@example.fr"])
    with db.reading(house.engine) as connection:
        again_at = connection.scalar(select(due.c.due_at).where(due.c.kind == "report"))
    assert clock.local_day(again_at, firm["timezone"]) == today + timedelta(days=1), "for the daily reader"
    assert weekly.send_due(house.engine, house.settings) == 0


def test_after_three_quiet_weeks_a_mail_offers_to_come_monthly(house, firm):
    last = Week.of(clock.local_day(clock.now(), firm["timezone"])).before()
    hear(house, firm, Found(text="Bien.", rating=4, published_at=noon(last.first - timedelta(days=20))))
    reader(house, firm, "marie@example.fr")
    weekly.send(house.engine, house.settings, firm, last)
    assert "/monthly/" not in text(mails(house)["marie@example.fr"]), "nobody listened for three weeks yet"
    with db.writing(house.engine) as connection:
        connection.execute(update(source).values(listening_since=(last.first - timedelta(days=60)).isoformat()))
        companies.add_recipient(connection, firm["id"], "karim@example.fr")
    weekly.send(house.engine, house.settings, firm, last)
    said = text(mails(house)["karim@example.fr"])
    assert "Trois semaines calmes" in said
    (address,) = re.findall(r"(/monthly/\S+)", said)
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    assert "une fois par mois" in client.get(address).text
    assert frequency_of(house, "karim@example.fr") == ("weekly", "none"), "opening a link changes nothing"
    assert client.post(address.replace("/monthly/", "/unsubscribe/")).status_code == 404, "a link does one thing"
    assert client.post(address).status_code == 200
    assert frequency_of(house, "karim@example.fr") == ("monthly", "instant")
    assert frequency_of(house, "marie@example.fr") == ("weekly", "none")


def frequency_of(house, email):
    with db.reading(house.engine) as connection:
        row = connection.execute(select(recipient).where(recipient.c.email == email)).one()
    return row.frequency, row.alerts


def test_the_teams_edition_is_weekly(house, firm):
    with pytest.raises(InvalidInputError, match="weekly"):
        reader(house, firm, "equipe@example.fr", edition="team", frequency="daily")
    reader(house, firm, "marie@example.fr", frequency="monthly")
    reader(house, firm, "marie@example.fr")
    assert frequency_of(house, "marie@example.fr")[0] == "monthly", "as it was, where nothing is said"
    assert Month.of(date(2026, 2, 17)).last == date(2026, 2, 28)
    assert Day(date(2026, 2, 17)).name == "2026-02-17"
