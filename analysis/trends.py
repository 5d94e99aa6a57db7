"""Series of days, weeks and months. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from analysis.rollups import Sums

_NONE = Sums()


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


def series(days: dict[date, Sums], first: date, last: date, by: str) -> list[Point]:
    """The trend from `first` to `last`, empty periods included; `by` is day, week, month or quarter."""
    points: dict[date, Sums] = {}
    day = first
    while day <= last:
        start = period_start(day, by)
        counted, before = days.get(day, _NONE), points.get(start)
        points[start] = before.plus(counted) if before else counted
        day += timedelta(days=1)
    return [Point(start, sums) for start, sums in points.items()]


def period_start(day: date, by: str) -> date:
    """The first day of the day, week (Monday), month or quarter that holds `day`."""
    if by == "week":
        return day - timedelta(days=day.weekday())
    if by == "quarter":
        return day.replace(month=day.month - (day.month - 1) % 3, day=1)
    return day.replace(day=1) if by == "month" else day


def total(sums: Iterable[Sums]) -> Sums:
    """All of them together."""
    together = Sums()
    for one in sums:
        together = together.plus(one)
    return together
