"""A client that many threads share: opened outside any lock, and never closed while somebody uses it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, TypeVar

from vigie.errors import UnavailableError

T = TypeVar("T")

_FAILURE_KEPT_SECONDS = 1.0


class _Opening(Generic[T]):
    """One client, or why it could not be opened; `users` is guarded by the lock of its owner."""

    def __init__(self) -> None:
        self.client: Future[T] = Future()
        self.failed_at: float | None = None
        self.users = 0

    def is_usable(self) -> bool:
        """Whether to use it, or its failure, rather than to open another."""
        return self.failed_at is None or time.monotonic() - self.failed_at < _FAILURE_KEPT_SECONDS


class SharedClient(Generic[T]):
    """Opens a client when it is first wanted, for all who want it; a failure is everybody's for a second."""

    def __init__(self, server: str, open_client: Callable[[], T], close_client: Callable[[T], object]) -> None:
        self._server = server
        self._open_client, self._close_client = open_client, close_client
        self._lock = threading.Lock()
        self._current: _Opening[T] | None = None

    @contextmanager
    def using(self, seconds: float) -> Iterator[T]:
        """Lend the client. Raises what its opening raised, or `UnavailableError` when that takes longer."""
        opening = self._enter()
        try:
            try:
                client = opening.client.result(seconds)
            except TimeoutError as error:
                raise UnavailableError(f"{self._server} does not answer: no connection within {seconds:g} s") from error
            yield client
        finally:
            self._leave(opening)

    def discard(self, client: T) -> None:
        """Lend this one to nobody else; it is closed when the last user has left."""
        with self._lock:
            current = self._current
            if current and current.client.done() and not current.failed_at and current.client.result() is client:
                self._current = None

    def close(self) -> None:
        """Close the client, now or when the last user has left."""
        with self._lock:
            opening, self._current = self._current, None
            is_free = opening is not None and not opening.users
        if opening and is_free:
            self._close(opening)

    def _enter(self) -> _Opening[T]:
        with self._lock:
            if self._current is None or not self._current.is_usable():
                self._current = _Opening()
                threading.Thread(target=self._open, args=[self._current], name="open client", daemon=True).start()
            self._current.users += 1
            return self._current

    def _leave(self, opening: _Opening[T]) -> None:
        with self._lock:
            opening.users -= 1
            is_last = opening is not self._current and not opening.users
        if is_last:  # in a thread, since closing may wait for a server
            threading.Thread(target=self._close, args=[opening], name="close client", daemon=True).start()

    def _open(self, opening: _Opening[T]) -> None:
        try:
            client = self._open_client()
        except BaseException as error:
            opening.failed_at = time.monotonic()
            opening.client.set_exception(error)
        else:
            opening.client.set_result(client)

    def _close(self, opening: _Opening[T]) -> None:
        if opening.client.exception() is None:  # waits while it is being opened
            self._close_client(opening.client.result())
