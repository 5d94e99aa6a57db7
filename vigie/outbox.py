"""What must leave the house: written with the results, sent later by whoever claims it.

A claim is one statement that takes a lease and raises a number; sending happens outside any transaction; the result of
a sender that came back too late is refused by its number. So a delivery happens at least once, always under one id.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, Engine, select, update

from vigie import clock, db, ids
from vigie.db.tables import outbox
from vigie.errors import VigieError

logger = structlog.get_logger(__name__)

WEBHOOK, MAIL, TOPIC = "webhook", "mail", "topic"
LEASE = timedelta(minutes=2)
# Standard Webhooks' own example of a schedule, three days in all.
_SCHEDULE = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)  # seconds


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing for one address. Its id is the same for every attempt."""

    id: str
    kind: str
    company_id: str | None
    address: str
    event_id: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    claim: int = 0
    attempts: int = 0


class DeliveryError(VigieError):
    """The far end did not take it. `retry_after` is in seconds, when it asked for a pause."""

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.permanent, self.retry_after = permanent, retry_after


class Sender(Protocol):
    """How one kind of delivery leaves. Called outside any transaction."""

    def send(self, delivery: Delivery) -> None:
        """Raises `DeliveryError`, permanent if another attempt cannot help."""


def delivery(
    kind: str,
    company_id: str | None,
    address: str,
    event_id: str,
    body: bytes,
    headers: dict[str, str] | None = None,
) -> Delivery:
    """A new delivery, whose id follows from its event and address."""
    return Delivery(ids.derived(kind, address, event_id), kind, company_id, address, event_id, body, headers or {})


def enqueue(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    """Written with what they tell of; one that was enqueued before stays as it is."""
    moment = clock.now()
    rows = [
        {
            "id": one.id,
            "kind": one.kind,
            "company_id": one.company_id,
            "address": one.address,
            "event_id": one.event_id,
            "body": one.body,
            "headers": one.headers,
            "due_at": moment,
            "state": "waiting",
            "created_at": moment,
        }
        for one in deliveries
    ]
    db.upsert(connection, outbox, rows)


def claim(engine: Engine, *, limit: int = 20) -> list[Delivery]:
    """Up to `limit` deliveries that are due, ours until the lease ends."""
    with db.writing(engine) as connection:
        ripe = (
            select(outbox.c.id)
            .where(outbox.c.state == "waiting", outbox.c.due_at <= db.now())
            .order_by(outbox.c.due_at)
            .limit(limit)
        )
        if connection.dialect.name == "postgresql":
            ripe = ripe.with_for_update(skip_locked=True)
        until = db.present(connection) + LEASE
        taken = (
            update(outbox)
            .where(outbox.c.id.in_(ripe))
            .values(due_at=until, claim=outbox.c.claim + 1, attempts=outbox.c.attempts + 1)
            .returning(outbox)
        )
        rows = connection.execute(taken).all()
    return [_delivery(dict(row._mapping)) for row in rows]


def send_due(engine: Engine, senders: Mapping[str, Sender], *, limit: int = 20) -> int:
    """Claim what is due and send it; how many were attempted."""
    claimed = claim(engine, limit=limit)
    for one in claimed:
        _send(engine, senders[one.kind], one)
    return len(claimed)


def _send(engine: Engine, sender: Sender, one: Delivery) -> None:
    try:
        sender.send(one)
    except Exception as error:  # a sender's own mistake must not stop the deliveries behind it
        permanent = isinstance(error, VigieError) and error.permanent
        logger.warning("delivery_failed", id=one.id, kind=one.kind, attempts=one.attempts, error=str(error))
        retry_at = None if permanent else _retry_at(one.attempts, getattr(error, "retry_after", None))
        settle(engine, one, error=str(error) or type(error).__name__, retry_at=retry_at)
    else:
        settle(engine, one)


def settle(engine: Engine, one: Delivery, *, error: str | None = None, retry_at: datetime | None = None) -> bool:
    """Note what came of an attempt; False, and nothing noted, if somebody else has claimed it since."""
    with db.writing(engine) as connection:
        if retry_at:
            values: dict[str, Any] = {"due_at": retry_at, "error": error}
        else:
            values = {"state": "failed" if error else "sent", "error": error, "settled_at": clock.now()}
        ours = outbox.c.id == one.id, outbox.c.claim == one.claim, outbox.c.state == "waiting"
        return connection.execute(update(outbox).where(*ours).values(**values)).rowcount == 1


def _retry_at(attempts: int, retry_after: float | None) -> datetime | None:
    """When to try again: the schedule with a tenth of jitter, or later where the far end asked; None: give up."""
    if attempts > len(_SCHEDULE):
        return None
    wait = _SCHEDULE[attempts - 1] * random.uniform(0.9, 1.1)  # noqa: S311 # jitter is no secret
    return clock.now() + timedelta(seconds=max(wait, min(retry_after or 0, 86_400)))


def _delivery(row: Mapping[str, Any]) -> Delivery:
    names = ("id", "kind", "company_id", "address", "event_id", "body", "headers", "claim", "attempts")
    return Delivery(**{name: row[name] for name in names})
