"""Polling what is due: claim, ask, append to the log, and only then remember the source's cursor.

Any number of workers share the sources: each is claimed by compare-and-set, with a lease. A source that fails stops
nobody else; why it fails is written on it for its owner.
"""

import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx2
import structlog
from sqlalchemy import Engine, RowMapping, select, update

from ingest import collect, sources_store
from ingest import http as web
from ingest.found import mentions
from ingest.source import Poll
from ingest.sources import KINDS
from vigie import clock, db, due
from vigie.db.tables import source
from vigie.errors import SourceError, UnavailableError
from vigie.log import EventLog

logger = structlog.get_logger(__name__)

INTERVAL = timedelta(minutes=15)
_LEASE = timedelta(minutes=3)  # a poll ends within 30 seconds for each of at most two requests
_MOST_BACK_OFF = timedelta(days=1)


class Collector:
    """An ingest worker's hands: polls sources, several at a time."""

    def __init__(self, engine: Engine, log: EventLog, *, allow_hosts: Iterable[str] = (), threads: int = 8) -> None:
        self._engine, self._log, self._threads = engine, log, threads
        self._http = web.client(allow_hosts)

    def close(self) -> None:
        self._http.close()

    def poll_due(self, limit: int = 50) -> int:
        """Poll what is due now; how many sources that was."""
        timers = due.claim(self._engine, due.POLL, limit=limit, lease=_LEASE)
        if timers:
            with ThreadPoolExecutor(min(self._threads, len(timers)), "poll") as pool:
                list(pool.map(self._poll, timers))
        return len(timers)

    def make_all_due(self) -> None:
        """Poll every source at the next turn, due or not."""
        with db.writing(self._engine) as connection:
            polled = [kind for kind, one in KINDS.items() if one.polled]
            every = select(source.c.id).where(source.c.kind.in_(polled), ~source.c.paused)
            due.schedule(connection, due.POLL, list(connection.scalars(every)))

    def _poll(self, timer: due.Timer) -> None:
        """Never raises: the polls beside this one go on."""
        try:
            with db.reading(self._engine) as connection:
                row = connection.execute(select(source).where(source.c.id == timer.key)).mappings().one_or_none()
            if row is None or row["paused"]:
                with db.writing(self._engine) as connection:
                    due.finish(connection, timer)
                return
            self._poll_source(timer, row)
        except UnavailableError as error:
            logger.warning("poll_put_off", source=timer.key, error=str(error))  # the lease ends, and it is due again

    def _poll_source(self, timer: due.Timer, row: RowMapping) -> None:
        try:
            poll = KINDS[row["kind"]].poll(self._http, row["target"], row["options"], row["cursor"])
        except SourceError as error:
            self._failed(timer, row, error)
        except httpx2.HTTPError as error:
            self._failed(timer, row, SourceError(f"it cannot be reached: {error}"))
        except Exception as error:  # a connector's mistake is that source's failure, not the worker's end
            logger.exception("connector_failed", source=row["id"], kind=row["kind"])
            self._failed(timer, row, SourceError(f"Vigie could not read it ({type(error).__name__}: {error})"[:500]))
        else:
            self._succeeded(timer, row, poll)

    def _succeeded(self, timer: due.Timer, row: RowMapping, poll: Poll) -> None:
        found = mentions(row["company_id"], sources_store.namespace(row), poll.found)
        notify = "fresh" if row["polled_at"] else "never"
        collect.append(self._log, row["company_id"], sources_store.origin(row), found, notify=notify)  # type: ignore[arg-type]
        values: dict[str, Any] = {
            "cursor": poll.cursor,
            "polled_at": clock.now(),
            "error": None,
            "failures": 0,
            "failing_since": None,
        }
        if poll.moved_to:
            values["target"] = poll.moved_to
        with db.writing(self._engine) as connection:
            if not due.finish(connection, timer, again_at=clock.now() + INTERVAL * random.uniform(0.9, 1.1)):  # noqa: S311
                return  # claimed by another since: its cursor stands
            connection.execute(update(source).where(source.c.id == row["id"]).values(**values))
            if found or row["listening_since"] is None:
                sources_store.received(connection, row, None)

    def _failed(self, timer: due.Timer, row: RowMapping, error: SourceError) -> None:
        logger.info("source_failed", source=row["id"], kind=row["kind"], error=str(error))
        failures = row["failures"] + 1
        wait = min(INTERVAL * 2 ** min(failures - 1, 10), _MOST_BACK_OFF)
        if error.retry_after:
            wait = max(wait, min(timedelta(seconds=error.retry_after), _MOST_BACK_OFF))
        moment = clock.now()
        values = {
            "error": str(error)[:1_000],
            "failures": failures,
            "failing_since": row["failing_since"] or moment,
            "paused": error.permanent,
        }
        with db.writing(self._engine) as connection:
            if due.finish(connection, timer, again_at=None if error.permanent else moment + wait):
                connection.execute(update(source).where(source.c.id == row["id"]).values(**values))
