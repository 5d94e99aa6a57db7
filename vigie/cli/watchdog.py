"""Ends a worker that hangs, and tells whether it goes round.

`faulthandler` watches from a thread that needs neither Python's lock nor the thread that hangs: it prints where every
thread stands to standard error, and ends the process with status 1.
"""

import faulthandler
import sys
import time

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

    def start(self) -> None:
        """End this process when it has not gone round for a minute."""
        self._is_watching = True
        self.go_round()

    def go_round(self) -> None:
        """Note that the role has come round once more."""
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
