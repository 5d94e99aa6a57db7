"""Who changed what: a list that outlives what it tells of, for a year."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, RowMapping, delete, select

from vigie import clock, ids
from vigie.db.tables import audit

KEPT = timedelta(days=365)


def note(connection: Connection, company_id: str | None, by: str, action: str, subject: str) -> None:
    """Keep that `by` did `action` on `subject`, an address without personal data."""
    row = {"company_id": company_id, "by": by[:120], "action": action[:64], "subject": subject[:500]}
    connection.execute(audit.insert().values(id=ids.drawn("au"), at=clock.now(), **row))


def of_company(connection: Connection, company_id: str, *, limit: int = 30) -> Sequence[RowMapping]:
    """What was done for a firm, the latest first."""
    query = select(audit).where(audit.c.company_id == company_id).order_by(audit.c.at.desc(), audit.c.id)
    return connection.execute(query.limit(limit)).mappings().all()


def forget_old(connection: Connection) -> int:
    """Remove what is older than a year; how many."""
    return connection.execute(delete(audit).where(audit.c.at < clock.now() - KEPT)).rowcount
