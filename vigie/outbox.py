"""What must leave the house: written with the results, sent later by whoever claims it.

A claim is one statement that takes a lease and raises a number; sending happens outside any transaction; the result of
a sender that came back too late is refused by its number. So a delivery happens at least once, always under one id.
"""

import random
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select, update

from vigie import clock, db, due, ids, metrics, traces
from vigie.db.tables import attempt, outbox, quotation, webhook
from vigie.errors import VigieError

logger = structlog.get_logger(__name__)

WEBHOOK, MAIL, TOPIC = "webhook", "mail", "topic"
LEASE = timedelta(minutes=2)
# How long the body of what was sent or given up is kept, and how long its id, times and result are.
BODY_KEPT, ROW_KEPT = timedelta(days=30), timedelta(days=365)
RECENT = timedelta(days=7)  # for so long a failed delivery is counted by the metrics and told by `vigie doctor`
# Standard Webhooks' own example of a schedule, three days in all.
_SCHEDULE = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)  # seconds
_QUOTED_ANSWER = "JSON-RPC:"  # begins an error that quotes the receiver's answer
_DUE = select(outbox.c.id).where(outbox.c.state == "waiting", outbox.c.due_at <= db.now()).limit(1)
_WAITS_AFTER_FAILURE = (outbox.c.state == "waiting") & outbox.c.error.is_not(None)
_CAN_BE_RESENT = (outbox.c.state == "failed") & (outbox.c.body != b"")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing for one address, not before `due_at`. Its id is the same for every attempt.

    `mention_ids` are the mentions whose words the body holds, so that an erasure finds it.
    """

    id: str
    kind: str
    company_id: str | None
    address: str
    event_id: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    due_at: datetime | None = None
    claim: int = 0
    attempts: int = 0
    mention_ids: tuple[str, ...] = ()


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
    due_at: datetime | None = None,
    mention_ids: Collection[str] = (),
) -> Delivery:
    """A new delivery, whose id follows from its event and address; due at once unless `due_at` says when."""
    delivery_id = ids.derived(kind, address, event_id)
    return Delivery(
        delivery_id, kind, company_id, address, event_id, body, headers or {}, due_at, mention_ids=tuple(mention_ids)
    )


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
            "due_at": one.due_at or moment,
            "state": "waiting",
            "created_at": moment,
        }
        for one in deliveries
    ]
    db.upsert(connection, outbox, rows)
    quoted = [
        {"delivery_id": new.id, "mention_id": mention_id, "at": moment}
        for new in deliveries
        for mention_id in sorted(set(new.mention_ids))
    ]
    db.upsert(connection, quotation, quoted)


def empty(connection: Connection, delivery_ids: Collection[str]) -> None:
    """Remove what these deliveries held and what the far ends answered; their ids, times and results stay."""
    held = attempt.c.delivery_id.in_(delivery_ids)
    echoed = f"%{_QUOTED_ANSWER}%"
    connection.execute(update(attempt).where(held).values(answer=None))
    connection.execute(update(attempt).where(held, attempt.c.error.like(echoed)).values(error="refused"))
    connection.execute(
        update(outbox).where(outbox.c.id.in_(delivery_ids), outbox.c.error.like(echoed)).values(error="refused")
    )
    connection.execute(update(outbox).where(outbox.c.id.in_(delivery_ids)).values(body=b"", headers={}))
    connection.execute(delete(quotation).where(quotation.c.delivery_id.in_(delivery_ids)))


def remove_old(connection: Connection, limit: int = 500) -> int:
    """Empty the settled deliveries whose body was kept long enough, and remove old rows; return how many of both."""
    now = db.present(connection)
    has_body = outbox.c.body != b""
    stale = select(outbox.c.id).where(outbox.c.settled_at <= now - BODY_KEPT, outbox.c.state != "waiting", has_body)
    stale_ids = connection.scalars(stale.order_by(outbox.c.settled_at).limit(limit)).all()
    old = select(outbox.c.id).where(outbox.c.settled_at <= now - ROW_KEPT, outbox.c.state != "waiting")
    old_ids = connection.scalars(old.order_by(outbox.c.settled_at).limit(limit)).all()
    empty(connection, stale_ids)
    connection.execute(delete(quotation).where(quotation.c.delivery_id.in_(old_ids)))
    connection.execute(delete(outbox).where(outbox.c.id.in_(old_ids)))
    if stale_ids:
        due.schedule(connection, due.MAIL_FILES, ["all"])
    return len(stale_ids) + len(old_ids)


def claim(engine: Engine, kinds: Collection[str], *, limit: int = 20, without: Collection[str] = ()) -> list[Delivery]:
    """Up to `limit` deliveries of those kinds that are due, ours until the lease ends; none to a resting endpoint or to
    `without`."""
    if not db.finds(engine, _DUE):
        return []
    with db.writing(engine) as connection:
        resting = select(webhook.c.id).where(webhook.c.resting_until > db.now())
        ripe = (
            select(outbox.c.id)
            .where(outbox.c.state == "waiting", outbox.c.due_at <= db.now(), outbox.c.kind.in_(list(kinds)))
            .where(outbox.c.address.not_in(resting), outbox.c.address.not_in(list(without)))
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


class Dispatcher:
    """Sends several deliveries at a time, and to one address one after the other: a slow one holds up nobody else."""

    def __init__(self, engine: Engine, senders: Mapping[str, Sender], *, at_once: int = 8) -> None:
        self._engine, self._senders, self._at_once = engine, senders, at_once
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="deliver")
        self._running: dict[Future[None], str] = {}

    def run_once(self, timeout: float = 0.25) -> int:
        """Start what is due; how many deliveries were started or are still on their way."""
        self._running = {future: address for future, address in self._running.items() if not future.done()}
        free = self._at_once - len(self._running)
        claimed = claim(self._engine, self._senders, limit=free, without=self._running.values()) if free else []
        for address, group in _by_address(claimed).items():
            self._running[self._pool.submit(self._send_all, group)] = address
        if self._running:
            wait(self._running, timeout, FIRST_COMPLETED)
        return len(claimed) + sum(not future.done() for future in self._running)

    def close(self) -> None:
        """Wait for what is on its way, and close what the senders hold open."""
        self._pool.shutdown()
        for sender in self._senders.values():
            if close := getattr(sender, "close", None):
                close()

    def _send_all(self, group: Sequence[Delivery]) -> None:
        """One after the other, until one fails or half the lease is over; those behind it are given back."""
        until = time.monotonic() + LEASE.total_seconds() / 2
        for at, one in enumerate(group):
            if not _send(self._engine, self._senders[one.kind], one) or time.monotonic() > until:
                _release(self._engine, group[at + 1 :])
                return


def send_due(engine: Engine, senders: Mapping[str, Sender]) -> int:
    """Send what is due now, and wait for it; how many were attempted."""
    claimed = claim(engine, senders)
    for one in claimed:
        _send(engine, senders[one.kind], one)
    return len(claimed)


def count_failed(connection: Connection, since: datetime) -> int:
    """Return how many deliveries failed for good since then."""
    return connection.scalar(select(func.count()).where(*_failed_since(since))) or 0


def undeliverable(connection: Connection, since: datetime) -> dict[str, tuple[int, str]]:
    """Return, by kind, how many deliveries failed for good since then, and the last error."""
    failed = select(outbox.c.kind, outbox.c.error).where(*_failed_since(since))
    found: dict[str, tuple[int, str]] = {}
    for kind, error in connection.execute(failed.order_by(outbox.c.settled_at)):
        count, _ = found.get(kind, (0, ""))
        found[kind] = count + 1, error or ""
    return found


def _failed_since(since: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return outbox.c.state == "failed", outbox.c.settled_at >= since


def delayed(connection: Connection, kind: str) -> tuple[int, str]:
    """Return how many deliveries of a kind wait after a failed attempt, and the last error."""
    waiting = select(outbox.c.error).where(outbox.c.kind == kind, _WAITS_AFTER_FAILURE)
    errors = connection.scalars(waiting.order_by(outbox.c.due_at)).all()
    return len(errors), errors[-1] if errors else ""


def resend_failed(connection: Connection, kind: str, event_ids: Collection[str] | None = None) -> int:
    """Send what failed once more, from the first attempt on; of those events, or all. How many there were."""
    query = select(outbox.c.id).where(outbox.c.kind == kind, _CAN_BE_RESENT)
    if event_ids is not None:
        query = query.where(outbox.c.event_id.in_(event_ids))
    return again(connection, connection.scalars(query).all())


def unsent_mails(connection: Connection, company_id: str, *, of_host: bool = False) -> tuple[list[str], str]:
    """Return the ids of a company's mails that were given up, or wait after a failed attempt, and the last error.

    With `of_host`, those that belong to no company as well. None that is on its way just now.
    """
    is_theirs = outbox.c.company_id == company_id
    if of_host:
        is_theirs |= outbox.c.company_id.is_(None)
    is_leased = outbox.c.due_at <= db.present(connection) + LEASE
    waits = _WAITS_AFTER_FAILURE & ~is_leased
    query = select(outbox.c.id, outbox.c.error).where(outbox.c.kind == MAIL, is_theirs, _CAN_BE_RESENT | waits)
    rows = connection.execute(query.order_by(outbox.c.created_at, outbox.c.id)).all()
    return [row.id for row in rows], rows[-1].error or "" if rows else ""


def again(connection: Connection, ids_: Collection[str]) -> int:
    """Send these once more, from the first attempt on; return how many there were. One whose body was removed is
    left alone."""
    fresh = {"state": "waiting", "due_at": clock.now(), "attempts": 0, "error": None, "settled_at": None}
    has_body = outbox.c.body != b""
    return connection.execute(update(outbox).where(outbox.c.id.in_(ids_), has_body).values(**fresh)).rowcount


def _by_address(deliveries: Sequence[Delivery]) -> dict[str, list[Delivery]]:
    groups: dict[str, list[Delivery]] = defaultdict(list)
    for one in deliveries:
        groups[one.address].append(one)
    return groups


def _release(engine: Engine, unsent: Sequence[Delivery]) -> None:
    """Give back what was claimed and not tried, as if it had not been claimed."""
    with db.writing(engine) as connection:
        for one in unsent:
            ours = outbox.c.id == one.id, outbox.c.claim == one.claim, outbox.c.state == "waiting"
            back = {"due_at": db.now(), "attempts": outbox.c.attempts - 1}
            connection.execute(update(outbox).where(*ours).values(**back))


def _send(engine: Engine, sender: Sender, one: Delivery) -> bool:
    """Whether it was taken; what came of it is written down."""
    body = _body_now(engine, one)
    if not body and one.body:
        return True
    begun = time.monotonic()
    try:
        parent = one.headers.get(traces.HEADER)
        with traces.span(f"deliver {one.kind}", "client", parent, id=one.id, company=one.company_id) as traceparent:
            traced = {traces.HEADER: traceparent} if traceparent else {}
            sender.send(replace(one, body=body, headers=one.headers | traced))
    except Exception as error:  # a sender's own mistake must not stop the deliveries behind it
        permanent = isinstance(error, VigieError) and error.permanent
        retry_at = None if permanent else _retry_at(one.attempts, getattr(error, "retry_after", None))
        _note_attempt(one, begun, error, retry_at)
        settle(engine, one, error=str(error) or type(error).__name__, retry_at=retry_at)
        return False
    _note_attempt(one, begun)
    settle(engine, one)
    return True


def _note_attempt(
    one: Delivery, begun: float, error: Exception | None = None, retry_at: datetime | None = None
) -> None:
    """Log and count an attempt. The address of a mail is a person's, and what a receiver answers may quote a customer:
    neither is logged."""
    seconds = time.monotonic() - begun
    facts: dict[str, Any] = {"id": one.id, "kind": one.kind, "company": one.company_id, "attempts": one.attempts}
    if one.kind != MAIL:
        facts["to"] = one.address
    if error is None:
        result = "sent"
        logger.info("delivered", **facts, seconds=round(seconds, 3))
    else:
        result = "retry" if retry_at else "failed"
        logger.warning("delivery_failed", **facts, seconds=round(seconds, 3), retry_at=retry_at, error=_shown(error))
    metrics.deliveries.labels(one.kind, result).inc()
    metrics.delivery_seconds.labels(one.kind).observe(seconds)


def _shown(error: Exception) -> str:
    """Return an error as the log shows it: without the receiver's answer, and of a sender's own mistake the type."""
    if not isinstance(error, VigieError):
        return type(error).__name__
    return str(error).partition(_QUOTED_ANSWER)[0] or _QUOTED_ANSWER


def _body_now(engine: Engine, claimed: Delivery) -> bytes:
    """Return the body as it is now: its words may have been erased since it was claimed. Empty if it is gone."""
    this = outbox.c.id == claimed.id, outbox.c.claim == claimed.claim, outbox.c.state == "waiting"
    with db.reading(engine) as connection:
        return connection.scalar(select(outbox.c.body).where(*this)) or b""


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
