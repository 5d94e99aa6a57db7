"""What a firm may ask to be told besides: off until it asks, told once, over when it is answered."""

from datetime import date, timedelta

from sqlalchemy import select, update

from analysis import endpoints, followup, queries, rule_store, watch
from analysis.emerging import Rising
from dashboards import i18n
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import hear
from vigie import clock, db, due
from vigie.db.tables import alert, mention


def look(house, firm):
    with db.writing(house.engine) as connection:
        due.schedule(connection, due.SOURCES, [firm["id"]])
    watch.look_due(house.engine)
    with db.reading(house.engine) as connection:
        return [one for one in queries.alerts(connection, firm["id"]) if one["rule"] == followup.UNANSWERED]


def test_a_complaint_that_waits_is_told_to_those_who_ask_and_is_over_when_answered(house, firm):
    now = clock.now()
    hear(
        house, firm,
        Found(text="Attente interminable, accueil froid.", rating=1, published_at=now - timedelta(days=3)),
        Found(text="Attente pénible.", rating=2, published_at=now - timedelta(days=3), reply="Nous regrettons."),
        Found(text="Accueil détestable.", rating=1, published_at=now - timedelta(hours=3)),
        Found(text="Parfait.", rating=5, published_at=now - timedelta(days=3)),
    )  # fmt: skip
    assert look(house, firm) == []
    with db.writing(house.engine) as connection:
        rule_store.change(connection, firm["id"], followup.UNANSWERED, {"enabled": True})
    (one,) = look(house, firm)
    assert (one["facts"]["days"], one["facts"]["quote"]) == (3, "Attente interminable, accueil froid.")
    assert len(look(house, firm)) == 1, "once"
    with db.writing(house.engine) as connection:
        connection.execute(update(mention).where(mention.c.id == one["mention_ids"][0]).values(status="done"))
    (over,) = look(house, firm)
    assert over["resolved_at"] is not None


def test_a_subject_is_told_once_in_a_quarter_and_without_anybodys_words():
    rising = [Rising("parking", 5, 20, 0, 80, "Aucun parking, dit Paul", "parking")]
    first, again, later = (
        next(followup.new_subjects(rising, day)) for day in (date(2026, 10, 1), date(2026, 12, 31), date(2027, 1, 1))
    )
    assert first.alert_id("co") == again.alert_id("co") != later.alert_id("co")
    assert "Paul" not in str(first.facts)


def test_a_subject_that_rises_is_told_on_mondays_to_those_who_ask(house, firm, monkeypatch):
    today = clock.now().date()
    monday = today - timedelta(days=today.weekday())
    now = clock.midnight(monday)
    old = [Found(text=f"Bon pain et bel accueil, visite {n}.", rating=5, published_at=now - timedelta(days=60 + n))
           for n in range(40)]  # fmt: skip
    new = [Found(text=f"Impossible de trouver le parking, essai {n}.", rating=2, published_at=now - timedelta(days=n))
           for n in range(1, 9)]  # fmt: skip
    hear(house, firm, *old, *new)
    with db.writing(house.engine) as connection:
        rule_store.change(connection, firm["id"], followup.NEW_SUBJECT, {"enabled": True})
    monkeypatch.setattr(watch.clock, "local_day", lambda moment, timezone: monday)
    look(house, firm)
    with db.reading(house.engine) as connection:
        told = connection.scalars(select(alert.c.facts).where(alert.c.rule == followup.NEW_SUBJECT)).all()
    assert any("parking" in facts["term"] for facts in told)


def test_a_medical_firms_alert_of_a_subject_leaves_without_patients_words():
    (finding,) = followup.new_subjects([Rising("douleur", 5, 20, 0, 80, "Une douleur", "douleur")], date(2026, 11, 23))
    shown = endpoints.alert_without_words({"rule": finding.rule, "facts": finding.facts})
    assert "douleur" not in str(shown)
    title, sentence = i18n.alert_words(shown, "fr")
    assert "douleur" not in title + sentence
    assert "page de Vigie" in sentence
