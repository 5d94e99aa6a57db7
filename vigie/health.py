"""Can this installation do its work, and how much lies before it."""

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from vigie import clock, counters, db, deadletters, heartbeat, positions
from vigie.db.migrate import is_current
from vigie.db.tables import mention, outbox
from vigie.errors import UnavailableError, VigieError
from vigie.log import ANALYSIS, MENTIONS, EventLog
from vigie.outbox import RECENT, count_failed

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


def metrics(engine: Engine, log: EventLog) -> tuple[bytes, str]:
    """Prometheus' text format, and its content type."""
    registry = CollectorRegistry()
    gauges = {
        "vigie_mentions": "mentions stored",
        "vigie_dead_letters": "records set aside and not replayed",
        "vigie_outbox_waiting": "deliveries that wait",
        "vigie_log_lag": "records that the analysis has not read",
        "vigie_dropped_mentions": "mentions dropped because their company was removed or never existed",
        "vigie_role_restarts": "times that a role died and was started again",
        "vigie_outbox_failed": "deliveries that failed for good in the last seven days",
        "vigie_unreadable_items": "mails and entries of strangers that could not be read and were skipped",
    }
    for name, value in _numbers(engine, log).items():
        Gauge(name, gauges[name], registry=registry).set(value)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def _numbers(engine: Engine, log: EventLog) -> dict[str, float]:
    with db.reading(engine) as connection:
        count = select(func.count())
        numbers: dict[str, float | None] = {
            "vigie_mentions": connection.scalar(count.select_from(mention)),
            "vigie_dead_letters": deadletters.count_waiting(connection),
            "vigie_dropped_mentions": counters.read(connection, counters.DROPPED_MENTIONS),
            "vigie_role_restarts": counters.read(connection, counters.ROLE_RESTARTS),
            "vigie_outbox_failed": count_failed(connection, clock.now() - RECENT),
            "vigie_unreadable_items": counters.read(connection, counters.UNREADABLE_ITEMS),
            "vigie_outbox_waiting": connection.scalar(count.where(outbox.c.state == "waiting")),
        }
    numbers["vigie_log_lag"] = _count_unread(engine, log)
    return {name: float(value or 0) for name, value in numbers.items()}


def _count_unread(engine: Engine, log: EventLog) -> float:
    """Return how many records analysis has not read; NaN while the log does not answer or is another one."""
    try:
        unread = positions.count_unread(engine, log, ANALYSIS, MENTIONS)
    except UnavailableError:
        return float("nan")
    return float("nan") if unread is None else float(sum(unread.values()))
