"""The rows of rules: the four switches that every firm has, and the rules that it wrote."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from analysis import rules
from analysis.queries import COUNTS
from vigie import clock, db, ids
from vigie.db.tables import mention, rule
from vigie.errors import InvalidInputError, NotFoundError
from vigie.names import check_name

Row = dict[str, Any]
PREVIEW_DAYS = 90
_MOST_RULES, _MOST_LOOKED_AT, _EXAMPLES = 50, 5_000, 3


def of_company(connection: Connection, company_id: str) -> list[Row]:
    """The switches, on unless somebody switched them off, those that are off until somebody switches them on, and then
    the firm's own rules, oldest first."""
    rows = select(rule).where(rule.c.company_id == company_id).order_by(rule.c.created_at, rule.c.id)
    stored = [dict(row) for row in connection.execute(rows).mappings()]
    on = rules.switched_on({row["kind"]: row["enabled"] for row in stored if row["kind"] != rules.OWN})
    switches = [_switch(name, name in on) for name in rules.EVERY]
    return [*switches, *(_shown(row) for row in stored if row["kind"] == rules.OWN)]


def switched_on(connection: Connection, company_id: str) -> set[str]:
    """The switches that are on."""
    ours = rule.c.company_id == company_id, rule.c.kind != rules.OWN
    rows = connection.execute(select(rule.c.kind, rule.c.enabled).where(*ours))
    return rules.switched_on({row.kind: row.enabled for row in rows})


def add(connection: Connection, company_id: str, name: str, conditions: Mapping[str, Any]) -> str:
    """A new rule; its id. Raises `InvalidInputError` for conditions that are none, or too many rules."""
    check_name(name)
    rules.conditions(conditions)
    if len(of_company(connection, company_id)) - len(rules.EVERY) >= _MOST_RULES:
        raise InvalidInputError(f"a firm has {_MOST_RULES} rules at most")
    rule_id = ids.drawn("ru")
    connection.execute(
        rule.insert().values(
            id=rule_id,
            company_id=company_id,
            kind=rules.OWN,
            name=name,
            conditions={key: value for key, value in conditions.items() if value is not None},
            enabled=True,
            created_at=clock.now(),
        )
    )
    return rule_id


def change(connection: Connection, company_id: str, rule_id: str, values: Mapping[str, Any]) -> Row:
    """Change name, conditions or enabled; a switch has the last alone. Raises `NotFoundError` for another firm's."""
    if rule_id in rules.EVERY:
        if set(values) - {"enabled"}:
            raise InvalidInputError(f"{rule_id} can be switched on and off, and no more")
        return _turn(connection, company_id, rule_id, bool(values.get("enabled", True)))
    check_name(values.get("name") or "")
    if "conditions" in values:
        rules.conditions(values["conditions"])
        kept = {key: value for key, value in values["conditions"].items() if value is not None}
        values = {**values, "conditions": kept}
    ours = rule.c.id == rule_id, rule.c.company_id == company_id, rule.c.kind == rules.OWN
    if values:
        connection.execute(update(rule).where(*ours).values(**values))
    row = connection.execute(select(rule).where(*ours)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no rule {rule_id!r}")
    return _shown(dict(row))


def remove(connection: Connection, company_id: str, rule_id: str) -> None:
    """Its alerts stay. Raises `NotFoundError` for another firm's, `InvalidInputError` for a switch."""
    if rule_id in rules.EVERY:
        raise InvalidInputError(f"{rule_id} cannot be removed: switch it off")
    ours = rule.c.id == rule_id, rule.c.company_id == company_id
    if connection.execute(delete(rule).where(*ours)).rowcount == 0:
        raise NotFoundError(f"there is no rule {rule_id!r}")


def preview(connection: Connection, company_id: str, conditions: Mapping[str, Any], today: date) -> Row:
    """What such a rule would have raised in the last ninety days: {days, alerts, examples}."""
    wanted = rules.conditions(conditions)
    since = (today - timedelta(days=PREVIEW_DAYS)).isoformat()
    recent = select(mention).where(mention.c.company_id == company_id, mention.c.day > since, COUNTS)
    rows = connection.execute(recent.order_by(mention.c.published_at.desc()).limit(_MOST_LOOKED_AT)).mappings()
    meant = [row for row in map(dict, rows) if rules.matches(wanted, row)]
    examples = [{name: row[name] for name in ("id", "day", "rating", "text")} for row in meant[:_EXAMPLES]]
    return {"days": PREVIEW_DAYS, "alerts": len(meant), "examples": examples}


def _turn(connection: Connection, company_id: str, kind: str, enabled: bool) -> Row:
    row = {
        "id": ids.derived("switch", company_id, kind), "company_id": company_id, "kind": kind, "name": kind,
        "conditions": None, "enabled": enabled, "created_at": clock.now(),
    }  # fmt: skip
    db.upsert(connection, rule, [row], update=("enabled",))
    return _switch(kind, enabled)


def _switch(kind: str, enabled: bool) -> Row:
    return {"id": kind, "kind": kind, "name": kind, "conditions": None, "enabled": enabled}


def _shown(row: Row) -> Row:
    return {name: row[name] for name in ("id", "kind", "name", "conditions", "enabled")}
