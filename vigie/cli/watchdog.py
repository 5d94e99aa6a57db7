"""Ends a worker that hangs, and tells whether it goes round.

`faulthandler` watches from a thread that needs neither Python's lock nor the thread that hangs: it prints where every
thread stands to standard error, and ends the process with status 1.
"""

import faulthandler
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

STUCK_SECONDS = 60.0  # without a round, after which a worker is ended
STOP_SECONDS = 9.0  # after SIGTERM
HEALTHY_SECONDS = 30.0
_ARM_EVERY_SECONDS = 1.0


class Watchdog:
    """The watchdog of this process, which does one role."""

    def __init__(self) -> None:
        self._round_at = time.monotonic()
        self._armed_at = float("-inf")
        self._is_watching = self._is_ending = False
        self._watched_thread: int | None = None

    def start(self, engine: "Engine") -> None:
        """End this process when the calling thread has not come round, nor asked the database, for a minute.

        A long piece of work, such as a large firm's, asks the database again and again.
        """
        from sqlalchemy import event

        self._is_watching, self._watched_thread = True, threading.get_ident()
        event.listen(engine, "before_cursor_execute", lambda *statement: self.go_round())
        self.go_round()

    def go_round(self) -> None:
        """Note that the role has come round once more; another thread's word does not count."""
        if self._watched_thread not in (None, threading.get_ident()):
            return
        self._round_at = time.monotonic()
        if self._is_watching and not self._is_ending and self._round_at - self._armed_at > _ARM_EVERY_SECONDS:
            self._armed_at = self._round_at
            self._end_in(STUCK_SECONDS)

    def is_going_round(self) -> bool:
        """Whether the role has come round within half a minute."""
        return time.monotonic() - self._round_at < HEALTHY_SECONDS

    def end_soon(self, seconds: float) -> None:
        """End this process after so many seconds, unless it ends by itself before."""
        if not self._is_ending:
            self._is_ending = True
            self._end_in(seconds)

    def _end_in(self, seconds: float) -> None:
        if sys.__stderr__ is not None:
            faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)


WATCHDOG = Watchdog()
