"""The reputation and its changes: what is said, and that small numbers say nothing."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import chances, report, reputation
from analysis.rollups import Sums
from benchmarks import simulation

TODAY = date(2026, 11, 22)


def rated(*stars):
    return Sums(len(stars), rated=len(stars), rating_sum=sum(100 * one for one in stars),
                rating_squares=sum(10_000 * one**2 for one in stars))  # fmt: skip


def opinions(first, last, of, negative):
    """So many opinions, one a day from `first` days ago, of which some are unhappy."""
    step = max(1, (first - last) // of)
    return {TODAY - timedelta(days=first - n * step): Sums(1, negative=int(n < negative)) for n in range(of)}


def test_a_few_reviews_conclude_nothing_and_many_say_how_sure():
    few = reputation.score({TODAY: rated(5, 5, 5, 5)}, TODAY)
    assert (few.mean, few.interval) == (5.0, None)
    assert reputation.score({TODAY: rated(5, 5, 5, 5, 5)}, TODAY).interval.low < 4.6, (
        "five equal ones are not certainty"
    )
    many = reputation.score({TODAY: rated(*[3, 5] * 200)}, TODAY)
    assert many.mean == 4.0
    assert many.interval.high - many.interval.low <= 0.3


def test_a_review_of_six_months_ago_weighs_half_and_one_of_last_year_nothing():
    old, recent = TODAY - timedelta(days=182), TODAY
    later = reputation.score({old: rated(*[1] * 50), recent: rated(*[5] * 50)}, TODAY)
    assert later.mean == pytest.approx((50 * 5 + 25 * 1) / 75, abs=0.05)
    assert reputation.score({TODAY - timedelta(days=365): rated(1, 1, 1, 1, 1, 1)}, TODAY).reviews == 0


@given(st.lists(st.integers(1, 5), min_size=5, max_size=80), st.integers(0, 300))
def test_one_more_star_never_lowers_the_score_and_the_interval_holds_it(stars, age):
    day = TODAY - timedelta(days=age)
    one = reputation.score({day: rated(*stars)}, TODAY)
    assert one.interval.low <= one.mean <= one.interval.high
    better = reputation.score({day: rated(*[min(5, star + 1) for star in stars])}, TODAY)
    assert better.mean >= one.mean


@given(st.lists(st.integers(1, 5), min_size=5, max_size=40))
def test_twice_as_many_of_the_same_are_surer(stars):
    one, two = (reputation.score({TODAY: rated(*stars * times)}, TODAY).interval for times in (1, 2))
    assert two.high - two.low <= one.high - one.low + 0.02


@given(st.integers(100, 499), st.integers(1, 5_000), st.sampled_from((3.0, 4.0, 4.5, 4.8)))
def test_as_many_five_stars_as_said_make_the_platform_show_it(hundredths, count, target):
    """By doing it: a true average that the platform rounds, so many five-star reviews later, is shown as the target."""
    true = hundredths / 100
    shown = round(true + 1e-9, 1)
    needed = reputation.five_stars_needed(shown, count, target)
    if needed is None:
        assert shown >= target - 0.05
        return
    fewest, most = needed
    assert (true * count + 5 * most) / (count + most) >= target - 0.05 - 1e-9
    best = min(5.0, shown + 0.05)
    assert fewest == 1 or (best * count + 5 * (fewest - 1)) / (count + fewest - 1) < target - 0.05 + 1e-9


def test_five_stars_needed_takes_the_rounding_into_account():
    assert reputation.five_stars_needed(4.3, 100, 4.5) == (19, 37)
    assert reputation.five_stars_needed(4.27, 100, 4.5) == (44, 46)
    assert reputation.five_stars_needed(4.5, 100, 4.5) is None
    assert reputation.next_shown(4.6) is None


def test_no_change_is_asserted_by_chance_and_a_real_one_is_told_once():
    even = opinions(364, 0, 90, 0)
    assert report.changes({"waiting": even}, TODAY) == []
    turned = {**opinions(364, 92, 60, 2), **opinions(90, 8, 30, 12)}
    (told,) = report.changes({"waiting": turned}, TODAY)
    assert (told["theme"], told["verdict"], told["negative"], told["fresh"]) == ("waiting", "worse", 12, False)
    assert told["difference"]["low"] > 0.1


def test_before_and_after_a_day_are_compared_with_their_doubt():
    works = TODAY - timedelta(days=60)
    days = {**opinions(120, 62, 29, 9), **opinions(58, 0, 29, 0)}
    found = reputation.around(days, works, 9)
    assert (found.verdict, found.negative_before, found.negative) == ("better", 9, 0)
    assert found.difference.high < 0
    assert reputation.around(days, TODAY - timedelta(days=900), 9).verdict == "unknown"


def test_the_week_of_a_change_is_found_and_none_where_nothing_changed():
    days = {TODAY - timedelta(days=n): Sums(1, negative=int(n % (2 if n <= 181 else 18) == 0)) for n in range(364)}
    ((monday, compared),) = reputation.change_points(days)
    assert abs((monday - (TODAY - timedelta(days=181))).days) <= 7
    assert compared.verdict == "worse"
    assert (
        reputation.change_points({TODAY - timedelta(days=n): Sums(1, negative=int(n % 5 == 0)) for n in range(364)})
        == []
    )


@pytest.mark.slow
def test_simulated_firms_find_the_truth_within_the_interval_and_hear_of_no_change_that_is_none():
    lines = simulation.lines(450)
    held = float(next(line for line in lines if "**all**" in line).split("**")[3].split(" %")[0])
    assert 87 <= held <= 93
    told = [int(line.split(":")[0][2:]) for line in lines if line.startswith("- ")]
    assert max(told) <= 2


def test_wilsons_and_newcombes_intervals_are_the_published_ones():
    interval = chances.wilson(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)  # Newcombe 1998, table I
    difference = chances.newcombe(56, 70, 48, 80)
    assert (round(difference.low, 4), round(difference.high, 4)) == (0.0524, 0.3339)  # Newcombe 1998 (b), table II


def test_fishers_test_is_the_textbooks():
    assert round(chances.fisher(3, 4, 1, 4), 4) == 0.2429  # the lady tasting tea


@given(st.integers(0, 40), st.floats(0.1, 30))
def test_a_poisson_tail_falls_with_the_count(count, mean):
    assert 0 <= chances.poisson_tail(count + 1, mean) <= chances.poisson_tail(count, mean) <= 1
