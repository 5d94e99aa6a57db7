"""The one timer: a row says what is due when, and whoever claims it first does it.

Times are the database's, never a worker's. A claim moves `due_at` by a lease and raises a number; a worker that comes
back after its lease finds another number there and changes nothing. Jobs are idempotent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, bindparam, case, delete, or_, select, update

from vigie import db
from vigie.db.tables import due

# Polls of sources; weekly mails; rules over time; homonyms decided anew; silent and failing sources; words that expire.
POLL, REPORT, ALERTS, RELEVANCE, SOURCES, EXPIRY = "poll", "report", "alerts", "relevance", "sources", "expiry"
# A webhook that was switched off, of which its owner must hear.
ENDPOINT_OFF = "endpoint_off"
# Mentions that no search finds yet, after an upgrade or a restored backup.
SEARCH = "search"
# Firms whose mentions another analyser read.
REREAD = "reread"
# Alerts that wait to be mailed.
ALERT_MAIL = "alert_mail"
# Files of mails whose words were erased.
MAIL_FILES = "mail_files"
# The Monday mail of somebody who follows several firms; whoever has no such timer wants none.
ROUND = "round"

_DUE = select(due.c.key).where(due.c.kind == bindparam("kind"), due.c.due_at <= db.now()).limit(1)


@dataclass(frozen=True, slots=True)
class Timer:
    """A job that was claimed: `key` is whom it is for, `due_at` when it should have run."""

    kind: str
    key: str
    due_at: datetime
    claim: int
    since: str | None = None


def schedule(
    connection: Connection,
    kind: str,
    keys: Sequence[str],
    *,
    at: datetime | None = None,
    since: dict[str, str] | None = None,
) -> None:
    """Make those jobs due at `at` (None: now), or earlier where they already are.

    `since` gives the first day each has to look at; the earliest one stays. A job that runs meanwhile runs again.
    """
    moment = at or db.present(connection)
    rows = [
        {"kind": kind, "key": key, "due_at": moment, "claim": 0, "since": (since or {}).get(key)}
        for key in sorted(keys)
    ]
    db.upsert(connection, due, rows, update=_earlier)


def _earlier(table: Table, new: Any) -> dict[str, Any]:
    known = table.c
    return {
        "due_at": case((new.due_at < known.due_at, new.due_at), else_=known.due_at),
        "since": case((or_(known.since.is_(None), new.since < known.since), new.since), else_=known.since),
        "claim": known.claim + 1,
    }


def claim(
    engine: Engine,
    kind: str,
    *,
    limit: int = 20,
    lease: timedelta = timedelta(minutes=2),
    except_for: Select[tuple[str]] | None = None,
) -> list[Timer]:
    """Up to `limit` jobs that are due, ours until the lease ends; none whose key `except_for` selects."""
    if not db.finds(engine, _DUE, kind=kind):
        return []
    with db.writing(engine) as connection:
        ripe = select(due.c.key).where(due.c.kind == kind, due.c.due_at <= db.now()).order_by(due.c.due_at).limit(limit)
        if except_for is not None:
            ripe = ripe.where(due.c.key.not_in(except_for))
        if connection.dialect.name == "postgresql":
            ripe = ripe.with_for_update(skip_locked=True)
        rows = connection.execute(select(due).where(due.c.kind == kind, due.c.key.in_(ripe))).all()
        if not rows:
            return []
        until = db.present(connection) + lease
        taken = []
        for row in sorted(rows, key=lambda row: row.due_at):
            ours = update(due).where(due.c.kind == kind, due.c.key == row.key, due.c.claim == row.claim)
            if connection.execute(ours.values(claim=row.claim + 1, due_at=until)).rowcount:
                taken.append(Timer(kind, row.key, row.due_at, row.claim + 1, row.since))
        return taken


def finish(connection: Connection, timer: Timer, *, again_at: datetime | None = None) -> bool:
    """The job is done: remove it, or set it anew. False if somebody claimed or asked for it meanwhile."""
    ours = (due.c.kind == timer.kind, due.c.key == timer.key, due.c.claim == timer.claim)
    if again_at is None:
        return connection.execute(delete(due).where(*ours)).rowcount == 1
    again = update(due).where(*ours).values(due_at=again_at, since=None)
    return connection.execute(again).rowcount == 1


def is_set(connection: Connection, kind: str, key: str) -> bool:
    """Whether such a job is to come."""
    return connection.execute(select(due.c.key).where(due.c.kind == kind, due.c.key == key)).first() is not None


def cancel(connection: Connection, kind: str, key: str) -> None:
    """Forget the job."""
    connection.execute(delete(due).where(due.c.kind == kind, due.c.key == key))
