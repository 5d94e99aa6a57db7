"""What those who read ask: from rollups where a number is wanted, from mentions where words are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
)

from analysis import emerging, search
from analysis.alerts import History
from analysis.emerging import Rising, Said
from analysis.reputation import five_stars_needed, next_shown
from analysis.rollups import ALL, Sums
from analysis.wishes import OTHER
from analysis.words import lemmas
from vigie import clock, db
from vigie.db.tables import aggregate, alert, mention, rollup, source
from vigie.errors import InvalidInputError, NotFoundError

_WORDED_WITHIN = timedelta(days=90)
# Whole numbers also on PostgreSQL, whose sums of big integers are decimals.
_SUMS = [cast(func.sum(rollup.c[name]), BigInteger) for name in Sums._fields]
_LATEST_FIRST = mention.c.published_at.desc(), mention.c.id.desc()
_MOST_WALKED = 5_000  # mentions in which a search looks before it asks the index of words
_MOST_READ = 400  # texts, of each of the two times that are compared
COUNTS = and_(mention.c.status != "aside", mention.c.apart.is_(None))
# Each in the words of its partial index: a bound value would hide from the planner that the index holds these rows.
_IS_ASIDE = mention.c.status == literal_column("'aside'")
_IS_EXCLUDED = or_(_IS_ASIDE, mention.c.apart.is_not(None))
_HAS_WISHES = mention.c.wishes != literal_column("'[]'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which mentions are meant; days are the firm's own, both included."""

    first: date | None = None
    last: date | None = None
    source_id: str | None = None
    location_id: str | None = None
    theme: str | None = None
    sentiment: str | None = None
    rating: float | None = None
    # Words that title, text or author must all hold, whatever their inflection; `serv*` for all that begin so.
    q: str | None = None
    status: str | None = None
    assigned_to: str | None = None
    # Mentions that do not count: aside (another firm), unverified, unconfirmed, note or copy; None for those that do.
    apart: str | None = None
    # Mentions with this sentiment are left out.
    except_sentiment: str | None = None


def daily(
    connection: Connection,
    company_id: str,
    first: date,
    last: date,
    *,
    theme: str = ALL,
    source_id: str | None = None,
    location_id: str | None = None,
    forms: bool | None = None,
) -> dict[date, Sums]:
    """The sums of each day that has any, for one theme or all; with `forms`, of the firm's own forms or of the rest."""
    where = _days(company_id, first, last, theme, location_id)
    if source_id:
        where.append(rollup.c.source_id == source_id)
    if forms is not None:
        own = select(source.c.id).where(source.c.company_id == company_id, source.c.kind == "form")
        where.append(rollup.c.source_id.in_(own) if forms else rollup.c.source_id.not_in(own))
    rows = connection.execute(select(rollup.c.day, *_SUMS).where(*where).group_by(rollup.c.day))
    return {date.fromisoformat(day): Sums(*values) for day, *values in rows}


def _days(company_id: str, first: date, last: date, theme: str, location_id: str | None) -> list[ColumnElement[bool]]:
    """Which rollups are meant."""
    where = [
        rollup.c.company_id == company_id,
        rollup.c.day.between(first.isoformat(), last.isoformat()),
        rollup.c.theme == theme,
    ]
    if location_id:
        ours = select(source.c.id).where(source.c.company_id == company_id, source.c.location_id == location_id)
        where.append(rollup.c.source_id.in_(ours))
    return where


def daily_and_public(
    connection: Connection,
    company_id: str,
    first: date,
    last: date,
    *,
    theme: str = ALL,
    location_id: str | None = None,
) -> tuple[dict[date, Sums], dict[date, Sums]]:
    """The sums of each day that has any, and those without the firm's own forms, which are no public word."""
    own = select(source.c.id).where(source.c.company_id == company_id, source.c.kind == "form")
    is_own = rollup.c.source_id.in_(own)
    where = _days(company_id, first, last, theme, location_id)
    rows = connection.execute(select(rollup.c.day, is_own, *_SUMS).where(*where).group_by(rollup.c.day, is_own))
    every: dict[date, Sums] = {}
    public: dict[date, Sums] = {}
    for written, of_form, *values in rows:
        day, counted = date.fromisoformat(written), Sums(*values)
        if not of_form:
            public[day] = counted
        every[day] = every[day].plus(counted) if day in every else counted
    return every, public


def themes(connection: Connection, company_id: str, first: date, last: date) -> dict[str, Sums]:
    """The sums of each theme named between two days, the most named first."""
    rows = connection.execute(
        select(rollup.c.theme, *_SUMS)
        .where(
            rollup.c.company_id == company_id,
            rollup.c.day.between(first.isoformat(), last.isoformat()),
            rollup.c.theme != ALL,
        )
        .group_by(rollup.c.theme)
    )
    named = {theme: Sums(*values) for theme, *values in rows}
    return dict(sorted(((k, v) for k, v in named.items() if v.mentions), key=lambda pair: (-pair[1].mentions, pair[0])))


def by_theme(connection: Connection, company_id: str, first: date, last: date) -> dict[str, dict[date, Sums]]:
    """The days of each theme, and of all under ""; the firm's own forms, which are no public word, left out."""
    own = select(source.c.id).where(source.c.company_id == company_id, source.c.kind == "form")
    rows = connection.execute(
        select(rollup.c.theme, rollup.c.day, *_SUMS)
        .where(
            rollup.c.company_id == company_id,
            rollup.c.day.between(first.isoformat(), last.isoformat()),
            rollup.c.source_id.not_in(own),
        )
        .group_by(rollup.c.theme, rollup.c.day)
    )
    found: dict[str, dict[date, Sums]] = {}
    for theme, day, *values in rows:
        found.setdefault(theme, {})[date.fromisoformat(day)] = Sums(*values)
    return found


def texts(connection: Connection, company_id: str, first: date, last: date, *, limit: int = 2_000) -> list[Said]:
    """The texts of mentions that count, published between two days, the latest first."""
    rows = connection.execute(
        select(mention.c.text, mention.c.title, mention.c.language)
        .where(mention.c.company_id == company_id, *published_on(first, last), COUNTS)
        .order_by(mention.c.published_at.desc())
        .limit(limit)
    )
    return [Said(f"{row.title}.\n{row.text}" if row.title else row.text or "", row.language) for row in rows]


def rising(connection: Connection, firm: Mapping[str, Any], today: date) -> list[Rising]:
    """What customers begin to speak of: the last four weeks against the half year before."""
    first = today - timedelta(weeks=4) + timedelta(days=1)
    now = texts(connection, firm["id"], first, today, limit=_MOST_READ)
    earlier = first - timedelta(weeks=26), first - timedelta(days=1)
    before = texts(connection, firm["id"], *earlier, limit=_MOST_READ)
    return emerging.rising(now, before, known=frozenset(lemmas(f"{firm['name']} {firm['city'] or ''}", "fr")))


def wishes(connection: Connection, company_id: str, first: date, last: date) -> list[dict[str, Any]]:
    """What customers ask for, the most asked first: {request, count, quote}; each mention is one voice."""
    rows = connection.execute(
        select(mention.c.wishes)
        .where(
            mention.c.company_id == company_id,
            mention.c.day.between(first.isoformat(), last.isoformat()),
            _HAS_WISHES,
            COUNTS,
        )
        .order_by(mention.c.published_at.desc())
    )
    found: dict[str, dict[str, Any]] = {}
    for (said,) in rows:
        for one in said:
            row = found.setdefault(one["request"], {"request": one["request"], "count": 0, "quote": one["quote"]})
            row["count"] += 1
    return sorted(found.values(), key=lambda row: (row["request"] == OTHER, -row["count"]))


def history(connection: Connection, company_id: str, first: date, last: date) -> History:
    """What the rules over time look at: counts per source and day, and since when each is listened to."""
    found = History()
    for row in connection.execute(
        select(rollup).where(
            rollup.c.company_id == company_id,
            rollup.c.theme == ALL,
            rollup.c.day.between(first.isoformat(), last.isoformat()),
        )
    ).mappings():
        days = found.days.setdefault(row["source_id"], {})
        days[date.fromisoformat(row["day"])] = Sums(*(row[name] for name in Sums._fields))
    since = select(source.c.id, source.c.listening_since).where(source.c.company_id == company_id)
    for source_id, day in connection.execute(since):
        if day:
            found.listening_since[source_id] = date.fromisoformat(day)
    return found


def apart(connection: Connection, company_id: str) -> dict[str, int]:
    """How many mentions do not count, by why."""
    why = case((mention.c.apart.is_not(None), mention.c.apart), else_="aside")
    rows = connection.execute(
        select(why, func.count()).where(mention.c.company_id == company_id, _IS_EXCLUDED).group_by(why)
    )
    return {str(name): count for name, count in rows}


def aggregates(connection: Connection, company_id: str) -> list[dict[str, Any]]:
    """What customers see on each platform, as it was seen last; `needed` says how many five-star reviews raise it."""
    latest = (
        select(aggregate.c.source_id, aggregate.c.platform, func.max(aggregate.c.day).label("day"))
        .where(aggregate.c.company_id == company_id)
        .group_by(aggregate.c.source_id, aggregate.c.platform)
        .subquery()
    )
    same = and_(*(aggregate.c[name] == latest.c[name] for name in ("source_id", "platform", "day")))
    rows = connection.execute(select(aggregate).join(latest, same).order_by(aggregate.c.platform)).mappings()
    return [{**row, "needed": _needed(dict(row))} for row in rows]


def _needed(shown: Mapping[str, Any]) -> dict[str, Any] | None:
    """Towards the next half star, where the platform gives stars on five."""
    target = next_shown(shown["average"])
    if target is None or shown["given"].partition("/")[2] not in {"", "5"}:
        return None
    reviews = five_stars_needed(shown["average"], shown["count"], target)
    return {"target": target, "fewest": reviews[0], "most": reviews[1]} if reviews else None


def raised_days(connection: Connection, company_id: str) -> dict[str, set[date]]:
    """Rule → the days on which it raised an alert."""
    raised: dict[str, set[date]] = {}
    for rule, happened_at in connection.execute(
        select(alert.c.rule, alert.c.happened_at).where(alert.c.company_id == company_id)
    ):
        raised.setdefault(rule, set()).add(happened_at.date())
    return raised


def latest_day(connection: Connection, company_id: str) -> str | None:
    """The day of the firm's latest mention, found at once however many there are."""
    latest: str | None = connection.scalar(
        select(mention.c.day)
        .where(mention.c.company_id == company_id)
        .order_by(mention.c.published_at.desc(), mention.c.id.desc())
        .limit(1)
    )
    return latest


def mentions(
    connection: Connection,
    company_id: str,
    wanted: Filter,
    *,
    limit: int = 50,
    after: tuple[datetime, str] | None = None,
) -> Sequence[RowMapping]:
    """The firm's mentions, latest first, `after` the last one of the page before."""
    query = _filtered(company_id, wanted)
    if after:
        query = query.where(db.before(mention.c.published_at, mention.c.id, after))
    page = query.order_by(*_LATEST_FIRST).limit(limit)
    if not wanted.q:
        return connection.execute(page).mappings().all()
    if connection.dialect.name == "postgresql":
        walked = search.finds_among(_latest_ids(company_id, after), wanted.q)
        found = connection.execute(page.where(walked)).mappings().all()
        if len(found) == limit:
            return found
    return connection.execute(page.where(search.finds(company_id, wanted.q))).mappings().all()


def _latest_ids(company_id: str, after: tuple[datetime, str] | None) -> Select[tuple[str]]:
    """The firm's next mentions after one, in which a frequent word is found sooner than by its long list in the
    index."""
    query = select(mention.c.id).where(mention.c.company_id == company_id)
    if after:
        query = query.where(db.before(mention.c.published_at, mention.c.id, after))
    return query.order_by(*_LATEST_FIRST).limit(_MOST_WALKED)


def one_mention(connection: Connection, company_id: str, mention_id: str) -> RowMapping:
    """One of the firm's mentions; raises `NotFoundError`."""
    ours = mention.c.id == mention_id, mention.c.company_id == company_id
    row = connection.execute(select(mention).where(*ours)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no mention {mention_id!r}")
    return row


def alike_before(connection: Connection, one: Mapping[str, Any]) -> int:
    """How many earlier mentions of the firm have the same label and first theme: each wants another wording."""
    same = [mention.c.company_id == one["company_id"], mention.c.label == one["label"],
            mention.c.published_at < one["published_at"]]  # fmt: skip
    if one["themes"]:
        same.append(cast(mention.c.themes, Text).like(f'%"theme": "{one["themes"][0]["theme"]}"%'))
    lately = mention.c.published_at > one["published_at"] - _WORDED_WITHIN
    return connection.scalar(select(func.count()).where(*same, lately)) or 0


def alerts(
    connection: Connection,
    company_id: str,
    *,
    limit: int = 50,
    after: tuple[datetime, str] | None = None,
    is_open: bool | None = None,
) -> Sequence[RowMapping]:
    """The firm's alerts, latest first; with `is_open`, those that somebody still has to deal with, or the others."""
    query = select(alert).where(alert.c.company_id == company_id)
    if is_open is not None:
        query = query.where(alert.c.resolved_at.is_(None) if is_open else alert.c.resolved_at.is_not(None))
    if after:
        query = query.where(db.before(alert.c.happened_at, alert.c.id, after))
    return (
        connection.execute(query.order_by(alert.c.happened_at.desc(), alert.c.id.desc()).limit(limit)).mappings().all()
    )


def source_names(connection: Connection, company_id: str) -> dict[str, Mapping[str, Any]]:
    """The firm's sources by id, as mentions show them."""
    rows = connection.execute(
        select(source.c.id, source.c.kind, source.c.name).where(source.c.company_id == company_id)
    )
    return {row.id: {"id": row.id, "kind": row.kind, "name": row.name} for row in rows}


def shown_mention(row: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A mention as the API shows it."""
    same = (
        "id", "company_id", "location_id", "url", "author", "title", "text", "language", "rating", "rating_given",
        "experienced_at", "published_at", "published_at_known", "updated_at", "collected_at", "themes", "reply",
        "status", "assigned_to", "platform", "translation", "cut", "apart", "copy_of", "wishes", "contradicts",
    )  # fmt: skip
    removed = {"id": row["source_id"], "kind": "removed", "name": row["source_id"]}
    return {
        **{name: row[name] for name in same},
        "source": dict(sources.get(row["source_id"], removed)),
        "sentiment": {"label": row["label"], "score": row["score"], "confidence": row["confidence"]},
        "because": row["because"],
        "relevance": row["relevance"] or {"score": 1.0, "reasons": []},
    }


def _filtered(company_id: str, wanted: Filter) -> Select[Any]:
    """The firm's mentions that are meant, whatever their words."""
    columns = mention.c
    query = select(mention).where(columns.company_id == company_id)
    query = query.where(*published_on(wanted.first, wanted.last))
    if wanted.sentiment and wanted.sentiment not in {"negative", "neutral", "positive"}:
        raise InvalidInputError("sentiment is one of negative, neutral, positive")
    for column, value in (
        (columns.source_id, wanted.source_id),
        (columns.location_id, wanted.location_id),
        (columns.label, wanted.sentiment),
        (columns.rating, wanted.rating),
        (columns.status, wanted.status),
        (columns.assigned_to, wanted.assigned_to),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.except_sentiment:
        query = query.where(columns.label != wanted.except_sentiment)
    query = query.where(_stands(wanted.apart))
    if wanted.theme:
        named = f'%"theme": "{_escaped(wanted.theme)}"%'
        is_named = case((cast(columns.themes, Text).like(named, escape="\\"), 1), else_=0)
        # PostgreSQL takes a pattern for rare and then reads all mentions of the firm; a comparison it takes for likely.
        query = query.where(is_named > 0)
    return query


def published_on(first: date | None, last: date | None) -> list[ColumnElement[bool]]:
    """Mentions whose day lies between two days, both included; None for no bound.

    The moments between which these days begin and end anywhere stand beside them: only those have an index.
    """
    where: list[ColumnElement[bool]] = []
    if first:
        where += [mention.c.day >= first.isoformat(), mention.c.published_at >= _midnight(first.toordinal() - 1)]
    if last:
        where += [mention.c.day <= last.isoformat(), mention.c.published_at <= _midnight(last.toordinal() + 2)]
    return where


def _midnight(ordinal: int) -> datetime:
    """Return the midnight in UTC that begins a day; the first or last one that there is, if that day is none."""
    return clock.midnight(date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal())))


def _stands(apart: str | None) -> ColumnElement[bool]:
    if apart is None:
        return COUNTS
    return _IS_ASIDE if apart == "aside" else mention.c.apart == apart


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
