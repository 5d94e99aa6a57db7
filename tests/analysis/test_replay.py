"""The year replayed: what would have been said, and which of it was for nothing."""

from datetime import date, timedelta

from starlette.testclient import TestClient

from analysis import replay
from analysis.alerts import DROP, History
from analysis.rollups import Sums
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import enter, hear
from vigie import clock, db
from vigie.cli import work

LAST = date(2026, 11, 23)
FIRST = LAST - timedelta(days=364)
EMPTY = Sums()


def history_of(negative_on):
    """A mention a day for fifteen months; `negative_on(day)` says whether it is a complaint."""
    days = {}
    for n in range(450):
        day = LAST - timedelta(days=n)
        bad = int(negative_on(day))
        days[day] = EMPTY._replace(mentions=1, negative=bad, positive=1 - bad)
    return History({"so_1": days})


def is_bad_between(first, last):
    return lambda day: first <= day <= last or day.toordinal() % 12 == 0


def test_a_drop_that_lasts_is_told_with_how_early_it_was_seen():
    bad = is_bad_between(date(2026, 3, 1), date(2026, 5, 15))
    one, *_ = replay.warned(history_of(bad), FIRST, LAST)
    assert (one.finding.rule, one.outcome) == (DROP, "lasted")
    assert date(2026, 3, 5) < one.finding.day < date(2026, 4, 1)
    assert one.finding.day + timedelta(days=one.early) <= date(2026, 5, 15)
    assert one.early > 3


def test_a_drop_that_passes_is_confessed_as_a_false_alarm():
    bad = is_bad_between(date(2026, 3, 1), date(2026, 3, 12))
    (one,) = replay.warned(history_of(bad), FIRST, LAST)
    assert (one.finding.rule, one.outcome, one.early) == (DROP, "passed", 0)
    assert one.negative < one.mentions / 4


def test_a_drop_of_yesterday_has_no_outcome_yet():
    bad = is_bad_between(LAST - timedelta(days=12), LAST)
    (one,) = replay.warned(history_of(bad), FIRST, LAST)
    assert one.outcome == "unknown"


def test_a_calm_year_warns_of_nothing():
    assert list(replay.warned(history_of(lambda day: day.toordinal() % 12 == 0), FIRST, LAST)) == []


def test_the_page_tells_of_imported_reviews_and_raises_nothing(house, firm):
    noon = clock.now().replace(hour=12, minute=0) - timedelta(days=200)
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    enter(client, house)
    assert "Rien n’a été entendu" in client.get(f"/companies/{firm['id']}/year").text
    found = [Found(text=f"Attente pénible, numéro {n}.", rating=1, published_at=noon) for n in range(5)]
    hear(house, firm, *found, Found(text="Très bien.", rating=5, published_at=noon), notify="never")
    old = Found(text="Affreux.", rating=1, published_at=noon - timedelta(days=300))
    hear(house, firm, old, notify="never")
    with db.reading(house.engine) as connection:
        told = replay.year(connection, firm["id"], clock.now().date())
    assert (told.mentions, told.unhappy, told.crowded_days, told.unanswered) == (6, 3, 1, 5)
    page = client.get(f"/companies/{firm['id']}/year").text
    assert "3 alertes" in page
    assert "Attente pénible" in page
    assert "Affreux" not in page
    assert "Aucune alerte ne vous attend" in client.get(f"/companies/{firm['id']}/alerts").text
