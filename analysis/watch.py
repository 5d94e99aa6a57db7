"""What is looked at by the clock: sources and open complaints once a day, words whose time is over once an hour."""

from datetime import date, timedelta

from sqlalchemy import Connection, Engine, RowMapping, select, update

from analysis import alert_store, followup, queries, rule_store, silence, store
from analysis.alerts import Finding
from analysis.rollups import ALL
from vigie import audit, clock, db, due, outbox
from vigie.db.tables import alert, company, mention, rollup, source

_DAILY, _HOURLY = timedelta(days=1), timedelta(hours=1)
_LOOKED_BACK = timedelta(days=250)
_MONDAY = 0  # each look gives chance another try: subjects are looked for once a week


def look_due(engine: Engine) -> int:
    """Do what the clock asks for; how much that was."""
    return _look_at_sources(engine) + _expire(engine)


def _look_at_sources(engine: Engine) -> int:
    timers = due.claim(engine, due.SOURCES, limit=20)
    for timer in timers:
        with db.reading(engine) as connection:
            firm = connection.execute(select(company).where(company.c.id == timer.key)).mappings().one_or_none()
            findings = findings_of(connection, firm) if firm is not None else []
        with db.writing(engine) as connection:
            if firm is not None:
                _resolve(connection, firm["id"], {finding.alert_id(firm["id"]) for finding in findings})
                alert_store.raise_alerts(connection, firm["id"], findings)
            due.finish(connection, timer, again_at=clock.now() + _DAILY if firm is not None else None)
    return len(timers)


def findings_of(connection: Connection, firm: RowMapping) -> list[Finding]:
    """The firm's sources that fail, or are silent where they used to speak; and what else it asked to be told."""
    today = clock.local_day(clock.now(), firm["timezone"])
    ours = select(source).where(source.c.company_id == firm["id"], ~source.c.paused)
    found = []
    for row in connection.execute(ours).mappings().all():
        error = silence.failing(
            row["id"], row["name"], row["error"], row["failing_since"], clock.now(), firm["timezone"]
        )
        quiet = silence.silent(row["id"], row["name"], _per_day(connection, row, today), today)
        found += [finding for finding in (error or quiet,) if finding and row["polled_at"]]
    return [*found, *_asked_for(connection, firm, today)]


def _asked_for(connection: Connection, firm: RowMapping, today: date) -> list[Finding]:
    """What only firms that asked for it are told."""
    found: list[Finding] = []
    on = rule_store.switched_on(connection, firm["id"])
    if followup.UNANSWERED in on:
        since = mention.c.published_at > clock.now() - followup.GIVEN_UP
        ours = mention.c.company_id == firm["id"], mention.c.label == "negative", since, ~mention.c.silent
        rows = map(dict, connection.execute(select(mention).where(*ours)).mappings())
        found += followup.unanswered(rows, clock.now(), today)
    if today.weekday() == _MONDAY and followup.NEW_SUBJECT in on:
        found += followup.new_subjects(queries.rising(connection, dict(firm), today), today)
    return found


def _per_day(connection: Connection, origin: RowMapping, today: date) -> dict[date, int]:
    rows = connection.execute(
        select(rollup.c.day, rollup.c.mentions).where(
            rollup.c.company_id == origin["company_id"],
            rollup.c.source_id == origin["id"],
            rollup.c.theme == ALL,
            rollup.c.day >= (today - _LOOKED_BACK).isoformat(),
        )
    )
    return {date.fromisoformat(day): count for day, count in rows}


def _resolve(connection: Connection, company_id: str, still: set[str]) -> None:
    """What is over says so."""
    passing = alert.c.rule.in_((silence.RULE, followup.UNANSWERED))
    is_open = alert.c.company_id == company_id, passing, alert.c.resolved_at.is_(None)
    rows = [dict(row) for row in connection.execute(select(alert).where(*is_open)).mappings() if row["id"] not in still]
    over = [{**row, "resolved_at": clock.now()} for row in rows]
    connection.execute(update(alert).where(alert.c.id.in_([row["id"] for row in over])).values(resolved_at=clock.now()))
    alert_store.tell_resolved(connection, over)


def _expire(engine: Engine) -> int:
    timers = due.claim(engine, due.EXPIRY, limit=1)
    for timer in timers:
        with db.writing(engine) as connection:
            more = store.expire(connection) + outbox.remove_old(connection)
            audit.forget_old(connection)
            due.finish(connection, timer, again_at=clock.now() + (timedelta(0) if more else _HOURLY))
    return len(timers)
