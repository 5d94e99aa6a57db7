"""Alerts by mail: at once or once a day, several in one mail, never at night.

A mail tells what was raised since the one before and, to those who wish, again what nobody has seen to. At once means
at most one mail an hour, between seven in the morning and nine in the evening of the firm; once a day means at seven.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, select, update

from analysis import endpoints
from dashboards import i18n, letters, weekly
from vigie import clock, companies, db, due, ids
from vigie.db.tables import alert, alerted, recipient
from vigie.settings import Settings

_MORNING = 7
_PAUSE = timedelta(hours=1)
_FRESH = timedelta(days=7)
# How long after each time an alert that nobody has seen to is told again, to those who wish; three times at most.
_REMINDED = (timedelta(days=2), timedelta(days=7), timedelta(days=7))
_MOST = 20


def send_due(engine: Engine, settings: Settings) -> int:
    """Mail the alerts of the firms whose turn it is; how many firms that was."""
    timers = due.claim(engine, due.ALERT_MAIL)
    for timer in timers:
        with db.writing(engine) as connection:
            again_at = _tell_firm(connection, settings, timer.key)
            due.finish(connection, timer, again_at=again_at)
    return len(timers)


def moment(how: str, told: datetime | None, now: datetime, timezone: str) -> datetime:
    """The next moment at which somebody who was told at `told` may be told again. Pure."""
    earliest = max(now, told + _PAUSE) if told else now
    local = earliest.astimezone(clock.zone(timezone))
    if how == "daily":
        morning = local.replace(hour=_MORNING, minute=0, second=0, microsecond=0)
        was_told = told is not None and told.astimezone(clock.zone(timezone)) >= morning
        if local >= morning and not was_told and local - morning < _PAUSE:
            return earliest
        return (morning if local < morning else morning + timedelta(days=1)).astimezone(UTC)
    return clock.after_quiet(earliest, letters.NIGHT, timezone)


def _tell_firm(connection: Connection, settings: Settings, company_id: str) -> datetime | None:
    """Write to those whose moment it is; when the next is, if somebody waits."""
    firm, now = dict(companies.get(connection, company_id)), db.present(connection)  # the timers' clock
    waiting = []
    for who in companies.recipients(connection, company_id):
        if who["alerts"] == "none":
            continue
        found, later = _parted(_open(connection, company_id, who), now)
        at = moment(who["alerts"], who["alerted_at"], now, firm["timezone"])
        if found and at <= now:
            _write(connection, settings, firm, who, found)
            later = [*later, now + _REMINDED[0]] if who["reminders"] else later
        elif found:
            waiting.append(at)
        waiting += later
    return min(waiting, default=None)


def _parted(rows: Sequence[dict[str, Any]], now: datetime) -> tuple[list[dict[str, Any]], list[datetime]]:
    """The alerts that are to be told now, and when others are to be told again. Pure."""
    again_at = {row["id"]: _again_at(row) for row in rows if row["told_at"]}
    later = [moment for moment in again_at.values() if moment > now]
    return [row for row in rows if again_at.get(row["id"], now) <= now], later


def _again_at(row: Mapping[str, Any]) -> datetime:
    moment: datetime = row["told_at"] + _REMINDED[row["times"] - 1]
    return max(moment, row["snoozed_until"] or moment)


def _open(connection: Connection, company_id: str, who: RowMapping) -> list[dict[str, Any]]:
    """What this recipient does not know yet and nobody has dealt with, the latest first; to those who want reminders
    also what they were told and nobody has seen to, with when it was told."""
    told = (alerted.c.alert_id == alert.c.id) & (alerted.c.company_id == company_id) & (alerted.c.email == who["email"])
    since = alert.c.raised_at > max(who["created_at"], db.present(connection) - _FRESH)
    wanted = since & alerted.c.alert_id.is_(None)
    if who["reminders"]:
        is_left = alerted.c.told_at.is_not(None) & (alerted.c.times <= len(_REMINDED))
        wanted |= is_left & alert.c.acknowledged_at.is_(None)
    query = select(alert, alerted.c.told_at, alerted.c.times).outerjoin(alerted, told)
    query = query.where(alert.c.company_id == company_id, alert.c.resolved_at.is_(None), wanted)
    if who["rules"] is not None:
        query = query.where(alert.c.rule.in_(who["rules"]))
    return [dict(row) for row in connection.execute(query.order_by(alert.c.raised_at.desc(), alert.c.id)).mappings()]


def _write(
    connection: Connection, settings: Settings, firm: Mapping[str, Any], who: RowMapping, found: list[dict[str, Any]]
) -> None:
    page = weekly.page_of(settings, firm["id"])
    if endpoints.is_medical(firm["sector"]):
        found = [endpoints.alert_without_words(one) for one in found]
    if who["edition"] == "team":
        found = [_discreet(one, firm["staff"]) for one in found]
    values = {
        "firm": firm["name"],
        "timezone": firm["timezone"],
        "alerts": found[:_MOST],
        "more": max(0, len(found) - _MOST),
        "page": f"{page}/alerts" if page else None,
    }
    times = [found[0]["times"]] if found[0]["times"] else []
    event_id = ids.derived("alert_mail", firm["id"], who["email"], found[0]["id"], *times)
    quoted = {mention_id for one in found for mention_id in one["mention_ids"]}
    letters.enqueue(
        connection, settings, firm["id"], who["email"], "alerts", who["language"], event_id, values, mention_ids=quoted
    )
    now = db.present(connection)
    ours = recipient.c.company_id == firm["id"], recipient.c.email == who["email"]
    connection.execute(update(recipient).where(*ours).values(alerted_at=now))
    rows = [
        {
            "company_id": firm["id"],
            "email": who["email"],
            "alert_id": one["id"],
            "told_at": now,
            "times": (one["times"] or 0) + 1,
        }
        for one in found
    ]
    db.upsert(connection, alerted, rows, update=("told_at", "times"))


def _discreet(one: Mapping[str, Any], staff: Sequence[str]) -> dict[str, Any]:
    """An alert for the team: what it quotes names nobody of them."""
    if "quote" not in one["facts"]:
        return dict(one)
    return {**one, "facts": {**one["facts"], "quote": i18n.unnamed(one["facts"]["quote"], staff)}}
