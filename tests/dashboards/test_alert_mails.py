"""Alerts by mail: at once or once a day, several in one, never at night, each once."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from analysis import alert_store
from dashboards import alert_mails
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import XSS, hear
from tests.dashboards.test_places import person, signed_in
from vigie import clock, companies, db, due
from vigie.cli import work
from vigie.db.tables import alert, outbox
from vigie.db.tables import due as timers
from vigie.errors import InvalidInputError

PARIS = "Europe/Paris"


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=clock.zone(PARIS)).astimezone(UTC)


@pytest.mark.parametrize(
    ("how", "told", "now", "expected"),
    [
        ("instant", None, "2026-11-23T10:00", "2026-11-23T10:00"),
        ("instant", "2026-11-23T09:30", "2026-11-23T10:00", "2026-11-23T10:30"),
        ("instant", None, "2026-11-23T22:00", "2026-11-24T07:00"),
        ("instant", None, "2026-11-23T03:00", "2026-11-23T07:00"),
        ("instant", "2026-11-23T20:30", "2026-11-23T20:40", "2026-11-24T07:00"),
        ("instant", None, "2026-10-24T23:00", "2026-10-25T07:00"),  # the night that has an hour more
        ("daily", None, "2026-11-23T10:00", "2026-11-24T07:00"),
        ("daily", None, "2026-11-23T05:00", "2026-11-23T07:00"),
        ("daily", None, "2026-11-23T07:00", "2026-11-23T07:00"),
        ("daily", "2026-11-23T07:00", "2026-11-23T07:20", "2026-11-24T07:00"),
        ("daily", "2026-11-22T07:00", "2026-11-23T07:01", "2026-11-23T07:01"),
    ],
)
def test_the_moment(how, told, now, expected):
    assert alert_mails.moment(how, at(told) if told else None, at(now), PARIS) == at(expected)


@pytest.fixture
def noon(monkeypatch):
    """Noon of tomorrow, so that no test depends on the hour at which it runs."""
    moment = datetime.combine(clock.now().date() + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=11)
    hours = [moment]
    monkeypatch.setattr(clock, "now", lambda: hours[0])
    monkeypatch.setattr(alert_mails.db, "present", lambda connection: hours[0])
    return hours


def add(house, firm, email, alerts):
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], email, alerts=alerts)


def mails(house):
    """What was mailed so far; the timers' clock is the database's, so they are made due."""
    with db.writing(house.engine) as connection:
        firms = [row["id"] for row in companies.every(connection)]
        due.schedule(connection, due.ALERT_MAIL, firms, at=datetime(2020, 1, 1, tzinfo=UTC))
    alert_mails.send_due(house.engine, house.settings)
    with db.reading(house.engine) as connection:
        rows = connection.scalars(select(outbox.c.body).where(outbox.c.kind == "mail")).all()
    return [message_from_bytes(body, policy=policy.default) for body in rows]


def test_one_mail_for_several_alerts_and_each_alert_once(house, firm, noon):
    add(house, firm, "marie@example.fr", "instant")
    add(house, firm, "paul@example.fr", "none")
    noon[0] += timedelta(seconds=1)
    for text in ("Accueil odieux.", f"Horrible, à fuir ! {XSS}"):
        hear(house, firm, Found(text=text, rating=1, published_at=clock.now()))
    (mail,) = mails(house)
    assert mail["To"] == "marie@example.fr"
    assert "(+1)" in mail["Subject"]
    text = mail.get_body().get_content()
    assert "Accueil odieux." in text
    assert "<script>" in text, "in plain text words stay as they are"
    assert len(mails(house)) == 1
    noon[0] += timedelta(minutes=5)
    hear(house, firm, Found(text="Attente horrible.", rating=1, published_at=clock.now()))
    assert len(mails(house)) == 1, "within the hour, no second mail"


def test_only_the_alerts_that_somebody_asked_for(house, firm, noon):
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "paul@example.fr", alerts="instant", rules=["unusual_volume"])
        companies.add_recipient(connection, firm["id"], "lea@example.fr", alerts="instant", rules=["negative_mention"])
        companies.add_recipient(connection, firm["id"], "paul@example.fr", language="en")  # the rest is as before
    noon[0] += timedelta(seconds=1)
    hear(house, firm, Found(text="Accueil odieux.", rating=1, published_at=clock.now()))
    assert [mail["To"] for mail in mails(house)] == ["lea@example.fr"]


def test_an_hour_later_the_rest_is_told(house, firm, noon):
    add(house, firm, "marie@example.fr", "instant")
    noon[0] += timedelta(seconds=1)
    hear(house, firm, Found(text="Accueil odieux.", rating=1, published_at=clock.now()))
    assert len(mails(house)) == 1
    noon[0] += timedelta(minutes=5)
    hear(house, firm, Found(text="Attente horrible.", rating=1, published_at=clock.now()))
    mails(house)
    noon[0] += timedelta(minutes=60)
    assert sorted(("Attente" in mail.get_body().get_content()) for mail in mails(house)) == [False, True]


def test_what_was_dealt_with_or_is_silent_is_not_mailed(house, firm, noon):
    add(house, firm, "marie@example.fr", "instant")
    hear(house, firm, Found(text="Accueil odieux.", rating=1, published_at=clock.now()), notify="never")
    assert mails(house) == []
    with pytest.raises(InvalidInputError, match="none, instant, daily"):
        add(house, firm, "marie@example.fr", "often")


def test_what_nobody_has_seen_to_is_told_again_to_those_who_wish(house, firm, noon):
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "marie@example.fr", alerts="instant", reminders=True)
        companies.add_recipient(connection, firm["id"], "paul@example.fr", alerts="instant")
    noon[0] += timedelta(seconds=1)
    for text in ("Accueil odieux.", "Attente horrible."):
        hear(house, firm, Found(text=text, rating=1, published_at=clock.now()))
    assert len(mails(house)) == 2
    with db.writing(house.engine) as connection:
        seen_to, left = connection.scalars(select(alert.c.id).order_by(alert.c.id))
        alert_store.handle(connection, firm["id"], seen_to, by="marie", resolve=False)
        alert_store.snooze(connection, firm["id"], left, noon[0] + timedelta(days=3))
        (waits,) = connection.scalars(select(timers.c.due_at).where(timers.c.kind == due.ALERT_MAIL))
    assert waits == noon[0] + timedelta(days=2)
    counts = []
    for days in (2, 1, 1, 5, 7, 7, 7):
        noon[0] += timedelta(days=days)
        counts.append(len(mails(house)))
    assert counts == [2, 3, 3, 3, 4, 5, 5], "not while it rests; then three times, and no more"
    assert sum("personne ne s’en est occupé" in mail.get_body().get_content() for mail in mails(house)) == 3


def test_an_owner_chooses_who_is_told_what_and_whether_again(house, firm):
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    place = f"/companies/{firm['id']}/settings"
    person(house, firm, "marie@example.fr", "owner")
    signed_in(house, client, "marie@example.fr")
    form = {"email": "paul@example.fr", "edition": "owner", "alerts": "instant", "about": "negative_mention"}
    assert client.post(f"{place}/recipients", data={**form, "reminders": "true"}).status_code == 303
    page = client.get(place).text
    assert "rappels" in page[page.index("paul@example.fr") :][:300]
    refused = client.post(f"{place}/recipients", data={**form, "about": "weather"})
    assert refused.status_code == 422
    assert "il n’y a pas de règle" in refused.text
