"""Totals that outlive a process, for `/metrics` and `doctor`."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select

from vigie import clock, db
from vigie.db.tables import counter

DROPPED_MENTIONS = "dropped_mentions"
ROLE_RESTARTS = "role_restarts"
UNREADABLE_ITEMS = "unreadable_items"  # mails and entries of strangers, skipped one by one


def add(connection: Connection, name: str, amount: int) -> None:
    """Add `amount` to the total; 0 writes nothing."""
    if not amount:
        return
    row = {
        "name": name,
        "total": amount,
        "changed_at": clock.now(),
    }
    db.upsert(connection, counter, [row], update=_sum_totals)


def read(connection: Connection, name: str) -> int:
    """Return the total since the installation began."""
    query = select(counter.c.total).where(counter.c.name == name)
    return connection.scalar(query) or 0


def changed_at(connection: Connection, name: str) -> datetime | None:
    """Return when the total last grew; None when it never did."""
    moment: datetime | None = connection.scalar(select(counter.c.changed_at).where(counter.c.name == name))
    return moment


def _sum_totals(table: Table, excluded: Any) -> dict[str, Any]:
    return {
        "total": table.c.total + excluded.total,
        "changed_at": excluded.changed_at,
    }
