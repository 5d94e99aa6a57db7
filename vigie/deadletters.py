"""Records that could not be handled: listed, and put back where they came from."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, RowMapping, delete, func, select, update

from vigie import clock, db
from vigie.db.tables import company, dead_letter, outbox
from vigie.log import EventLog, Message


def waiting(connection: Connection, limit: int = 1_000) -> Sequence[RowMapping]:
    """Those that were not put back, oldest first."""
    rows = select(dead_letter).where(dead_letter.c.replayed_at.is_(None)).order_by(dead_letter.c.created_at)
    return connection.execute(rows.limit(limit)).mappings().all()


def company_names(connection: Connection, letters: Sequence[RowMapping]) -> dict[str, str]:
    """Return the name of each letter's company by the letter's id; its key where no such company exists."""
    keys = {letter["id"]: (letter["key"] or b"").decode("utf-8", "replace") for letter in letters}
    rows = connection.execute(select(company.c.id, company.c.name).where(company.c.id.in_(set(keys.values()))))
    names = {row.id: row.name for row in rows}
    return {letter_id: names.get(key, key) for letter_id, key in keys.items()}


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


def count_waiting(connection: Connection) -> int:
    """Return how many dead letters were not put back."""
    query = select(func.count()).where(dead_letter.c.replayed_at.is_(None))
    return connection.scalar(query) or 0


def remove_of_company(connection: Connection, company_id: str) -> None:
    """Remove the dead letters of a company, with what announces them on the topic of dead letters."""
    of_company = dead_letter.c.key == company_id.encode()
    letter_ids = select(dead_letter.c.id).where(of_company)
    connection.execute(delete(outbox).where(outbox.c.event_id.in_(letter_ids)))
    connection.execute(delete(dead_letter).where(of_company))
