"""What a firm's ratings and opinions amount to, and whether they changed, with the doubt of small numbers. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from analysis.chances import Z90, Interval, fisher, newcombe
from analysis.rollups import Sums
from analysis.trends import mean_rating, period_start, total

FEW = 5  # fewer reviews than this say nothing
YEAR = 365  # days that count
HALF_LIFE = 182  # days after which a review weighs half

# Before the first review: two reviews' worth of one to five stars, all as likely.
_PRIOR, _PRIOR_MEAN, _PRIOR_SQUARE = 2.0, 3.0, 11.0

_RECENT, _BEFORE = 91, 274  # days
_LEAST = 8  # opinions in each of the two periods
_VERDICT_CHANCE = 0.001  # asked every week of every theme: docs/simulation.md shows what it comes to in a year
_CHANGE_CHANCE = 0.01  # of a series, however long
_FIVE = 5.0

Verdict = Literal["better", "worse", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Score:
    """The reputation on five; with fewer than five reviews their plain mean, and no `interval`: too few to conclude."""

    mean: float | None
    reviews: int
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The share of unhappy opinions before and since: how many of how many, and the 90 % interval of the difference."""

    verdict: Verdict
    negative: int
    of: int
    negative_before: int
    of_before: int
    difference: Interval


def score(days: Mapping[date, Sums], last: date) -> Score:
    """The Bayesian average of a year's ratings, a review's weight halving every six months; its 90 % interval.

    A Dirichlet prior over the stars of two reviews' weight (Gelman et al., *Bayesian Data Analysis*, 3rd ed., §3.4;
    for stars: Miller 2014, *Ranking Items With Star Ratings*) meets the weighted ratings, whose weights are scaled to
    the sample that they are worth, (Σw)² / Σw² (Kish 1965). With A the sum of both weights, m and s the mean rating and
    the mean square, the posterior mean is m and its variance (s - m²) / (A + 1).
    """
    year = {day: sums for day, sums in days.items() if 0 <= (last - day).days < YEAR and sums.rated}
    together = total(year.values())
    if together.rated < FEW:
        return Score(mean_rating(together), together.rated, None)
    weights = {day: 0.5 ** ((last - day).days / HALF_LIFE) for day in year}
    weighed = sum(weights[day] * sums.rated for day, sums in year.items())
    worth = weighed**2 / sum(weights[day] ** 2 * sums.rated for day, sums in year.items())
    scale, weight = worth / weighed, worth + _PRIOR
    stars = scale * sum(weights[day] * sums.rating_sum for day, sums in year.items()) / 100
    squares = scale * sum(weights[day] * sums.rating_squares for day, sums in year.items()) / 10_000
    mean = (stars + _PRIOR * _PRIOR_MEAN) / weight
    variance = (squares + _PRIOR * _PRIOR_SQUARE) / weight - mean**2
    half = Z90 * math.sqrt(max(0.0, variance) / (weight + 1))
    interval = Interval(round(max(0.0, mean - half), 2), round(min(_FIVE, mean + half), 2))
    return Score(round(mean, 2), together.rated, interval)


def five_stars_needed(average: float, count: int, target: float) -> tuple[int, int] | None:
    """How many reviews of five stars in a row would make a platform show `target`, at the fewest and at the most.

    `average` is what the platform shows of `count` reviews, rounded to as many digits as it has (one at least), so
    that the true one lies half a step to either side. None when it is shown already, or never will be.
    """
    step = 10.0 ** -max(1, len(f"{average:.3f}".rstrip("0").partition(".")[2]))
    wanted = target - step / 2
    if count < 1 or average >= wanted or wanted >= _FIVE:
        return None
    highest, lowest = min(_FIVE, average + step / 2), max(0.0, average - step / 2)
    fewest, most = (math.ceil(count * (wanted - true) / (_FIVE - wanted) - 1e-9) for true in (highest, lowest))
    return max(1, fewest), max(1, most)


def next_shown(average: float) -> float | None:
    """The next half star that customers notice, from three on; None beyond 4.5."""
    return next((target for target in (3.0, 3.5, 4.0, 4.5) if target > average), None)


def compare(since: Sums, before: Sums, chance: float = _CHANGE_CHANCE) -> Comparison:
    """Whether unhappy opinions are rarer or more frequent than before: Fisher's exact test, either side at `chance`/2.

    The interval of the difference is Newcombe's (1998).
    """
    bad, n, was_bad, was = since.negative, since.mentions, before.negative, before.mentions
    verdict: Verdict = "unknown"
    if n >= _LEAST and was >= _LEAST:
        worse = fisher(bad, n, was_bad, was) <= chance / 2
        better = fisher(was_bad, was, bad, n) <= chance / 2
        verdict = "worse" if worse else "better" if better else "none"
    return Comparison(verdict, bad, n, was_bad, was, newcombe(bad, n, was_bad, was, Z90))


def recently(days: Mapping[date, Sums], last: date) -> Comparison:
    """The last three months against the nine before."""
    first = last - timedelta(days=_RECENT - 1)
    since = _between(days, first, last)
    return compare(since, _between(days, first - timedelta(days=_BEFORE), first - timedelta(days=1)), _VERDICT_CHANCE)


def around(days: Mapping[date, Sums], day: date, weeks: int) -> Comparison:
    """So many weeks from `day` on, against as many before it."""
    span = timedelta(weeks=weeks)
    one = timedelta(days=1)
    return compare(_between(days, day, day + span - one), _between(days, day - span, day - one))


def change_points(days: Mapping[date, Sums]) -> list[tuple[date, Comparison]]:
    """The Mondays from which unhappy opinions were rarer or more frequent, in order.

    Binary segmentation (Scott & Knott 1974): the split whose sides differ most by Fisher's exact test, and then each
    side anew; the chance is divided by the number of splits looked at (Bonferroni).
    """
    weeks: dict[date, Sums] = {}
    for day, sums in sorted(days.items()):
        monday = period_start(day, "week")
        weeks[monday] = weeks.get(monday, Sums()).plus(sums)
    return _split(list(weeks.items()), _CHANGE_CHANCE / max(1, len(weeks) - 1))


def _split(weeks: list[tuple[date, Sums]], chance: float) -> list[tuple[date, Comparison]]:
    every = total(sums for _, sums in weeks)
    best, surest, left = 0, chance / 2, Sums()
    for at in range(1, len(weeks)):
        left = left.plus(weeks[at - 1][1])
        right = every.minus(left)
        if min(left.mentions, right.mentions) < _LEAST:
            continue
        # The surer side of the test is that of the larger share.
        more, less = (left, right) if left.negative * right.mentions > right.negative * left.mentions else (right, left)
        found = fisher(more.negative, more.mentions, less.negative, less.mentions)
        if found <= surest:
            best, surest = at, found
    if not best:
        return []
    earlier, later = weeks[:best], weeks[best:]
    compared = compare(total(sums for _, sums in later), total(sums for _, sums in earlier), chance)
    return [*_split(earlier, chance), (weeks[best][0], compared), *_split(later, chance)]


def _between(days: Mapping[date, Sums], first: date, last: date) -> Sums:
    return total(sums for day, sums in days.items() if first <= day <= last)
