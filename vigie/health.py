"""Can this installation do its work."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from vigie import db, heartbeat
from vigie.db.migrate import is_current
from vigie.errors import SettingsError, UnavailableError, VigieError
from vigie.log import MENTIONS, EventLog

ROLES = ("ingest", "analyse", "deliver", "serve")


PROBE_SECONDS = 2.0
_ANSWER_KEPT_SECONDS = 1.0


class Probe:
    """A question to a server, asked by one thread for all who want to know; its answer holds for a second."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: Future[Any] | None = None
        self._asked_at = 0.0

    def ask(self) -> Future[Any]:
        """Return the answer that is there, or will be."""
        with self._lock:
            is_old = time.monotonic() - self._asked_at > _ANSWER_KEPT_SECONDS
            if self._answer is None or (self._answer.done() and is_old):
                self._answer, self._asked_at = Future(), time.monotonic()
                threading.Thread(target=self._put, args=[self._answer], name="probe", daemon=True).start()
            return self._answer

    def _put(self, answer: Future[Any]) -> None:
        try:
            answer.set_result(self._ask())
        except BaseException as error:
            answer.set_exception(error)


@lru_cache(maxsize=4)
def _probes(engine: Engine, log: EventLog) -> tuple[Probe, Probe]:
    """Return the probes of the database and of the log."""
    return Probe(lambda: _ask_database(engine)), Probe(lambda: _ask_log(log))


def readiness(engine: Engine, log: EventLog) -> dict[str, Any]:
    """Return `ready`, `why` not, and the processes of each role that were seen lately; within two seconds."""
    until = time.monotonic() + PROBE_SECONDS
    of_database, of_log = [probe.ask() for probe in _probes(engine, log)]  # type: ignore[arg-type] # a log is hashable
    try:
        roles = _answer_of("database", of_database, until)
        _answer_of("log", of_log, until)
    except (VigieError, SQLAlchemyError) as error:
        return {"ready": False, "why": str(error).splitlines()[0][:300], "roles": {}}
    return {"ready": True, "why": None, "roles": roles}


def _answer_of(server: str, answer: Future[Any], until: float) -> Any:
    try:
        return answer.result(max(0.0, until - time.monotonic()))
    except TimeoutError as error:
        raise UnavailableError(f"the {server} did not answer within {PROBE_SECONDS:g} seconds") from error


def _ask_database(engine: Engine) -> dict[str, int]:
    if not is_current(engine):
        raise SettingsError("the database is not migrated: run `vigie migrate`")
    with db.reading(engine) as connection:
        return {role: len(heartbeat.alive(connection, role)) for role in ROLES}


def _ask_log(log: EventLog) -> None:
    if not log.ends(MENTIONS):
        raise SettingsError(f"the log has no topic {MENTIONS}: run `vigie migrate`")


def is_alive(engine: Engine, role: str) -> bool:
    """Whether any process does `role`."""
    with db.reading(engine) as connection:
        return bool(heartbeat.alive(connection, role))
