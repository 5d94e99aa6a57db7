"""A sign of life of each process, in the database, so that any other can tell how a role fares."""

import os
import socket
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, select

from vigie import db
from vigie.db.tables import heartbeat

EVERY = timedelta(seconds=5)
STALE = timedelta(seconds=30)
_FORGOTTEN = timedelta(hours=1)


def process_name() -> str:
    """This process among all machines."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}"


def client_name(role: str) -> str:
    """Return how a process of that role names itself to PostgreSQL and Kafka: `vigie-analyse-HOST-PID`.

    At most 63 characters, as PostgreSQL cuts what is longer (NAMEDATALEN).
    """
    host = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in socket.gethostname())
    return f"vigie-{role}-{host[:30]}-{os.getpid()}"


def beat(connection: Connection, role: str, **facts: Any) -> None:
    """Say that this process does `role`, and how it goes."""
    moment = db.present(connection)
    row = {"role": role, "process": process_name(), "seen_at": moment, "facts": facts}
    db.upsert(connection, heartbeat, [row], update=("seen_at", "facts"))
    connection.execute(delete(heartbeat).where(heartbeat.c.seen_at < moment - _FORGOTTEN))


def stop(connection: Connection, role: str) -> None:
    """This process ends in good order."""
    ours = heartbeat.c.role == role, heartbeat.c.process == process_name()
    connection.execute(delete(heartbeat).where(*ours))


def served_address(connection: Connection) -> str | None:
    """Return the address of the pages that are being served now; None when nobody serves them."""
    addresses = [process.get("address") for process in alive(connection, "serve")]
    return next((address for address in addresses if address), None)


def alive(connection: Connection, role: str) -> list[dict[str, Any]]:
    """The processes that do `role` and were seen in the last thirty seconds."""
    recent = heartbeat.c.role == role, heartbeat.c.seen_at > db.present(connection) - STALE
    rows = connection.execute(select(heartbeat).where(*recent))
    return [{"process": row.process, "seen_at": row.seen_at, **row.facts} for row in rows]
