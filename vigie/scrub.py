"""Leave no byte of what was deleted from an SQLite file."""

import sqlite3
import time

from vigie.errors import UnavailableError

_PATIENCE = 10.0  # seconds


def scrub(connection: sqlite3.Connection) -> None:
    """Rewrite the file and empty the write-ahead log. Raises `UnavailableError` while somebody keeps reading it."""
    until = time.monotonic() + _PATIENCE
    try:
        connection.execute("VACUUM")
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > until:
                raise UnavailableError(
                    "the words are gone, but a file still holds their bytes: stop Vigie and run it again"
                )
            time.sleep(0.1)
    except sqlite3.OperationalError as error:
        raise UnavailableError(f"the words are gone, but not their bytes: {error}; run it again") from error
