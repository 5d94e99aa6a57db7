"""Fair shares: how many claimed polls of one company run at once, and how many wait for their turn. Pure."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Job = TypeVar("Job")


class CompanyShares(Generic[Job]):
    """The claimed jobs of a worker, by company.

    At most `max_running` of a company run at once. A few more wait, so that the worker need not claim for each; a
    company with jobs that wait is left out of the next claim.
    """

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        self._max_waiting = 3 * max_running
        self._running: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[Job]] = defaultdict(deque)

    @property
    def has_waiting(self) -> bool:
        """Return whether a job waits for its company's turn."""
        return bool(self._waiting)

    def companies_with_enough(self) -> list[str]:
        """Return the companies of which nothing more should be claimed now."""
        return list(self._waiting)

    def add(self, company_id: str, job: Job) -> bool:
        """Let the job wait for its turn; False when its company has no room for it."""
        free = self._max_running - self._running[company_id]
        if len(self._waiting.get(company_id, ())) >= self._max_waiting + free:
            return False
        self._waiting[company_id].append(job)
        return True

    def take(self) -> Iterator[Job]:
        """Yield the jobs whose turn has come, one of each company after the other; they count as running."""
        has_taken = True
        while has_taken:
            has_taken = False
            for company_id in list(self._waiting):
                if self._running[company_id] >= self._max_running:
                    continue
                has_taken = True
                self._running[company_id] += 1
                job = self._waiting[company_id].popleft()
                if not self._waiting[company_id]:
                    del self._waiting[company_id]
                yield job

    def end(self, company_id: str) -> None:
        """A job of that company runs no more."""
        self._running[company_id] -= 1
        if not self._running[company_id]:
            del self._running[company_id]
