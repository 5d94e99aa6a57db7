"""Numbers with their doubt: intervals that a firm with ten reviews a month can stand on. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from analysis.rollups import Sums

FEW = 5  # fewer reviews than this say nothing
_Z = 1.96  # 95 %
_PRIOR_WEIGHT, _PRIOR_VARIANCE = 2, 1.2**2  # stars²: keeps five equal reviews from looking certain


@dataclass(frozen=True, slots=True)
class Interval:
    """Between `low` and `high` with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """The mean rating on five. Without `interval`, there are too few reviews to conclude."""

    mean: float | None
    reviews: int
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Point:
    """One day, week or month of a trend, named by its first day."""

    start: date
    sums: Sums

    @property
    def rating(self) -> float | None:
        return mean_rating(self.sums)

    @property
    def score(self) -> float | None:
        return round(self.sums.score_sum / 1000 / self.sums.mentions, 3) if self.sums.mentions else None


def mean_rating(sums: Sums) -> float | None:
    """The mean of the ratings on five, to the hundredth."""
    return round(sums.rating_sum / sums.rated / 100, 2) if sums.rated else None


def score(sums: Sums) -> Score:
    """The mean with an interval from the spread of the ratings themselves, and a little prior spread."""
    mean = mean_rating(sums)
    if mean is None or sums.rated < FEW:
        return Score(mean, sums.rated, None)
    n = sums.rated
    spread = sums.rating_squares / 10_000 - n * (sums.rating_sum / n / 100) ** 2
    variance = (max(0.0, spread) + _PRIOR_WEIGHT * _PRIOR_VARIANCE) / (n - 1 + _PRIOR_WEIGHT)
    half = _Z * math.sqrt(variance / n)
    return Score(mean, n, Interval(round(max(0.0, mean - half), 1), round(min(5.0, mean + half), 1)))


def wilson(successes: int, n: int, z: float = _Z) -> Interval:
    """The interval of a share (Wilson 1927); 0 to 1 when there is nothing to judge by."""
    if n == 0:
        return Interval(0.0, 1.0)
    p = successes / n
    centre, scale = p + z * z / (2 * n), 1 + z * z / n
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def poisson_tail(count: int, mean: float) -> float:
    """The chance of `count` or more where `mean` is usual."""
    term = math.exp(-mean)
    below = 0.0
    for k in range(count):
        below += term
        term *= mean / (k + 1)
    return max(0.0, 1.0 - below)


def fisher(bad: int, n: int, usual_bad: int, usual_n: int) -> float:
    """The chance of `bad` or more of `n`, if both samples came from one population (Fisher's exact test, one side)."""
    every, all_bad = n + usual_n, bad + usual_bad
    total = math.lgamma(every + 1) - math.lgamma(n + 1) - math.lgamma(usual_n + 1)

    def log_chance(k: int) -> float:
        return _log_choose(all_bad, k) + _log_choose(every - all_bad, n - k) - total

    return min(1.0, sum(math.exp(log_chance(k)) for k in range(bad, min(n, all_bad) + 1) if n - k <= every - all_bad))


def series(days: dict[date, Sums], first: date, last: date, by: str) -> list[Point]:
    """The trend from `first` to `last`, empty periods included; `by` is day, week or month."""
    points: dict[date, Sums] = {}
    day = first
    while day <= last:
        start = period_start(day, by)
        points[start] = points.get(start, Sums()).plus(days.get(day, Sums()))
        day += timedelta(days=1)
    return [Point(start, sums) for start, sums in points.items()]


def period_start(day: date, by: str) -> date:
    """The first day of the day, week (Monday) or month that holds `day`."""
    if by == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if by == "month" else day


def total(sums: Iterable[Sums]) -> Sums:
    """All of them together."""
    together = Sums()
    for one in sums:
        together = together.plus(one)
    return together


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
