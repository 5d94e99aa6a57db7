"""What counts and what does not: namesakes, copies, unproven senders, expired words. On both databases."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from analysis import homonyms, queries, reading, rollups, silence, store, watch
from analysis.relevance import Taught
from tests.analysis.test_store import exact, firm, stored, write  # noqa: F401 # a fixture
from vigie import audit, companies, db, due
from vigie.db.tables import alert, source
from vigie.db.tables import due as due_table
from vigie.events import Mention, Origin

NOW = datetime.now(UTC)
TEXT = "Attente horrible, pain rassis, je ne reviendrai plus jamais dans cette boulangerie."


def row(firm, mention_id, text=TEXT, *, source_id="so_1", guarded=False, **more):  # noqa: F811
    values = {"published_at": NOW - timedelta(days=1), "collected_at": NOW, **more}
    one = Mention(id=mention_id, text=text, **values)
    about = homonyms.about(firm, one.title, one.text, one.url, Taught()) if guarded else None
    read = reading.read(text, title=one.title, rating=one.rating)
    return store.row_of(firm, Origin(source_id, "feed", "n", None, guarded), one, read, "fresh", about)


def counted(engine, firm):  # noqa: F811
    with db.reading(engine) as connection:
        return len(queries.mentions(connection, firm["id"], queries.Filter()))


def alerts(engine):
    with db.reading(engine) as connection:
        return connection.execute(select(alert)).mappings().all()


@pytest.mark.parametrize("apart", ["unverified", "unconfirmed", "note"])
def test_what_stands_apart_never_counts_and_alerts_nobody(engine, firm, apart):  # noqa: F811
    write(engine, row(firm, "m1", rating=1.0, apart=apart))
    assert counted(engine, firm) == 0
    assert alerts(engine) == []
    assert exact(engine)
    with db.reading(engine) as connection:
        assert len(queries.mentions(connection, firm["id"], queries.Filter(apart=apart))) == 1


def test_a_confirmed_layout_counts_and_a_refused_one_does_not(engine, firm):  # noqa: F811
    write(
        engine,
        row(firm, "m1", rating=2.0, apart="unconfirmed"),
        row(firm, "m2", "Autre", rating=4.0, apart="unconfirmed"),
    )
    with db.writing(engine) as connection:
        store.judge(connection, firm["id"], "m1", "confirmed", "yes", "marie")
        store.judge(connection, firm["id"], "m2", "confirmed", "no", "marie")
    assert counted(engine, firm) == 1
    assert exact(engine)
    write(
        engine,
        row(firm, "m1", TEXT + " Vraiment.", rating=2.0, apart="unconfirmed", updated_at=NOW + timedelta(hours=1)),
    )
    assert counted(engine, firm) == 1, "a new edition stays confirmed"


def test_what_is_said_of_a_layout_holds_for_mails_written_in_the_same_way(engine, firm):  # noqa: F811
    waits = {"rating": 1.0, "apart": "unconfirmed"}
    write(engine, row(firm, "m1", **waits, layout="a"), row(firm, "m2", "Autre", **waits, layout="a"))
    write(engine, row(firm, "m3", "Encore", **waits, layout="b"), row(firm, "m4", "Fin", **waits, layout="b"))
    other = {**row(firm, "x1", **waits, layout="a"), "company_id": "co_other"}
    assert alerts(engine) == []
    with db.writing(engine) as connection:
        other["company_id"] = companies.add(connection, "Une autre")
        store.store(connection, [other])
        store.judge(connection, firm["id"], "m2", "confirmed", "yes", "marie")
        store.judge(connection, firm["id"], "m3", "confirmed", "no", "marie")
    assert counted(engine, firm) == 2
    assert stored(engine, "m4")["status"] == "aside"
    assert stored(engine, "x1")["apart"] == "unconfirmed", "another firm's word is its own"
    assert alerts(engine) == [], "what waited is of the past"
    write(engine, row(firm, "m5", "Du pain sec", **waits, layout="a"), row(firm, "m6", "Rien", **waits, layout="b"))
    assert counted(engine, firm) == 3
    assert [one["mention_ids"] for one in alerts(engine)] == [["m5"]], "a mail of a layout that was confirmed is news"
    assert stored(engine, "m6")["status"] == "aside"
    assert exact(engine)


def test_one_review_by_mail_and_by_its_platform_counts_once_in_its_fuller_edition(engine, firm):  # noqa: F811
    by_mail = {"platform": "google", "author": "Sandrine M.", "rating": 2.0}
    write(engine, row(firm, "mail", "Attente horrible, pain…", **by_mail))
    with db.writing(engine) as connection:
        store.judge(connection, firm["id"], "mail", "label", "neutral", "marie")
    assert len(alerts(engine)) == 1
    write(engine, row(firm, "api", source_id="so_2", **by_mail))
    assert counted(engine, firm) == 1
    assert stored(engine, "mail")["copy_of"] == "api"
    assert stored(engine, "api")["label"] == "neutral", "what was decided of the mail holds"
    assert len(alerts(engine)) == 1
    assert exact(engine)
    write(engine, row(firm, "export", source_id="so_3", **by_mail))
    assert stored(engine, "export")["copy_of"] == "api"
    assert exact(engine)


def test_rated_reviews_of_one_source_are_never_copies(engine, firm):  # noqa: F811
    same = {"platform": "google", "author": "Sandrine M.", "rating": 2.0}
    write(engine, row(firm, "a", **same), row(firm, "b", **same))
    assert counted(engine, firm) == 2


def test_one_story_in_many_papers_counts_once(engine, firm):  # noqa: F811
    with db.writing(engine) as connection:
        companies.change(connection, firm["id"], {"name": "Boulangerie Mercier", "city": "Limoges", "sector": "10.71C"})
        firm = dict(companies.get(connection, firm["id"]))
    story = "La boulangerie Mercier de Limoges remporte le concours de la meilleure baguette du Limousin cette année"
    write(engine, row(firm, "a", story, guarded=True, url="https://a.example/1"))
    write(
        engine,
        row(firm, "b", story + " (AFP)", guarded=True, url="https://b.example/1", source_id="so_2"),
        row(firm, "c", "Boulangerie Mercier à Limoges : le four à bois reprend du service après l'incendie",
            guarded=True, url="https://c.example/1"),
    )  # fmt: skip
    assert counted(engine, firm) == 2
    assert stored(engine, "b")["copy_of"] == "a"
    assert exact(engine)


def test_a_namesake_waits_apart_until_an_alias_or_a_verdict_decides_anew(engine, firm):  # noqa: F811
    with db.writing(engine) as connection:
        companies.change(connection, firm["id"], {"name": "Boulangerie Mercier", "city": "Limoges", "sector": "10.71C"})
        firm = dict(companies.get(connection, firm["id"]))
    write(
        engine,
        row(firm, "a", "Le Fournil des Halles, pain exquis", guarded=True),
        row(firm, "b", "Champagne Mercier", guarded=True),
    )
    assert counted(engine, firm) == 0
    with db.writing(engine) as connection:
        companies.change(connection, firm["id"], {"aliases": ["Le Fournil des Halles"]})
    assert homonyms.decide_due(engine) == 1
    assert counted(engine, firm) == 1
    assert stored(engine, "a")["relevance"]["reasons"][0] == "name:le fournil des halles"
    with db.writing(engine) as connection:
        store.judge(connection, firm["id"], "a", "status", "aside", "marie")
    homonyms.decide_due(engine)
    assert counted(engine, firm) == 0
    assert exact(engine)
    assert alerts(engine) == []


def test_words_go_when_their_time_is_over_and_scores_stay(engine, firm):  # noqa: F811
    kept = {"collected_at": NOW - timedelta(hours=2), "expires_at": NOW - timedelta(hours=1)}
    write(engine, row(firm, "m1", rating=1.0, author="Sandrine", **kept), row(firm, "m2"))
    before = stored(engine)
    with db.writing(engine) as connection:
        assert store.expire(connection) == 1
        assert store.expire(connection) == 0
        (noted,) = audit.of_company(connection, firm["id"])
    assert (noted["by"], noted["action"]) == ("Vigie", "words expired")
    assert noted["subject"].startswith("1 mentions of source ")
    after = stored(engine)
    assert (after["text"], after["author"], after["because"]) == ("", None, [])
    assert after["score"] == before["score"]
    assert stored(engine, "m2")["text"] == TEXT
    assert exact(engine)


def test_words_that_may_not_be_shown_are_read_and_never_stored(engine, firm):  # noqa: F811
    write(engine, row(firm, "m1", rating=1.0, author="Sandrine", expires_at=NOW), row(firm, "m2", rating=1.0))
    hidden, shown = stored(engine, "m1"), stored(engine, "m2")
    assert (hidden["text"], hidden["author"], hidden["expired"]) == ("", None, True)
    assert TEXT[:20] not in str(hidden) + str(next(one for one in alerts(engine) if "m1" in one["mention_ids"]))
    assert [one["theme"] for one in hidden["themes"]] == [one["theme"] for one in shown["themes"]]
    assert hidden["score"] == shown["score"]
    assert exact(engine)


def test_silence_is_news_only_where_somebody_used_to_speak():
    today = date(2026, 11, 24)
    five_a_week = {today - timedelta(days=21 + n): 1 for n in range(80) if n % 7 < 5}
    found = silence.silent("so", "Google", five_a_week, today)
    assert found
    assert found.facts["days"] == 21
    assert found.facts["usual"] == pytest.approx(5, abs=0.5)
    assert silence.silent("so", "Google", five_a_week, today - timedelta(days=15)) is None
    rare = {today - timedelta(days=30 * n): 1 for n in range(1, 9)}
    assert silence.silent("so", "Presse", rare, today) is None
    assert silence.silent("so", "Rien", {}, today) is None


def test_a_failing_source_is_an_alert_and_says_when_it_is_over(engine, firm):  # noqa: F811
    values = {
        "kind": "feed",
        "name": "Presse",
        "target": "https://a.example",
        "options": {},
        "cursor": {},
        "created_at": NOW,
    }
    with db.writing(engine) as connection:
        connection.execute(source.insert().values(
            id="so_1", company_id=firm["id"], polled_at=NOW, error="it refuses us (HTTP 403)",
            failing_since=NOW - timedelta(days=2), **values,
        ))  # fmt: skip
        connection.execute(update(due_table).where(due_table.c.kind == due.SOURCES).values(due_at=NOW - timedelta(1)))
    assert watch.look_due(engine) >= 1
    (raised,) = alerts(engine)
    assert (raised["rule"], raised["facts"]["why"], raised["resolved_at"]) == ("source_failing", "failing", None)
    with db.writing(engine) as connection:
        connection.execute(update(source).values(error=None, failing_since=None))
        connection.execute(update(due_table).where(due_table.c.kind == due.SOURCES).values(due_at=NOW - timedelta(1)))
    watch.look_due(engine)
    (raised,) = alerts(engine)
    assert raised["resolved_at"] is not None


def test_counts_is_what_contributes(firm):  # noqa: F811
    one = row(firm, "m1")
    assert rollups.counts(one)
    assert rollups.contribution({**one, "apart": "copy"}) == {}
