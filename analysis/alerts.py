"""What an owner should know now. Pure: from counts to findings, each with its baseline and its small-number guard.

An alert's id follows from rule, subject and window, so that finding it again raises nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

from analysis.chances import fisher, poisson_tail
from analysis.rollups import Sums
from analysis.sentiment import SURE
from vigie import ids

NEGATIVE, VOLUME, DROP = "negative_mention", "unusual_volume", "sentiment_drop"

MOST_NEGATIVE_A_DAY = 3  # beyond, one alert tells of them together
_SURE = 0.35  # how bad a text without a rating must sound
_WORDS = 4  # and how much it must say

_WEEK, _BASELINE_WEEKS, _LEAST_WEEKS = 7, 12, 4
# Chances are small because each is asked every day, of windows that overlap: a year has some fifty independent ones.
_LEAST_COUNT, _RATIO, _CHANCE = 6, 2.5, 0.0001
_DROP_DAYS, _DROP_BASELINE = 28, 182
_DROP_LEAST, _DROP_LEAST_BASELINE, _DROP_STEP, _DROP_CHANCE = 6, 12, 0.25, 0.001
_COOLDOWN = {VOLUME: 21, DROP: 42}  # days


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule found. `facts` hold what was seen and what is usual; `day` is when it happened."""

    rule: str
    subject: str
    window: str
    day: date
    facts: dict[str, Any]
    mention_ids: tuple[str, ...] = ()

    def alert_id(self, company_id: str) -> str:
        return ids.derived("alert", company_id, self.rule, self.subject, self.window)


@dataclass(slots=True)
class History:
    """Counts per source and day, and since when each source is listened to; complete before the first question."""

    days: dict[str, dict[date, Sums]] = field(default_factory=dict)
    listening_since: dict[str, date] = field(default_factory=dict)
    _totals: dict[str, tuple[list[date], list[Sums]]] = field(default_factory=dict, init=False, repr=False)

    def heard(self, first: date, last: date, since: date) -> Sums:
        """The sum from `first` to `last` over the sources that are listened to since `since` or before."""
        together = Sums()
        for source_id in self.days:
            if self.listening_since.get(source_id, date.max) <= since:
                together = together.plus(self.of_source(source_id, first, last))
        return together

    def of_source(self, source_id: str, first: date, last: date) -> Sums:
        """One source's sum from `first` to `last`."""
        days, totals = self._totals.get(source_id) or self._add_up(source_id)
        return totals[bisect_right(days, last)].minus(totals[bisect_left(days, first)])

    def _add_up(self, source_id: str) -> tuple[list[date], list[Sums]]:
        """The source's days, and what had come before each of them."""
        counted = self.days[source_id]
        days = sorted(counted)
        totals = list(accumulate((counted[day] for day in days), Sums.plus, initial=Sums()))
        self._totals[source_id] = days, totals
        return days, totals


def is_negative(mention: Mapping[str, Any]) -> bool:
    """Whether one mention deserves an alert: few stars, or words that are bad beyond doubt."""
    if mention["label"] != "negative" or mention["status"] != "new" or mention["apart"] is not None:
        return False
    if mention["rating"] is not None:
        return True
    if mention["confidence"] < SURE:  # "to be checked": somebody looks at it first
        return False
    return mention["score"] <= -_SURE and len((mention["text"] or mention["title"] or "").split()) >= _WORDS


def by_rule(rule: str, name: str, mention: Mapping[str, Any]) -> Finding:
    """The alert of a mention that a rule of the firm's own means."""
    facts = {"name": name, "rating": mention["rating"], "score": mention["score"], "quote": quoted(mention)}
    return Finding(rule, mention["id"], "once", date.fromisoformat(mention["day"]), facts, (mention["id"],))


def negative(mention: Mapping[str, Any], earlier_today: Collection[str]) -> Finding:
    """The alert of one negative mention, or the day's common one when it is the fourth."""
    day = mention["day"]
    if len(earlier_today) >= MOST_NEGATIVE_A_DAY:
        facts: dict[str, Any] = {"more_than": MOST_NEGATIVE_A_DAY}
        return Finding(NEGATIVE, "day", day, date.fromisoformat(day), facts, (mention["id"],))
    facts = {"rating": mention["rating"], "score": mention["score"], "quote": quoted(mention)}
    return Finding(NEGATIVE, mention["id"], "once", date.fromisoformat(day), facts, (mention["id"],))


def over_time(history: History, first: date, last: date, raised: Mapping[str, Collection[date]]) -> list[Finding]:
    """What the windows that end from `first` to `last` show, on top of what was `raised` before (rule → days)."""
    known = {rule: set(raised.get(rule, ())) for rule in (VOLUME, DROP)}
    found = []
    day = first
    while day <= last:
        for finding in _of_day(history, day):
            if not any(abs((day - other).days) < _COOLDOWN[finding.rule] for other in known[finding.rule]):
                known[finding.rule].add(day)
                found.append(finding)
        day += timedelta(days=1)
    return found


def _of_day(history: History, day: date) -> Iterator[Finding]:
    if finding := unusual_volume(history, day):
        yield finding
    if finding := sentiment_drop(history, day):
        yield finding


def unusual_volume(history: History, last: date) -> Finding | None:
    """Seven days with far more mentions than the twelve weeks before them.

    At least six mentions, 2.5 times the usual, and less than one chance in ten thousand by the Poisson law, whose mean
    is taken half a mention higher than seen since few weeks were seen. Sources heard for under four weeks do not count.
    """
    first = last - timedelta(days=_WEEK - 1)
    weeks = _weeks_listened(history, first)
    if weeks < _LEAST_WEEKS:
        return None
    since = first - timedelta(weeks=_LEAST_WEEKS)
    seen = history.heard(first, last, since).mentions
    usual = _usual_a_week(history, first, since)
    mean = usual + 0.5 / weeks
    if seen < _LEAST_COUNT or seen < _RATIO * mean or poisson_tail(seen, mean) > _CHANCE:
        return None
    facts = {
        "mentions": seen,
        "usual": round(usual, 1),
        "weeks": weeks,
        "from": first.isoformat(),
        "to": last.isoformat(),
    }
    return Finding(VOLUME, "firm", last.isoformat(), last, facts)


def sentiment_drop(history: History, last: date) -> Finding | None:
    """Four weeks with clearly more complaints among the mentions than the six months before them.

    At least 6 mentions against 12, a quarter more of them negative, and less than one chance in a thousand by
    Fisher's exact test.
    """
    first = last - timedelta(days=_DROP_DAYS - 1)
    since = first - timedelta(weeks=_LEAST_WEEKS)
    now = history.heard(first, last, since)
    usual = history.heard(first - timedelta(days=_DROP_BASELINE), first - timedelta(days=1), since)
    if now.mentions < _DROP_LEAST or usual.mentions < _DROP_LEAST_BASELINE:
        return None
    step = now.negative / now.mentions - usual.negative / usual.mentions
    chance = fisher(now.negative, now.mentions, usual.negative, usual.mentions)
    if step < _DROP_STEP or chance > _DROP_CHANCE:
        return None
    facts = {
        "negative": now.negative,
        "mentions": now.mentions,
        "usual_negative": usual.negative,
        "usual_mentions": usual.mentions,
        "from": first.isoformat(),
        "to": last.isoformat(),
    }
    return Finding(DROP, "firm", last.isoformat(), last, facts)


def _weeks_listened(history: History, before: date) -> int:
    starts = [day for source_id, day in history.listening_since.items() if history.days.get(source_id)]
    return min(_BASELINE_WEEKS, (before - min(starts, default=before)).days // _WEEK)


def _usual_a_week(history: History, before: date, since: date) -> float:
    """The mean of each source over the weeks in which it was listened to, together."""
    usual, last = 0.0, before - timedelta(days=1)
    for source_id in history.days:
        start = max(history.listening_since.get(source_id, date.max), before - timedelta(weeks=_BASELINE_WEEKS))
        weeks = (before - start).days / _WEEK if start <= since else 0
        if weeks:
            usual += history.of_source(source_id, start, last).mentions / weeks
    return usual


def quoted(mention: Mapping[str, Any]) -> str:
    """What an alert shows of a mention: its beginning."""
    text: str = mention["text"] or mention["title"] or ""
    return text if len(text) <= 240 else text[:240].rsplit(" ", 1)[0] + "…"
