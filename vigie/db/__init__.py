"""The database: SQLite or PostgreSQL behind SQLAlchemy Core, with one meaning."""

from vigie.db.engine import (
    before,
    connect,
    finds,
    locking,
    now,
    present,
    reading,
    retrying,
    scrub,
    snapshot,
    upsert,
    writing,
)
from vigie.db.types import Instant

__all__ = [
    "Instant",
    "before",
    "connect",
    "finds",
    "locking",
    "now",
    "present",
    "reading",
    "retrying",
    "scrub",
    "snapshot",
    "upsert",
    "writing",
]
