"""So many requests a minute for each key, in each process: a token bucket, told in the answer's headers.

Headers as in draft-ietf-httpapi-ratelimit-headers-07; 429 with Retry-After (RFC 6585) once the bucket is empty.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from api import errors

_MOST_KEYS = 10_000
_MINUTE = 60.0

Next = Callable[[Request], Awaitable[Response]]


class RateLimit:
    """The middleware of one app; `a_minute` requests, which may come at once."""

    def __init__(self, a_minute: int) -> None:
        self._limit = a_minute
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    async def __call__(self, request: Request, call_next: Next) -> Response:
        if not request.url.path.startswith("/api/v1/"):
            return await call_next(request)
        left = self._take(_whose(request))
        if left < 0:
            wait = max(1, round(-left * _MINUTE / self._limit))
            refused = errors.problem(429, "Too many requests", f"{self._limit} requests a minute are allowed")
            refused.headers.update({"Retry-After": str(wait), **self._told(0, wait)})
            return refused
        response = await call_next(request)
        response.headers.update(self._told(int(left), round((self._limit - left) * _MINUTE / self._limit)))
        return response

    def _take(self, whose: bytes) -> float:
        """Tokens left after this request; negative, and nothing taken, where there was none."""
        moment = time.monotonic()
        tokens, since = self._buckets.pop(whose, (float(self._limit), moment))
        tokens = min(float(self._limit), tokens + (moment - since) * self._limit / _MINUTE)
        left = tokens - 1
        self._buckets[whose] = (left if left >= 0 else tokens, moment)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        return left

    def _told(self, left: int, reset: int) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self._limit),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(reset),
        }


def _whose(request: Request) -> bytes:
    """The key's hash; without one, the address."""
    shown = request.headers.get("authorization") or (request.client.host if request.client else "")
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).digest()
