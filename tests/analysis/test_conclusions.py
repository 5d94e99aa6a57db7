"""What is concluded from texts and counts: pure functions."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import alerts, language, reading, report
from analysis.alerts import History
from analysis.report import Week
from analysis.rollups import Sums
from analysis.themes import SHIPPED, Vocabulary, trade_of
from analysis.tokens import sentences
from vigie.errors import InvalidInputError

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Très bon accueil, je recommande", "fr"), ("The staff was lovely", "en"), ("Nul", "fr"), ("Great!", "en"),
        ("c'est pas terrible", "fr"), ("not bad at all", "en"), ("Pain excellent", "fr"),
    ],
)  # fmt: skip
def test_french_and_english_are_told_apart(text, expected):
    assert language.detect(text) == expected


def test_sentences_are_cut_where_they_end():
    assert sentences("Bon pain. Mauvais accueil ! 20 min d'attente...\nMerci") == [
        "Bon pain.", "Mauvais accueil !", "20 min d'attente...", "Merci",
    ]  # fmt: skip
    assert sentences("  ") == []


@pytest.mark.parametrize(
    ("text", "spoken", "theme"),
    [
        ("Les serveuses étaient souriantes", "fr", "service"), ("Trop cher pour ce que c'est", "fr", "price"),
        ("Une heure d'attente", "fr", "waiting"), ("Impossible de se garer", "fr", "location"),
        ("The waiters were rude", "en", "service"), ("We waited forever", "en", "waiting"), ("Overpriced", "en", "price"),
        ("Remboursement refusé", "fr", "aftercare"), ("Les toilettes étaient sales, hygiène douteuse", "fr", "cleanliness"),
    ],
)  # fmt: skip
def test_themes_are_found_on_lemmas(text, spoken, theme):
    assert theme in SHIPPED.named(text, spoken)


def test_a_trade_has_words_of_its_own_and_a_host_may_add_others(tmp_path):
    assert trade_of("96.02A") == "hairdresser"
    assert trade_of("47.91A") == "online_shop"
    assert trade_of(None) is None
    assert "product" not in SHIPPED.named("Mon balayage est superbe", "fr")
    assert "product" in SHIPPED.named("Mon balayage est superbe", "fr", "hairdresser")
    (tmp_path / "themes_fr.toml").write_text('location = "funiculaire"', encoding="utf-8")
    (tmp_path / "restaurant.toml").write_text('[fr]\nservice = "tablee"', encoding="utf-8")
    own = Vocabulary(tmp_path)
    assert own.named("Le funiculaire est à côté", "fr") >= {"location"}
    assert own.named("Belle tablée", "fr", "restaurant") == {"service"}
    assert SHIPPED.named("Belle tablée", "fr", "restaurant") == {"ambience"}


@pytest.mark.parametrize("words", ["service = ", 'comfort = "bed"', "[fr"])
def test_a_hosts_file_that_is_none_is_told_at_the_start(tmp_path, words):
    (tmp_path / "themes_fr.toml").write_text(words, encoding="utf-8")
    with pytest.raises(InvalidInputError):
        Vocabulary(tmp_path)


@pytest.mark.parametrize(
    ("text", "rating", "contradicts"),
    [
        ("Horrible, personnel odieux, à fuir absolument !", 5, True), ("Accueil parfait, pain délicieux, je recommande !", 1, True),
        ("Accueil parfait, pain délicieux, je recommande !", 5, False), ("", 1, False), ("Correct.", 1, False),
        ("Horrible, personnel odieux, à fuir absolument !", None, False),
    ],
)  # fmt: skip
def test_words_that_contradict_the_stars_are_flagged(text, rating, contradicts):
    assert reading.read(text, rating=rating).contradicts is contradicts


def test_a_rating_decides_the_label_and_the_words_stay():
    read = reading.read("Pain excellent.", rating=1.0)
    assert read.label == "negative"
    assert reading.read("", rating=5.0).label == "positive"
    assert reading.read("Horrible service, truly awful.").label == "negative"


@given(st.text(max_size=500), st.none() | st.floats(0, 5))
def test_any_text_is_read(text, rating):
    read = reading.read(text, rating=rating)
    assert -1 <= read.score <= 1
    assert 0 <= read.confidence <= 1


def history(weeks=30, a_week=2, negative=0):
    """A firm that hears `a_week` mentions a week, listened to all the while."""
    days = {}
    for n in range(weeks * 7):
        if n % 7 < a_week:
            days[TODAY - timedelta(days=n + 7)] = Sums(mentions=1, negative=int(n % 7 < negative))
    return History({"s": days}, {"s": TODAY - timedelta(weeks=weeks + 1)})


def burst(history, count, *, negative=0, days=7):
    for n in range(count):
        day = TODAY - timedelta(days=n % days)
        sums = history.days["s"].get(day, Sums())
        history.days["s"][day] = sums.plus(Sums(mentions=1, negative=int(n < negative)))
    return history


def test_a_burst_is_unusual_and_says_what_is_usual():
    found = alerts.unusual_volume(burst(history(), 12), TODAY)
    assert (found.facts["mentions"], found.facts["usual"]) == (12, 2.0)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_few_more_than_usual_are_no_news(count):
    assert alerts.unusual_volume(burst(history(), count), TODAY) is None


def test_a_firm_heard_for_three_weeks_has_no_usual():
    young = history(weeks=30)
    young.listening_since["s"] = TODAY - timedelta(weeks=3)
    assert alerts.unusual_volume(burst(young, 30), TODAY) is None


def test_a_source_added_yesterday_is_no_burst():
    both = history()
    both.days["new"] = {TODAY: Sums(mentions=40)}
    both.listening_since["new"] = TODAY - timedelta(days=1)
    assert alerts.unusual_volume(both, TODAY) is None


def test_a_drop_needs_numbers():
    assert alerts.sentiment_drop(burst(history(), 8, negative=6), TODAY).facts["negative"] == 6
    assert alerts.sentiment_drop(burst(history(a_week=1), 2, negative=2), TODAY) is None
    assert alerts.sentiment_drop(burst(history(a_week=3, negative=2), 8, negative=6), TODAY) is None, "as bad as ever"


def test_one_burst_raises_one_alert():
    found = alerts.over_time(burst(history(), 20), TODAY - timedelta(days=6), TODAY + timedelta(days=6), {})
    assert [one.rule for one in found] == [alerts.VOLUME]
    again = alerts.over_time(burst(history(), 20), TODAY - timedelta(days=6), TODAY, {alerts.VOLUME: {found[0].day}})
    assert again == []


def test_quiet_years_raise_nothing():
    assert alerts.over_time(history(weeks=100), TODAY - timedelta(weeks=90), TODAY - timedelta(days=8), {}) == []


def mention(n=1, **changes):
    theme = {"theme": "waiting", "label": "negative", "score": -0.5, "quote": "vingt minutes d'attente"}
    return {
        "id": f"m{n}", "title": None, "text": "Pain bon, vingt minutes d'attente.", "author": "Léa", "rating": 2.0, "url": None,
        "label": "negative", "score": -0.4, "day": "2026-11-18", "source_id": "s", "reply": None, "status": "new", "platform": None,
        "themes": [theme], **changes,
    }  # fmt: skip


def facts(mentions, days=None, **more):
    firm = {"name": "Boulangerie", "city": "Limoges", "timezone": "Europe/Paris"}
    week = Week.of(date(2026, 11, 18))
    return report.facts(firm, week, days or {}, more.get("since"), mentions, more.get("late", ()), ())


def test_a_week_is_monday_to_sunday():
    week = Week.named("2026-W47")
    assert (week.first, week.last) == (date(2026, 11, 16), date(2026, 11, 22))
    assert week.before().name == "2026-W46"
    assert Week.of(date(2027, 1, 1)).name == "2026-W53"
    for bad in ("2026-47", "W47", "2026-W99", "x"):
        with pytest.raises(ValueError):
            Week.named(bad)


def test_two_complaints_of_one_subject_make_an_action_and_one_does_not():
    one, two = facts([mention(1)])["actions"], facts([mention(1), mention(2)])["actions"]
    assert [action["kind"] for action in one] == ["reply"]
    assert two[0]["kind"] == "theme"
    assert (two[0]["theme"], two[0]["count"]) == ("waiting", 2)


def test_there_are_three_actions_at_most_and_none_is_made_up():
    assert len(facts([mention(n) for n in range(9)])["actions"]) == 3
    assert facts([])["actions"] == []
    answered = facts([mention(reply="Merci, nous renforçons le samedi.")])
    assert answered["actions"] == []


def test_late_mentions_are_marked_and_do_not_count_for_the_week():
    found = facts([], late=[mention(5, day="2026-11-02")])
    assert (found["mentions"], [one["late"] for one in found["list"]]) == (0, [True])


def test_usual_needs_four_weeks():
    days = {date(2026, 11, 15) - timedelta(days=7 * n): Sums(mentions=3) for n in range(12)}
    assert facts([], days, since=date(2026, 1, 1))["usual"] == 3.0
    assert facts([], days, since=date(2026, 11, 1))["usual"] is None
