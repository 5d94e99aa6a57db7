"""Alerts into the database, with what tells of them, in the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from analysis import alerts, endpoints, publishing, rule_store, rules
from analysis.alerts import Finding
from vigie import clock, db, due, ids
from vigie.db.tables import alert, rule
from vigie.errors import NotFoundError
from vigie.events import AlertRaised, AlertResolved

Row = dict[str, Any]
_MOST_A_DAY = 10  # alerts of one rule that a firm wrote; a rule that is too wide must not drown the others


def raise_for(connection: Connection, rows: list[Row]) -> None:
    """What follows from mentions that are not of the past: alerts of the negative ones and of those that a firm's own
    rules mean, and what webhooks are told of each."""
    fresh = [row for row in rows if not row["silent"] and row["status"] == "new" and row["apart"] is None]
    if not fresh:
        return
    endpoints.tell_analysed(connection, fresh)
    own = _own_rules(connection, {row["company_id"] for row in fresh})
    for (company_id, day), group in _by_day(fresh).items():
        findings = _of_negatives(connection, company_id, day, [row for row in group if alerts.is_negative(row)])
        findings += _of_own_rules(connection, own.get(company_id, []), day, group)
        raise_alerts(connection, company_id, findings)


def _of_negatives(connection: Connection, company_id: str, day: str, group: list[Row]) -> list[Finding]:
    """One for each negative mention, up to three a day and firm."""
    findings: list[Finding] = []
    raised = _raised_on(connection, company_id, day) if group else set()
    for row in group:
        finding = alerts.negative(row, ())
        if finding.alert_id(company_id) not in raised:  # a replay raises what was raised, and not the day's besides
            finding = alerts.negative(row, raised)
        raised.add(finding.alert_id(company_id))
        findings.append(finding)
    return findings


def raise_alerts(connection: Connection, company_id: str, findings: Iterable[Finding], *, tell: bool = True) -> int:
    """Store findings that are new, and enqueue what tells of them; how many were new."""
    off = set(rules.EVERY) - rule_store.switched_on(connection, company_id)
    found = {finding.alert_id(company_id): finding for finding in findings if finding.rule not in off}
    if not found:
        return 0
    known = set(connection.scalars(select(alert.c.id).where(alert.c.id.in_(list(found)))))
    rows = [_alert_row(company_id, alert_id, one) for alert_id, one in found.items() if alert_id not in known]
    db.upsert(connection, alert, rows)
    if tell:
        told = [(raised(row), row) for row in rows]
        endpoints.tell(connection, company_id, told)
        publishing.publish(connection, [event for event, _ in told])
        due.schedule(connection, due.ALERT_MAIL, [company_id] if rows else [])
    return len(rows)


def _of_own_rules(connection: Connection, own: Iterable[Row], day: str, group: list[Row]) -> list[Finding]:
    """What the firm's own rules find, ten of each rule a day at most."""
    findings: list[Finding] = []
    for one in own:
        wanted, name = rules.conditions(one["conditions"]), rules.alert_rule(one["id"])
        meant = [row for row in group if rules.matches(wanted, row)]
        if meant:
            same_day = alert.c.company_id == one["company_id"], alert.c.rule == name
            known = select(alert.c.id).where(*same_day, alert.c.happened_at == clock.midnight(date.fromisoformat(day)))
            left = max(0, _MOST_A_DAY - len(connection.scalars(known).all()))
            findings += [alerts.by_rule(name, one["name"], row) for row in meant[:left]]
    return findings


def _own_rules(connection: Connection, company_ids: set[str]) -> dict[str, list[Row]]:
    """The rules that firms wrote and have not switched off."""
    on = rule.c.company_id.in_(company_ids), rule.c.enabled, rule.c.kind == rules.OWN
    found: dict[str, list[Row]] = defaultdict(list)
    for row in connection.execute(select(rule).where(*on).order_by(rule.c.created_at)).mappings():
        found[row["company_id"]].append(dict(row))
    return found


def handle(connection: Connection, company_id: str, alert_id: str, *, by: str, resolve: bool) -> Row:
    """Somebody has seen an alert, or has dealt with it; endpoints that ask for `alert.resolved` are told of the latter.

    Raises `NotFoundError` for an alert of another firm.
    """
    ours = alert.c.id == alert_id, alert.c.company_id == company_id
    row = connection.execute(select(alert).where(*ours)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no alert {alert_id!r}")
    moment = clock.now()
    values: Row = {}
    if row["acknowledged_at"] is None:
        values |= {"acknowledged_at": moment, "acknowledged_by": by}
    if resolve and row["resolved_at"] is None:
        values["resolved_at"] = moment
    changed = {**row, **values}
    if values:
        connection.execute(update(alert).where(*ours).values(**values))
    if "resolved_at" in values:
        tell_resolved(connection, [changed])
    return changed


def snooze(connection: Connection, company_id: str, alert_id: str, until: datetime) -> None:
    """Show an alert below the others until then. Raises `NotFoundError` for an alert of another firm."""
    ours = alert.c.id == alert_id, alert.c.company_id == company_id
    if connection.execute(update(alert).where(*ours).values(snoozed_until=until)).rowcount != 1:
        raise NotFoundError(f"there is no alert {alert_id!r}")


def tell_resolved(connection: Connection, rows: Iterable[Row]) -> None:
    """Endpoints that ask for `alert.resolved` hear that these are over."""
    for row in rows:
        event_id = ids.derived("resolved", row["id"])
        shown = shown_alert(row)
        told = AlertResolved(id=event_id, time=row["resolved_at"], company_id=row["company_id"], shown=shown)
        endpoints.tell(connection, row["company_id"], [(told, row)])
        publishing.publish(connection, [told])


def shown_alert(row: Mapping[str, Any]) -> Row:
    """An alert as the API, the pages and webhooks show it."""
    return {
        "id": row["id"],
        "company_id": row["company_id"],
        "rule": row["rule"],
        "window": row["window"],
        "facts": row["facts"],
        "mention_ids": row["mention_ids"],
        "happened_at": _iso(row["happened_at"]),
        "raised_at": _iso(row["raised_at"]),
        "acknowledged_at": _iso(row["acknowledged_at"]),
        "resolved_at": _iso(row["resolved_at"]),
    }


def _by_day(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["company_id"], row["day"]].append(row)
    return groups


def _raised_on(connection: Connection, company_id: str, day: str) -> set[str]:
    """The negative-mention alerts that the firm already has for that day, told by the alerts alone: when mentions are
    replayed into emptied tables, nobody is alerted of others than the first time."""
    at = clock.midnight(date.fromisoformat(day))
    same_day = alert.c.company_id == company_id, alert.c.rule == alerts.NEGATIVE, alert.c.happened_at == at
    return set(connection.scalars(select(alert.c.id).where(*same_day)))


def _alert_row(company_id: str, alert_id: str, finding: Finding) -> Row:
    return {
        "id": alert_id,
        "company_id": company_id,
        "rule": finding.rule,
        "subject": finding.subject,
        "window": finding.window,
        "facts": finding.facts,
        "mention_ids": list(finding.mention_ids),
        "happened_at": clock.midnight(finding.day),
        "raised_at": clock.now(),
        "acknowledged_at": None,
        "resolved_at": None,
    }


def raised(row: Row) -> AlertRaised:
    """The event of an alert; its id is the alert's."""
    return AlertRaised(id=row["id"], time=row["raised_at"], company_id=row["company_id"], shown=shown_alert(row))


def _iso(moment: Any) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
