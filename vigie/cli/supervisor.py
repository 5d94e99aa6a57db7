"""`vigie up`: serve, ingest and deliver as threads, analyse as a child process, each started again when it dies.

Scoring in the same interpreter would make a page wait: a read goes from 1.9 to 6.9 ms beside one scoring thread.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from vigie import counters, db
from vigie.cli import work
from vigie.cli.house import House
from vigie.errors import VigieError

logger = structlog.get_logger(__name__)

_BACK_OFF = (1.0, 2.0, 5.0, 15.0, 60.0)
_STEADY = 60.0  # seconds without dying, after which a worker starts with a clean sheet


class Supervisor:
    """Runs the roles until `stop` is set."""

    def __init__(self, house: House, host: str, port: int) -> None:
        """Bind the port. Raises `SettingsError` when it is taken."""
        self.stop = threading.Event()
        self._house = house
        self._listening = work.listen(host, port)
        self._address = ("127.0.0.1" if host in {"0.0.0.0", "::"} else host, port)  # noqa: S104 # asked, not bound
        self._threads = [
            self._keep("serve", lambda: work.serve_on(house, self.stop, self._listening)),
            self._keep("ingest", lambda: work.ingest(house, self.stop)),
            self._keep("deliver", lambda: work.deliver(house, self.stop)),
            self._keep("analyse", self._analyse),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def await_pages(self) -> None:
        """Until the pages answer, so that the link that is printed opens; twenty seconds at most."""
        until = time.monotonic() + 20
        while not self.stop.is_set() and time.monotonic() < until:
            try:
                socket.create_connection(self._address, timeout=1).close()
                return
            except OSError:
                self.stop.wait(0.1)

    def join(self) -> None:
        """Wait for an orderly end, ten seconds at most."""
        until = time.monotonic() + 10
        for thread in self._threads:
            thread.join(max(0.1, until - time.monotonic()))
        self._listening.close()

    def _keep(self, role: str, run: Callable[[], None]) -> threading.Thread:
        def again() -> None:
            failures = 0
            while not self.stop.is_set():
                started = time.monotonic()
                try:
                    run()
                except Exception:
                    logger.exception("worker_died", role=role)
                if self.stop.is_set():
                    return
                failures = 0 if time.monotonic() - started > _STEADY else failures + 1
                wait = _BACK_OFF[min(failures, len(_BACK_OFF)) - 1] if failures else 0.0
                logger.warning("worker_starts_again", role=role, wait=wait)
                self._count_restart()
                self.stop.wait(wait)

        return threading.Thread(target=again, name=role, daemon=True)

    def _count_restart(self) -> None:
        with suppress(VigieError, SQLAlchemyError), db.writing(self._house.engine) as connection:
            counters.add(connection, counters.ROLE_RESTARTS, 1)

    def _analyse(self) -> None:
        settings = self._house.settings
        environment = {**os.environ, "VIGIE_DATA_DIR": str(settings.data_dir)}
        with subprocess.Popen([sys.executable, "-m", "vigie", "analyse"], env=environment) as child:
            while child.poll() is None:
                if self.stop.wait(0.2):
                    child.terminate()
                    try:
                        child.wait(8)
                    except subprocess.TimeoutExpired:
                        child.kill()
