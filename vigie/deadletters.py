"""Records that could not be handled: listed, and put back where they came from."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, RowMapping, select, update

from vigie import clock, db
from vigie.db.tables import dead_letter
from vigie.log import EventLog, Message


def waiting(connection: Connection, limit: int = 1_000) -> Sequence[RowMapping]:
    """Those that were not put back, oldest first."""
    rows = select(dead_letter).where(dead_letter.c.replayed_at.is_(None)).order_by(dead_letter.c.created_at)
    return connection.execute(rows.limit(limit)).mappings().all()


def replay(engine: Engine, log: EventLog, only: Sequence[str] = ()) -> int:
    """Put them back into their topic; how many. One that fails again comes back as a new dead letter."""
    with db.reading(engine) as connection:
        rows = [row for row in waiting(connection) if row["value"] is not None and (not only or row["id"] in only)]
    for row in rows:
        headers = tuple((name, value.encode("latin-1")) for name, value in row["headers"])
        key = (row["key"] or b"").decode("utf-8", "replace")
        log.append(row["topic"], [Message(key, row["value"], headers)])
        with db.writing(engine) as connection:
            done = update(dead_letter).where(dead_letter.c.id == row["id"])
            connection.execute(done.values(replayed_at=clock.now()))
    return len(rows)
