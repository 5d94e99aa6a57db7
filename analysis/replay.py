"""A firm's last twelve months as if Vigie had been there from the first day: what it would have said, and when.

What came after each warning is known by now, so that it is also told which of them were for nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, select

from analysis import alerts, queries
from analysis.alerts import DROP, MOST_NEGATIVE_A_DAY, Finding, History
from analysis.queries import COUNTS
from vigie.db.tables import mention

Outcome = Literal["lasted", "passed", "unknown"]
_YEAR, _BASELINE, _AFTER, _WINDOW = timedelta(days=364), timedelta(days=250), 90, 28
_LEAST_AFTER = 4  # mentions, to say how it went on
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning about numbers, and what came of it.

    A drop `lasted` when complaints stayed above the middle between what was usual and what was seen, over the four
    weeks after; `passed` when they did not: a false alarm. `early` is how many days later it was worst.
    """

    finding: Finding
    outcome: Outcome | None = None
    early: int = 0
    negative: int = 0
    mentions: int = 0


@dataclass(frozen=True, slots=True)
class Year:
    """What would have been said: of one unhappy customer at a time, of days with more than three, of numbers."""

    first: date
    last: date
    mentions: int
    unhappy: int
    crowded_days: int
    unanswered: int
    examples: tuple[Mapping[str, Any], ...]
    warnings: tuple[Warned, ...]


def year(connection: Connection, company_id: str, today: date) -> Year:
    """The twelve months that end today. Nothing is raised, nobody is told."""
    first = today - _YEAR
    ours = mention.c.company_id == company_id, mention.c.day.between(first.isoformat(), today.isoformat()), COUNTS
    names = ("id", "day", "author", "rating", "label", "score", "confidence", "apart", "title", "text", "reply")
    query = select(*(mention.c[name] for name in names)).where(*ours, mention.c.label == "negative")
    newest_first = query.order_by(mention.c.published_at.desc(), mention.c.id)
    told = [row for row in connection.execute(newest_first).mappings() if alerts.is_negative({**row, "status": "new"})]
    by_day = Counter(row["day"] for row in told)
    history = queries.history(connection, company_id, first - _BASELINE, today)
    counted = queries.daily(connection, company_id, first, today)
    return Year(
        first=first,
        last=today,
        mentions=sum(sums.mentions for sums in counted.values()),
        unhappy=sum(min(count, MOST_NEGATIVE_A_DAY) for count in by_day.values()),
        crowded_days=sum(count > MOST_NEGATIVE_A_DAY for count in by_day.values()),
        unanswered=sum(not row["reply"] for row in told),
        examples=tuple(dict(row) for row in told[:_SHOWN]),
        warnings=tuple(warned(history, first, today)),
    )


def warned(history: History, first: date, last: date) -> Iterator[Warned]:
    """The warnings about numbers from `first` to `last`, had each source been heard since its first mention."""
    since = {source_id: min(days) for source_id, days in history.days.items() if days}
    heard = History(history.days, since)
    for finding in alerts.over_time(heard, first, last, {}):
        yield _followed(heard, finding, last) if finding.rule == DROP else Warned(finding)


def _followed(history: History, finding: Finding, last: date) -> Warned:
    facts = finding.facts
    end = finding.day + timedelta(days=_WINDOW)
    after = history.heard(finding.day + timedelta(days=1), min(end, last), finding.day)
    if end > last or after.mentions < _LEAST_AFTER:
        return Warned(finding, "unknown", 0, after.negative, after.mentions)
    middle = (facts["negative"] / facts["mentions"] + facts["usual_negative"] / facts["usual_mentions"]) / 2
    outcome: Outcome = "lasted" if after.negative / after.mentions > middle else "passed"
    early = _until_worst(history, finding.day, last) if outcome == "lasted" else 0
    return Warned(finding, outcome, early, after.negative, after.mentions)


def _until_worst(history: History, day: date, last: date) -> int:
    """After how many days four weeks held the most complaints."""

    def complaints(days: int) -> int:
        end = day + timedelta(days=days)
        return history.heard(end - timedelta(days=_WINDOW - 1), end, day).negative

    return max(range(min(_AFTER, (last - day).days) + 1), key=complaints)
