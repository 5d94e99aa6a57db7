"""The rows of webhooks and of what they met; secrets are encrypted at rest.

An endpoint that fails rests half as long as it has been failing, up to half an hour, so that it takes nobody's turn;
after five days, or when it answers 410, it is off, and the firm is told by mail.
"""

import base64
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from analysis import endpoints
from analysis.alert_store import raised
from analysis.rules import conditions
from api.webhooks import templates
from vigie import clock, db, due, ids, outbox
from vigie.db.tables import alert, attempt, company, webhook
from vigie.db.tables import outbox as table
from vigie.errors import InvalidInputError, NotFoundError
from vigie.events import AlertRaised
from vigie.outbox import Delivery
from vigie.secrets import Vault

if TYPE_CHECKING:
    from api.webhooks.deliver import Outcome

_BOTH = timedelta(days=1)  # that the former secret signs too
_SHORTEST_REST, _LONGEST_REST = timedelta(seconds=5), timedelta(minutes=30)
_GIVEN_UP = timedelta(days=5)
_ATTEMPT = ("number", "at", "took_ms", "status", "answer", "error")


def add(
    connection: Connection,
    vault: Vault,
    company_id: str,
    url: str,
    events: Sequence[str] = (AlertRaised.TYPE,),
    *,
    rules: Sequence[str] | None = None,
    mentions: Mapping[str, Any] | None = None,
    quiet_hours: str | None = None,
    recipe: str | None = None,
    template: Any = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """A new webhook; its id, and its secret (`whsec_` and 32 random bytes), which is not shown again.

    `headers` and a recipe's template may hold keys, so the former are encrypted and the latter is not shown.
    `quiet_hours`, such as "21:00-07:00" by the firm's own clock: what happens then is sent when they are over.
    Raises `InvalidInputError` for a template, headers, conditions or hours that cannot be used.
    """
    templates.check(template, headers or {})
    _check(mentions, quiet_hours)
    webhook_id = ids.drawn("wh")
    secret = _new_secret()
    connection.execute(
        webhook.insert().values(
            id=webhook_id,
            company_id=company_id,
            url=url,
            secret=vault.encrypt(secret),
            events=list(events),
            rules=None if rules is None else list(rules),
            mentions=mentions,
            quiet_hours=quiet_hours,
            recipe=recipe,
            template=None if template is None else vault.encrypt(json.dumps(template)),
            headers=vault.encrypt(json.dumps(dict(headers))) if headers else None,
            created_at=clock.now(),
        )
    )
    return webhook_id, secret


def of_company(connection: Connection, company_id: str) -> Sequence[RowMapping]:
    """A firm's webhooks, oldest first."""
    ours = select(webhook).where(webhook.c.company_id == company_id)
    return connection.execute(ours.order_by(webhook.c.created_at, webhook.c.id)).mappings().all()


def remove(connection: Connection, company_id: str, webhook_id: str) -> None:
    """Raises `NotFoundError` for a webhook of another firm."""
    ours = webhook.c.id == webhook_id, webhook.c.company_id == company_id
    if connection.execute(delete(webhook).where(*ours)).rowcount == 0:
        raise NotFoundError(f"there is no webhook {webhook_id!r}")


def change(connection: Connection, company_id: str, webhook_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Change url, events, rules, mentions, quiet hours or paused. One that is taken up again is no longer off, and
    starts afresh."""
    hook = of_firm(connection, company_id, webhook_id)
    if "url" in values and hook["headers"]:
        raise InvalidInputError("this webhook sends a key: for another address, make a new one")
    _check(values.get("mentions"), values.get("quiet_hours"))
    if values.get("paused") is False or "url" in values:
        values = {**values, "off": None, "failing_since": None, "resting_until": None}
    if values:
        connection.execute(update(webhook).where(webhook.c.id == webhook_id).values(**values))
    return of_firm(connection, company_id, webhook_id)


def rotate(connection: Connection, vault: Vault, company_id: str, webhook_id: str) -> str:
    """A new secret, shown once; the former one signs besides for a day."""
    row = of_firm(connection, company_id, webhook_id)
    secret = _new_secret()
    connection.execute(
        update(webhook)
        .where(webhook.c.id == webhook_id)
        .values(secret=vault.encrypt(secret), former_secret=row["secret"], former_until=clock.now() + _BOTH)
    )
    return secret


def signing_secrets(hook: Mapping[str, Any], vault: Vault) -> list[str]:
    """The secrets that sign now."""
    both = [hook["secret"]]
    if hook["former_secret"] and hook["former_until"] > clock.now():
        both.append(hook["former_secret"])
    return [vault.decrypt(one) for one in both]


def own_headers(hook: Mapping[str, Any], vault: Vault) -> dict[str, str]:
    """The headers that the firm or a recipe set."""
    return dict(json.loads(vault.decrypt(hook["headers"]))) if hook["headers"] else {}


def template_of(hook: Mapping[str, Any], vault: Vault) -> Any:
    """What is sent in the event's place; None for the event itself."""
    return json.loads(vault.decrypt(hook["template"])) if hook["template"] else None


def test(connection: Connection, company_id: str, webhook_id: str) -> str:
    """Send an alert that says it is a test, signed as the real ones; the delivery's id."""
    hook = of_firm(connection, company_id, webhook_id)
    moment = clock.now()
    shown: dict[str, Any] = {
        "id": ids.drawn("test"), "company_id": company_id, "rule": "test", "facts": {"quote": "Ceci est un essai."},
        "mention_ids": [], "happened_at": moment.isoformat(), "raised_at": moment.isoformat(), "resolved_at": None,
        "test": True,
    }  # fmt: skip
    event = AlertRaised(id=shown["id"], time=moment, company_id=company_id, shown=shown)
    sent = endpoints.delivery(event, hook)
    outbox.enqueue(connection, [sent])
    return sent.id


def deliveries(
    connection: Connection,
    company_id: str,
    webhook_id: str,
    *,
    limit: int = 50,
    after: tuple[datetime, str] | None = None,
) -> list[dict[str, Any]]:
    """What was sent there, latest first, each with its attempts."""
    of_firm(connection, company_id, webhook_id)
    query = select(table).where(table.c.address == webhook_id, table.c.kind == outbox.WEBHOOK)
    if after:
        query = query.where(db.before(table.c.created_at, table.c.id, after))
    rows = (
        connection.execute(query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)).mappings().all()
    )
    tries: dict[str, list[dict[str, Any]]] = {}
    met = select(attempt).where(attempt.c.delivery_id.in_([row["id"] for row in rows])).order_by(attempt.c.number)
    for one in connection.execute(met).mappings():
        tries.setdefault(one["delivery_id"], []).append({name: one[name] for name in _ATTEMPT})
    return [
        {
            **{name: row[name] for name in ("id", "event_id", "state", "error", "created_at", "settled_at")},
            "due_at": row["due_at"] if row["state"] == "waiting" else None,
            "body": json.loads(row["body"]) if row["body"] else None,
            "attempts": tries.get(row["id"], []),
        }
        for row in rows
    ]


def replay(connection: Connection, company_id: str, webhook_id: str, delivery_id: str) -> None:
    """Send one delivery again, under its own id."""
    of_firm(connection, company_id, webhook_id)
    ours = select(table.c.id).where(table.c.id == delivery_id, table.c.address == webhook_id)
    if not outbox.again(connection, connection.scalars(ours).all()):
        if connection.scalars(ours).first():
            raise InvalidInputError(f"the words of delivery {delivery_id!r} were removed: it cannot be sent again")
        raise NotFoundError(f"there is no delivery {delivery_id!r}")


def replay_since(connection: Connection, company_id: str, webhook_id: str, since: datetime) -> int:
    """Send every alert raised since then again, those included that a pause kept back; return how many.
    Deliveries whose body was removed, after thirty days or by an erasure, are left alone."""
    hook = of_firm(connection, company_id, webhook_id)
    since_then = select(alert).where(alert.c.company_id == company_id, alert.c.raised_at >= since)
    rows = [dict(row) for row in connection.execute(since_then.order_by(alert.c.raised_at)).mappings()]
    told = [(raised(row), row) for row in rows]
    sent = [endpoints.delivery(event, hook) for event, row in told if endpoints.wants(hook, event, row)]
    outbox.enqueue(connection, sent)
    return outbox.again(connection, [one.id for one in sent])


def of_firm(connection: Connection, company_id: str, webhook_id: str) -> dict[str, Any]:
    """Raises `NotFoundError` for a webhook of another firm."""
    row = find(connection, webhook_id)
    if row is None or row["company_id"] != company_id:
        raise NotFoundError(f"there is no webhook {webhook_id!r}")
    return row


def find(connection: Connection, webhook_id: str) -> dict[str, Any] | None:
    """The webhook, whosever it is, with its firm's `sector`."""
    query = select(webhook, company.c.sector).join(company, company.c.id == webhook.c.company_id)
    row = connection.execute(query.where(webhook.c.id == webhook_id)).mappings().one_or_none()
    return dict(row) if row else None


def note(connection: Connection, hook: Mapping[str, Any], delivery: Delivery, outcome: "Outcome") -> None:
    """Write down what an attempt met, and what it says of the endpoint."""
    moment = clock.now()
    number = select(func.coalesce(func.max(attempt.c.number), 0) + 1).where(attempt.c.delivery_id == delivery.id)
    met = {"status": outcome.status, "answer": outcome.answer, "error": outcome.error, "took_ms": outcome.took_ms}
    connection.execute(
        attempt.insert().values(delivery_id=delivery.id, number=number.scalar_subquery(), at=moment, **met)
    )
    health = _health(hook, outcome, moment)
    if health is None:
        return
    ours = webhook.c.id == hook["id"], webhook.c.off.is_(None)
    changed = connection.execute(update(webhook).where(*ours).values(**health)).rowcount
    if changed and health.get("off"):
        due.schedule(connection, due.ENDPOINT_OFF, [hook["id"]])


def _health(hook: Mapping[str, Any], outcome: "Outcome", moment: datetime) -> dict[str, Any] | None:
    """What an attempt changes about its endpoint; None for nothing."""
    if outcome.is_taken:
        return {"failing_since": None, "resting_until": None} if hook["failing_since"] else None
    since = hook["failing_since"] or moment
    rest = min(_LONGEST_REST, max(_SHORTEST_REST, (moment - since) / 2))
    health: dict[str, Any] = {"failing_since": since, "resting_until": moment + rest}
    if outcome.is_gone or moment - since > _GIVEN_UP:
        health["off"] = "gone" if outcome.is_gone else "failing"
    return health


def _check(mentions: Mapping[str, Any] | None, quiet_hours: str | None) -> None:
    if mentions is not None:
        conditions(mentions)
    if quiet_hours is not None and (not re.fullmatch(clock.HOURS, quiet_hours) or quiet_hours[:5] == quiet_hours[6:]):
        raise InvalidInputError(f"quiet hours are such as 21:00-07:00, not {quiet_hours!r}")


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
