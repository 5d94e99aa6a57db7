"""Outages as a role meets them: counted, logged when they begin, and logged again when they are over."""

import time

import structlog

from vigie import metrics
from vigie.errors import UnavailableError

logger = structlog.get_logger(__name__)


class Outage:
    """The outage that a role's loop is in, or none."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._failures = 0
        self._began_at = 0.0
        self._count = metrics.outages.labels(role)  # 0 until the first one, so that its rate is seen

    def note(self, error: UnavailableError) -> int:
        """Log and count a failed try; return how many tries failed before it."""
        if not self._failures:
            self._began_at = time.monotonic()
        self._failures += 1
        self._count.inc()
        logger.warning("outage", role=self._role, error=str(error))
        return self._failures - 1

    def end(self) -> None:
        """Say that the role works again, if it did not."""
        if self._failures:
            seconds = round(time.monotonic() - self._began_at, 1)
            logger.info("outage_over", role=self._role, tries=self._failures, seconds=seconds)
        self._failures = 0
