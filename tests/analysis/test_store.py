"""Rollups equal a recount after whatever happens to mentions, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from analysis import queries, reading, rereading, store
from analysis.report import Week
from analysis.rollups import Sums
from ingest import sources_store
from vigie import clock, companies, db, due
from vigie.db.tables import alert, mention, outbox, rollup, rollup_pending, webhook
from vigie.db.tables import due as timers
from vigie.errors import InvalidInputError, NotFoundError
from vigie.events import Mention, Origin

NOW = datetime.now(UTC)
ORIGIN = Origin("so_1", "push", "API")
TEXTS = ("Excellent pain, accueil charmant.", "Horrible, très mauvais service, attente nulle.", "Le pain.", "")


@pytest.fixture
def firm(engine):
    with db.writing(engine) as connection:
        return dict(companies.get(connection, companies.add(connection, "Boulangerie")))


def row(firm, mention_id="m1", text=TEXTS[0], *, rating=None, edition=0, days=1, notify="fresh", source="so_1"):
    one = Mention(
        id=mention_id,
        text=text,
        rating=rating,
        published_at=NOW - timedelta(days=days),
        collected_at=NOW,
        updated_at=NOW + timedelta(minutes=edition),
    )
    read = reading.read(text, rating=rating)
    return store.row_of(firm, Origin(source, "push", "API"), one, read, notify)


def write(engine, *rows):
    with db.writing(engine) as connection:
        store.store(connection, rows)


def exact(engine):
    with db.reading(engine) as connection:
        kept, counted = store.recount(connection)
    return kept == counted


def stored(engine, mention_id="m1"):
    with db.reading(engine) as connection:
        return connection.execute(select(mention).where(mention.c.id == mention_id)).mappings().one()


steps = st.one_of(
    st.tuples(
        st.just("store"),
        st.lists(
            st.tuples(
                st.sampled_from(["m1", "m2", "m3", "m4"]),
                st.sampled_from(TEXTS),
                st.sampled_from([None, 1.0, 3.0, 4.25, 5.0]),
                st.integers(0, 5),
                st.integers(0, 40),
            ),
            max_size=6,
        ),
    ),
    st.tuples(
        st.just("judge"), st.sampled_from(["m1", "m2"]),
        st.sampled_from([("label", "negative"), ("label", "positive"), ("status", "aside"), ("status", "new"), ("theme:service", "neutral")]),
    ),
    st.tuples(st.just("reread"), st.sampled_from(["m1", "m3"]), st.sampled_from(TEXTS), st.sampled_from([rollup, rollup_pending])),
    st.just(("switch",)),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=8))
def test_rollups_equal_a_recount_whatever_happens(engine, firm, steps):
    for name, *arguments in steps:
        with db.writing(engine) as connection:
            if name == "store":
                given_rows = [
                    row(firm, one, text, rating=rating, edition=edition, days=days)
                    for one, text, rating, edition, days in arguments[0]
                ]
                store.store(connection, given_rows)
            elif name == "judge":
                try:
                    store.judge(connection, firm["id"], arguments[0], *arguments[1], by="test")
                except NotFoundError:
                    continue
            elif name == "reread":
                store.reread(
                    connection, {arguments[0]: store.read_fields(reading.read(arguments[1]))}, into=arguments[2]
                )
            else:
                store.switch_over(connection, firm["id"])
        assert exact(engine)


def test_the_same_mention_again_changes_nothing(engine, firm):
    write(engine, row(firm))
    before = stored(engine)
    write(engine, row(firm), row(firm))
    assert stored(engine) == before
    assert exact(engine)


def test_a_later_edition_replaces_and_an_older_one_does_not(engine, firm):
    write(engine, row(firm, text="Bon", edition=1))
    write(engine, row(firm, text="Très mauvais", edition=2, rating=1.0))
    write(engine, row(firm, text="Bon", edition=1))
    assert stored(engine)["text"] == "Très mauvais"
    assert stored(engine)["label"] == "negative"
    assert exact(engine)


def test_a_judgement_outlives_a_new_edition_and_a_re_analysis(engine, firm):
    write(engine, row(firm, text=TEXTS[1], rating=1.0))
    with db.writing(engine) as connection:
        store.judge(connection, firm["id"], "m1", "label", "positive", by="marie")
    write(engine, row(firm, text=TEXTS[1] + " !", rating=1.0, edition=3))
    with db.writing(engine) as connection:
        store.reread(connection, {"m1": store.read_fields(reading.read(TEXTS[1]))})
    assert stored(engine)["label"] == "positive"
    assert exact(engine)


def test_what_is_set_aside_no_longer_counts_and_can_come_back(engine, firm):
    write(engine, row(firm))
    with db.writing(engine) as connection:
        store.judge(connection, firm["id"], "m1", "status", "aside", by="marie")
        kept, _ = store.recount(connection)
        assert kept == {}
        store.judge(connection, firm["id"], "m1", "status", "new", by="marie")
    assert exact(engine)


def test_a_firm_cannot_judge_anothers_mention(engine, firm):
    write(engine, row(firm))
    with db.writing(engine) as connection:
        other = companies.add(connection, "Autre")
        with pytest.raises(NotFoundError):
            store.judge(connection, other, "m1", "label", "positive", by="x")
        with pytest.raises(InvalidInputError):
            store.judge(connection, firm["id"], "m1", "label", "great", by="x")


def alerts_of(engine, firm):
    with db.reading(engine) as connection:
        return queries.alerts(connection, firm["id"])


def test_a_negative_mention_alerts_once_and_the_past_is_silent(engine, firm):
    bad = {"text": TEXTS[1], "rating": 1.0}
    write(engine, row(firm, "new", **bad), row(firm, "old", days=8, **bad), row(firm, "first", notify="never", **bad))
    write(engine, row(firm, "new", **bad))
    assert [one["mention_ids"] for one in alerts_of(engine, firm)] == [["new"]]
    write(engine, row(firm, "wanted", days=300, notify="always", **bad))
    assert len(alerts_of(engine, firm)) == 2


def test_a_bad_day_is_told_in_four_alerts_not_twenty(engine, firm):
    write(engine, *(row(firm, f"m{n}", TEXTS[1], rating=1.0) for n in range(12)))
    write(engine, *(row(firm, f"n{n}", TEXTS[1], rating=1.0) for n in range(8)))
    found = alerts_of(engine, firm)
    assert len(found) == 4
    assert sum("more_than" in one["facts"] for one in found) == 1


def test_an_alert_is_enqueued_for_each_webhook_under_one_event_id(engine, firm):
    with db.writing(engine) as connection:
        for n in range(2):
            connection.execute(
                webhook.insert().values(
                    id=f"wh{n}",
                    company_id=firm["id"],
                    url="https://x",
                    secret=b"",
                    events=["alert.raised"],
                    created_at=NOW,
                )
            )
    write(engine, row(firm, text=TEXTS[1], rating=1.0))
    write(engine, row(firm, text=TEXTS[1], rating=1.0))
    with db.reading(engine) as connection:
        sent = connection.execute(select(outbox)).all()
        alert_id = connection.scalar(select(alert.c.id))
    assert {one.address for one in sent} == {"wh0", "wh1"}
    assert {one.event_id for one in sent} == {alert_id}


def test_only_news_makes_the_windows_be_looked_at(engine, firm):
    def looks():
        with db.reading(engine) as connection:
            return connection.execute(select(timers).where(timers.c.kind == "alerts")).all()

    write(engine, row(firm, notify="never"))
    assert looks() == []
    write(engine, row(firm, "m2", days=3), row(firm, "m3", days=1))
    (look,) = looks()
    assert look.since == row(firm, "m2", days=3)["day"]


def test_the_latest_day_is_the_one_of_the_firms_latest_mention_whenever_it_was_stored(engine, firm):
    def latest(company_id):
        with db.reading(engine) as connection:
            return queries.latest_day(connection, company_id)

    assert latest(firm["id"]) is None
    write(engine, row(firm, "m1", days=3), row(firm, "m2", days=1), row(firm, "m3", days=9))
    write(engine, row(firm, "m4", days=5))
    assert latest(firm["id"]) == row(firm, "m2", days=1)["day"]
    assert latest("co_another") is None


def test_trends_and_themes_are_read_as_they_were_written(engine, firm):
    write(
        engine,
        row(firm, "a", "Accueil charmant, pain excellent.", rating=5.0, days=2),
        row(firm, "b", "Accueil horrible.", rating=1.0, days=2, source="so_2"),
    )
    day = (NOW - timedelta(days=2)).date()
    first, last = day - timedelta(days=1), day + timedelta(days=1)
    with db.reading(engine) as connection:
        every = queries.daily(connection, firm["id"], first, last)
        one = queries.daily(connection, firm["id"], first, last, source_id="so_2")
        themes = queries.themes(connection, firm["id"], first, last)
    assert sum(sums.mentions for sums in every.values()) == 2
    assert sum(sums.negative for sums in one.values()) == 1
    assert themes["service"].mentions == 2
    assert themes["product"].positive == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (queries.Filter(sentiment="negative"), {"b"}),
        (queries.Filter(rating=5.0), {"a"}),
        (queries.Filter(theme="product"), {"a"}),
        (queries.Filter(q="HORRIBLE"), {"b"}),
        (queries.Filter(q="100%"), set()),
        (queries.Filter(q="l'accueil"), {"b"}),
        (queries.Filter(q="accue*"), {"b"}),
        (queries.Filter(q="accue"), set()),
        (queries.Filter(q="excellents pains"), {"a"}),
        (queries.Filter(q="excellent horrible"), set()),
        (queries.Filter(source_id="so_2"), {"b"}),
        (queries.Filter(last=NOW.date() - timedelta(days=3)), {"b"}),
    ],
)
def test_mentions_are_found_by_filter(engine, firm, wanted, expected):
    write(
        engine,
        row(firm, "a", "Pain excellent.", rating=5.0),
        row(firm, "b", "Accueil horrible.", rating=1.0, days=5, source="so_2"),
    )
    with db.reading(engine) as connection:
        assert {one["id"] for one in queries.mentions(connection, firm["id"], wanted)} == expected


def test_pages_by_key_miss_and_repeat_nothing(engine, firm):
    write(engine, *(row(firm, f"m{n:02d}", days=n % 3) for n in range(25)))
    seen, after = [], None
    with db.reading(engine) as connection:
        while page := queries.mentions(connection, firm["id"], queries.Filter(), limit=7, after=after):
            seen += [one["id"] for one in page]
            after = page[-1]["published_at"], page[-1]["id"]
    assert len(seen) == len(set(seen)) == 25


def test_a_day_and_a_week_are_the_firms_own():
    sunday_night = datetime(2026, 10, 25, 23, 30, tzinfo=UTC)  # already Monday in Paris, after the clocks went back
    assert Week.of(clock.local_day(sunday_night, "Europe/Paris")).name == "2026-W44"
    assert Week.of(clock.local_day(sunday_night - timedelta(hours=1), "Europe/Paris")).name == "2026-W43"


@pytest.mark.parametrize("timezone", ["Europe/Paris", "America/Guadeloupe", "Pacific/Tahiti"])
def test_a_day_without_an_hour_is_that_day_everywhere(timezone):
    bare = datetime(2026, 11, 20, tzinfo=UTC)
    assert clock.day_published(bare, timezone).day == 20
    assert clock.day_published(bare + timedelta(hours=2), timezone) == clock.local_day(
        bare + timedelta(hours=2), timezone
    )


def test_what_an_older_model_read_is_read_again_and_trends_change_when_all_of_a_firm_is(engine, firm, monkeypatch):
    write(engine, *(row(firm, f"m{number}") for number in range(5)))
    older = store.read_fields(reading.read(TEXTS[1])) | {"analyser": "older"}
    with db.writing(engine) as connection:
        store.judge(connection, firm["id"], "m1", "label", "neutral", "marie")
        store.reread(connection, {f"m{number}": older for number in range(4)})
    assert rereading.ask(engine) == 1
    trends = []
    monkeypatch.setattr(rereading, "_BATCH", 3)
    for expected in (3, 1, None):
        trends.append(sums(engine, firm))
        assert rereading.advance(engine) == expected
        assert exact(engine)
    good, bad = (round(1_000 * reading.read(text).score) for text in TEXTS[:2])
    assert trends[0] == trends[1] == Sums(5, negative=3, neutral=1, positive=1, score_sum=4 * bad + good)
    assert trends[2] == sums(engine, firm) == Sums(5, neutral=1, positive=4, score_sum=5 * good)
    assert {stored(engine, f"m{number}")["analyser"] for number in range(5)} == {reading.ANALYSER}
    assert rereading.ask(engine) == 0


def test_a_source_that_goes_with_its_mentions_leaves_nothing_of_them(engine, firm):
    with db.writing(engine) as connection:
        gone = sources_store.named(connection, firm["id"], "push", "API")["id"]
    write(engine, row(firm, "m1", source=gone), row(firm, "m2"))
    with db.writing(engine) as connection:
        fields = store.read_fields(reading.read(TEXTS[1]))
        store.reread(connection, {"m1": fields, "m2": fields}, into=rollup_pending)
        sources_store.remove(connection, gone, with_mentions=True)
        store.switch_over(connection, firm["id"])
        assert connection.scalars(select(mention.c.id)).all() == ["m2"]
        kept, _ = store.recount(connection)
    assert {key.source_id for key in kept} == {"so_1"}
    assert exact(engine)


def sums(engine, firm):
    with db.reading(engine) as connection:
        (only,) = connection.execute(
            select(rollup).where(rollup.c.company_id == firm["id"], rollup.c.theme == "")
        ).mappings()
    return Sums(*(only[name] for name in Sums._fields))


def test_a_worker_that_comes_back_too_late_reads_nothing_anew(engine, firm, monkeypatch):
    write(engine, row(firm))
    with db.writing(engine) as connection:
        connection.execute(update(mention).values(analyser="older"))
    rereading.ask(engine)
    claim = due.claim

    def claimed_again(engine, kind, **given):
        mine = claim(engine, kind, **given)
        with db.writing(engine) as connection:
            due.schedule(connection, kind, [firm["id"]])
        return mine

    monkeypatch.setattr(rereading.due, "claim", claimed_again)
    assert rereading.advance(engine) == 0
    assert stored(engine)["analyser"] == "older"
    monkeypatch.setattr(rereading.due, "claim", claim)
    assert rereading.advance(engine) == 1
