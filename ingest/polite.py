"""Manners towards strangers' hosts: how often they are asked, and what their robots.txt forbids.

Both are one process's own: two ingest workers ask twice as often.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from protego import Protego

from ingest.net import Allowed
from vigie.errors import SourceError

Origin = tuple[str, str, int]  # scheme, host, port

_MOST_WAIT = 5.0  # seconds that a poll may sleep before a request; beyond, it comes back later
_AT_ONCE = 2
_MOST_KNOWN = 10_000
_ROBOTS_LIFE = 24 * 3600.0  # seconds, as RFC 9309 (2.4) advises
_MOST_ROBOTS = 512_000  # bytes, RFC 9309 (2.5)
_AGENT = "Vigie"


class BusyError(SourceError):
    """The origin had its share of requests for now: no failure, only later. `retry_after` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("this site was asked often enough for now", retry_after=wait)


class Gate:
    """Lets requests to one origin pass `delay` seconds apart, two at a time at the most.

    What the owner lists in VIGIE_ALLOW_HOSTS is their own, and passes at once.
    """

    def __init__(self, delay: float, free: Allowed) -> None:
        self._delay, self._free = delay, free
        self._lock = threading.Lock()
        self._next: dict[Origin, float] = {}
        self._running: dict[Origin, int] = {}

    @contextmanager
    def passing(self, origin: Origin) -> Iterator[Origin]:
        """Wait for our turn, if it comes soon; raises `BusyError` otherwise."""
        if self._free.lists(origin[1], origin[2]):
            yield origin
            return
        time.sleep(self._reserve(origin))
        try:
            yield origin
        finally:
            with self._lock:
                self._running[origin] -= 1
                if not self._running[origin]:
                    del self._running[origin]

    def hold(self, origin: Origin, seconds: float) -> None:
        """The origin asked for a pause: nobody asks it before."""
        with self._lock:
            self._next[origin] = max(self._next.get(origin, 0.0), time.monotonic() + min(seconds, 3600.0))

    def _reserve(self, origin: Origin) -> float:
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next.get(origin, now))
            if at - now > _MOST_WAIT or self._running.get(origin, 0) >= _AT_ONCE:
                raise BusyError(max(at - now, self._delay))
            if len(self._next) >= _MOST_KNOWN:
                self._next = {known: moment for known, moment in self._next.items() if moment > now}
            self._next[origin] = at + self._delay
            self._running[origin] = self._running.get(origin, 0) + 1
            return at - now


class Robots:
    """What robots.txt says (RFC 9309): kept for a day; none is no rule; one that cannot be read forbids for now."""

    def __init__(self, fetch: Callable[[str], tuple[int, bytes]]) -> None:
        self._fetch = fetch
        self._known: dict[str, tuple[float, Protego]] = {}

    def check(self, url: str) -> None:
        """Raises `SourceError` when the site asks robots not to read `url`."""
        root = "/".join(url.split("/", 3)[:3]).split("?")[0].split("#")[0]
        if not self._rules(root).can_fetch(url, _AGENT):
            raise SourceError("the site's robots.txt asks programs not to read this page")

    def _rules(self, root: str) -> Protego:
        until, rules = self._known.get(root, (0.0, None))
        if rules is None or until < time.monotonic():
            rules = self._read(root)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[root] = time.monotonic() + _ROBOTS_LIFE, rules
        return rules

    def _read(self, root: str) -> Protego:
        status, body = self._fetch(f"{root}/robots.txt")
        if status >= 500 or status == 429:
            raise SourceError(f"the site's robots.txt cannot be read just now (HTTP {status})")
        text = body[:_MOST_ROBOTS].decode("utf-8", "replace") if status < 400 else ""
        return Protego.parse(text)
