"""The facts of a week, a day or a month, as `dashboards` renders them: only what the mentions carry. Pure.

The numbers are of the period by publication (a week: Monday to Sunday) in the firm's time zone. The list also holds
what arrived since the last mail, marked as late, so that each mention is mailed once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from analysis import reputation, trends
from analysis.rollups import ALL, Sums
from analysis.themes import GENERAL
from vigie import clock

Facts = dict[str, Any]
Row = Mapping[str, Any]

_MOST_ACTIONS = 3
_MOST_PRAISE = 3
_USUAL_WEEKS, _LEAST_WEEKS, _QUIET_WEEKS = 12, 4, 3
_SHOWN = ("id", "title", "text", "author", "rating", "url", "label", "score", "day", "source_id", "reply", "platform")


@dataclass(frozen=True, slots=True)
class Period:
    """The days, both included, that a mail tells of."""

    first: date
    span: ClassVar[str]
    frequency: ClassVar[str]

    @property
    def last(self) -> date:
        raise NotImplementedError

    @property
    def name(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Week(Period):
    """An ISO week, such as 2026-W47."""

    span: ClassVar[str] = "week"
    frequency: ClassVar[str] = "weekly"

    @property
    def last(self) -> date:
        return self.first + timedelta(days=6)

    @property
    def name(self) -> str:
        year, week, _ = self.first.isocalendar()
        return f"{year}-W{week:02d}"

    @classmethod
    def of(cls, day: date) -> "Week":
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def named(cls, name: str) -> "Week":
        """Raises ValueError unless `name` is such as 2026-W47."""
        year, _, week = name.partition("-W")
        if not (year.isdigit() and week.isdigit() and len(year) == 4):
            raise ValueError(f"{name!r} is not a week such as 2026-W47")
        return cls(date.fromisocalendar(int(year), int(week), 1))

    def before(self) -> "Week":
        return Week(self.first - timedelta(days=7))


@dataclass(frozen=True, slots=True)
class Day(Period):
    """One day, such as 2026-11-23."""

    span: ClassVar[str] = "day"
    frequency: ClassVar[str] = "daily"

    @property
    def last(self) -> date:
        return self.first

    @property
    def name(self) -> str:
        return self.first.isoformat()


@dataclass(frozen=True, slots=True)
class Month(Period):
    """A calendar month, such as 2026-11."""

    span: ClassVar[str] = "month"
    frequency: ClassVar[str] = "monthly"

    @property
    def last(self) -> date:
        return (self.first + timedelta(days=31)).replace(day=1) - timedelta(days=1)

    @property
    def name(self) -> str:
        return f"{self.first:%Y-%m}"

    @classmethod
    def of(cls, day: date) -> "Month":
        return cls(day.replace(day=1))


def ended(today: date) -> tuple[Day, Week, Month]:
    """The last day, week and month that are over."""
    return Day(today - timedelta(days=1)), Week.of(today).before(), Month.of(today.replace(day=1) - timedelta(days=1))


def names_within(weeks: int, before: Period) -> list[str]:
    """The names of all the periods, of whatever span, that lie in so many weeks before one."""
    first = before.first - timedelta(weeks=weeks)
    days = [before.first - timedelta(days=back) for back in range(weeks * 7)]
    return sorted({one.name for day in days for one in ended(day) if one.first >= first})


def facts(
    firm: Row,
    period: Period,
    days: Mapping[date, Sums],
    listening_since: date | None,
    mentions: Sequence[Row],
    late: Sequence[Row],
    sources: Sequence[Row],
    own: Mapping[date, Sums] | None = None,
    themes: Mapping[str, Mapping[date, Sums]] | None = None,
    done: Sequence[Facts] = (),
    suggested: Collection[str] = (),
) -> Facts:
    """All that a weekly mail says. `days` reach back a year; `mentions` are the week's, set-aside ones left out.

    `own` are the days of the firm's own form, whose ratings are no public ones and stand apart; `themes` are the days
    of each theme, and under "" of all of them, without the form's. `done` is what the firm did, where this week is the
    first to tell what came of it. `suggested` are the themes that its reader was asked to see to in the eight weeks
    before: nobody is asked twice.
    """
    sums = _between(days, period.first, period.last)
    own = own or {}
    forms = {source["id"] for source in sources if source.get("kind") == "form"}
    public = {day: one.minus(own.get(day, Sums())) for day, one in days.items()}
    return {
        "company": firm["name"],
        "city": firm["city"],
        "span": period.span,
        "period": period.name,
        "first": period.first.isoformat(),
        "last": period.last.isoformat(),
        "mentions": sums.mentions,
        "reviews": sums.rated,
        "negative": sums.negative,
        "positive": sums.positive,
        "usual": usual_a_week(days, period, listening_since),
        "quiet": is_quiet(days, period, listening_since),
        "score": score_facts(public, period.last),
        "own": score_facts(own, period.last),
        "change": reputation.recently((themes or {}).get(ALL, {}), period.last).verdict,
        "changes": changes(themes or {}, period.last),
        "done": list(done),
        "themes": _themes(mentions),
        "actions": actions(mentions, suggested, forms),
        "pride": _pride(mentions),
        "list": [*(_shown(one, late=False) for one in mentions), *(_shown(one, late=True) for one in late)],
        "sources": [
            {
                **{name: one[name] for name in ("id", "name", "kind", "error")},
                "received_at": _day(one["received_at"], firm["timezone"]),
            }
            for one in sources
        ],
    }  # fmt: skip


def team_facts(firm: Row, period: Period, mentions: Sequence[Row], suggested: Collection[str] = ()) -> Facts | None:
    """What the team's edition says: the week's warmest words, those that praise the welcome first, and the subject of
    one habit to try. No count, no score, nobody's name under a complaint; None when there is nothing to say."""
    warm = [one for one in mentions if _is_warm(one)]
    warm.sort(key=lambda one: (not _praises_team(one), -(one["rating"] or 0), -one["score"]))
    complained = _complaints(mentions, suggested)
    if not warm and not complained:
        return None
    return {
        "company": firm["name"],
        "period": period.name,
        "first": period.first.isoformat(),
        "last": period.last.isoformat(),
        "praise": [{"id": one["id"], "text": one["text"]} for one in warm[:_MOST_PRAISE]],
        "habit": complained[0]["theme"] if complained else None,
    }


def suggestions(told: Facts) -> set[str]:
    """The themes that a mail asked its reader to see to."""
    habit = {told["habit"]} if told.get("habit") else set()
    return habit | {one["theme"] for one in told.get("actions", ()) if one["kind"] == "theme"}


def without_words(told: Facts, instead: str) -> Facts:
    """The owner's facts where customers' words do not leave by mail; `instead` stands where an action quotes them."""
    unnamed = {"text": instead, "title": None, "author": None, "reply": None, "url": None}
    acts = [
        {**one, "mention": {**one["mention"], **unnamed}} if one["kind"] == "reply" else {**one, "quotes": []}
        for one in told["actions"]
    ]
    return {**told, "list": [], "pride": None, "actions": acts}


def usual_a_week(days: Mapping[date, Sums], period: Period, since: date | None) -> float | None:
    """The mean number of mentions in the twelve weeks before; None for what is no week, and while fewer than four were
    listened to."""
    weeks = 0 if since is None or period.span != Week.span else min(_USUAL_WEEKS, (period.first - since).days // 7)
    if weeks < _LEAST_WEEKS:
        return None
    before = _between(days, period.first - timedelta(weeks=weeks), period.first - timedelta(days=1))
    return round(before.mentions / weeks, 1)


def is_quiet(days: Mapping[date, Sums], period: Period, since: date | None) -> bool:
    """Whether nobody said anything for three weeks that were all listened to."""
    first = period.last - timedelta(days=7 * _QUIET_WEEKS - 1)
    return since is not None and since <= first and not _between(days, first, period.last).mentions


def score_facts(days: Mapping[date, Sums], last: date) -> Facts:
    """The reputation of twelve months with its interval; no interval when there are too few reviews."""
    found = reputation.score(days, last)
    low, high = (found.interval.low, found.interval.high) if found.interval else (None, None)
    return {"mean": found.mean, "reviews": found.reviews, "low": low, "high": high}


def changes(themes: Mapping[str, Mapping[date, Sums]], last: date) -> list[Facts]:
    """Of what complaints became rarer or more frequent, the whole first; `fresh` where a week ago this was not said."""
    found = []
    for theme, days in sorted(themes.items()):
        now = reputation.recently(days, last)
        if now.verdict in {"better", "worse"}:
            fresh = reputation.recently(days, last - timedelta(days=7)).verdict != now.verdict
            found.append({"theme": theme, "fresh": fresh, **compared(now)})
    return found


def compared(one: reputation.Comparison) -> Facts:
    """A comparison as facts; the interval is of the difference of the two shares."""
    low, high = round(one.difference.low, 3), round(one.difference.high, 3)
    return {**asdict(one), "difference": {"low": low, "high": high}}


def actions(mentions: Sequence[Row], suggested: Collection[str] = (), forms: Collection[str] = ()) -> list[Facts]:
    """At most three things to do, and none when nothing asks for it; no theme that was `suggested` of late.

    An answer to one of the firm's own `forms` (source ids) can be replied to only where its customer left an address.
    """
    unanswered = [
        one
        for one in mentions
        if one["label"] == "negative"
        and not one["reply"]
        and one["status"] == "new"
        and (one["source_id"] not in forms or one["contact"])
    ]
    worst = sorted(unanswered, key=lambda one: (one["rating"] if one["rating"] is not None else 2.5, one["score"]))
    found: list[Facts] = [{"kind": "theme", **theme} for theme in _complaints(mentions, suggested)[:1]]
    found += [{"kind": "reply", "mention": _shown(one, late=False)} for one in worst]
    return found[:_MOST_ACTIONS]


def _complaints(mentions: Sequence[Row], suggested: Collection[str]) -> list[Facts]:
    """Themes that at least two unhappy mentions of the week name, with two quotes; none `suggested` of late."""
    left_out = {GENERAL, *suggested}
    said: dict[str, list[Facts]] = {}
    for one in mentions:
        if one["label"] != "negative":
            continue
        for theme in one["themes"]:
            if theme["label"] == "negative" and theme["theme"] not in left_out:
                quote = {"quote": theme["quote"], "mention_id": one["id"], "author": one["author"], "day": one["day"]}
                said.setdefault(theme["theme"], []).append(quote)
    most_first = sorted(said.items(), key=lambda pair: -len(pair[1]))
    return [
        {"theme": theme, "count": len(quotes), "quotes": quotes[:2]} for theme, quotes in most_first if len(quotes) >= 2
    ]


def _themes(mentions: Sequence[Row]) -> list[Facts]:
    counts: dict[str, Facts] = {}
    for one in mentions:
        for theme in one["themes"]:
            row = counts.setdefault(
                theme["theme"], {"theme": theme["theme"], "mentions": 0, "negative": 0, "positive": 0}
            )
            row["mentions"] += 1
            if theme["label"] != "neutral":
                row[theme["label"]] += 1
    return sorted(counts.values(), key=lambda row: (-row["mentions"], row["theme"]))


def _pride(mentions: Sequence[Row]) -> Facts | None:
    """The warmest words of the week, short enough to pin to a wall."""
    warm = [one for one in mentions if _is_warm(one)]
    best = max(warm, key=lambda one: (one["rating"] or 0, one["score"]), default=None)
    return _shown(best, late=False) if best else None


def _is_warm(one: Row) -> bool:
    return one["label"] == "positive" and one["score"] >= 0.5 and 3 <= len(one["text"].split()) <= 40


def _praises_team(one: Row) -> bool:
    return any(said["theme"] == "service" and said["label"] == "positive" for said in one["themes"])


def _shown(one: Row, *, late: bool) -> Facts:
    return {**{name: one[name] for name in _SHOWN}, "late": late}


def _day(moment: datetime | None, timezone: str) -> str | None:
    return clock.local_day(moment, timezone).isoformat() if moment else None


def _between(days: Mapping[date, Sums], first: date, last: date) -> Sums:
    return trends.total(sums for day, sums in days.items() if first <= day <= last)
