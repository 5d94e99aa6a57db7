"""Can this installation do its work."""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from vigie import db, heartbeat
from vigie.db.migrate import is_current
from vigie.errors import VigieError

ROLES = ("ingest", "analyse", "deliver", "serve")


def readiness(engine: Engine) -> dict[str, Any]:
    """`ready`, `why` not, and the processes of each role that were seen lately."""
    try:
        if not is_current(engine):
            return {"ready": False, "why": "the database is not migrated: run `vigie migrate`", "roles": {}}
        with db.reading(engine) as connection:
            roles = {role: len(heartbeat.alive(connection, role)) for role in ROLES}
    except (VigieError, SQLAlchemyError) as error:
        return {"ready": False, "why": str(error).splitlines()[0][:300], "roles": {}}
    return {"ready": True, "why": None, "roles": roles}


def is_alive(engine: Engine, role: str) -> bool:
    """Whether any process does `role`."""
    with db.reading(engine) as connection:
        return bool(heartbeat.alive(connection, role))
