"""Slow work that a page waits for: other people's sites, and files.

It holds one of the server's threads, of which there are forty, so a company and all companies together have a share.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from vigie.errors import TooManyError


class SlowWork:
    """Counts the slow requests that run in this process."""

    def __init__(self, max_of_company: int = 2, max_of_all: int = 10) -> None:
        self._max_of_company, self._max_of_all = max_of_company, max_of_all
        self._running: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def one_of(self, company_id: str) -> Iterator[None]:
        """Let one slow request of that company run; raises `TooManyError` when its share, or all threads, are taken."""
        with self._lock:
            is_full = self._running.total() >= self._max_of_all
            if is_full or self._running[company_id] >= self._max_of_company:
                raise TooManyError("Vigie is still busy with other sites or files: try again in a minute")
            self._running[company_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[company_id] -= 1
                self._running += Counter()  # forgets the companies with none
