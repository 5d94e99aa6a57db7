"""Threads for requests that wait for the log, so that the pages keep theirs while no broker answers."""

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from vigie.errors import UnavailableError

P = ParamSpec("P")
T = TypeVar("T")

MAX_THREADS = 40
MAX_WAITING = 100  # requests beyond those; each thread waits five seconds at most
_limiter: RunVar[CapacityLimiter] = RunVar("vigie_log_limiter")  # of each event loop


def in_log_thread(work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Return `work` as a coroutine function that runs in one of these threads.

    It raises `UnavailableError` at once when as many requests wait already as may.
    """

    @functools.wraps(work)
    async def run(*args: P.args, **options: P.kwargs) -> T:
        limiter = _limiter.get(None) or CapacityLimiter(MAX_THREADS)
        _limiter.set(limiter)
        if limiter.statistics().tasks_waiting >= MAX_WAITING:
            raise UnavailableError("too many requests wait for the log: try again in a moment")
        return await to_thread.run_sync(functools.partial(work, *args, **options), limiter=limiter)

    return run
