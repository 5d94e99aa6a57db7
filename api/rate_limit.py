"""So many requests a minute for each key, in each process: a token bucket, shown in the answer's headers.

Headers as in draft-ietf-httpapi-ratelimit-headers-07; 429 with Retry-After (RFC 6585) once the bucket is empty. Keys
that are not valid share a smaller bucket per address, or each guess would bring a fresh one.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from api import errors

MAX_BUCKETS = 10_000
MINUTE_SECONDS = 60.0
WRONG_KEYS_SHARE = 100  # one wrong key for so many requests: 120 a minute by default

Next = Callable[[Request], Awaitable[Response]]


class Buckets:
    """A bucket of `limit` tokens for each holder, refilled within a minute.

    The holder seen longest ago is forgotten when there are too many.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def take(self, holder: bytes, amount: int = 1) -> float:
        """Return the tokens left after taking `amount`; negative, and nothing taken, where there were too few."""
        moment = time.monotonic()
        tokens, since = self._buckets.pop(holder, (float(self.limit), moment))
        refilled = tokens + (moment - since) * self.limit / MINUTE_SECONDS
        tokens = min(float(self.limit), refilled)
        left = tokens - amount
        self._buckets[holder] = (left if left >= 0 else tokens, moment)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return left

    def seconds_until(self, tokens: float) -> int:
        """Return how long it takes to gain so many tokens, at least a second."""
        return max(1, round(tokens * MINUTE_SECONDS / self.limit))


class RateLimit:
    """The middleware of one app; `requests_a_minute` requests, which may come at once."""

    def __init__(self, requests_a_minute: int) -> None:
        self._requests = Buckets(requests_a_minute)
        self._wrong_keys = Buckets(max(1, requests_a_minute // WRONG_KEYS_SHARE))

    async def __call__(self, request: Request, call_next: Next) -> Response:
        if not request.url.path.startswith("/api/v1/"):
            return await call_next(request)
        address = _hash(request.client.host if request.client else "")
        if self._wrong_keys.take(address, 0) < 1:
            return _refuse("too many wrong keys came from this address", self._wrong_keys.seconds_until(1))
        limit = self._requests.limit
        left = self._requests.take(_hash(request.headers.get("authorization", "")) if _has_key(request) else address)
        if left < 0:
            wait = self._requests.seconds_until(-left)
            refused = _refuse(f"{limit} requests a minute are allowed", wait)
            refused.headers.update(self._describe(0, wait))
            return refused
        response = await call_next(request)
        if response.status_code == 401:
            self._wrong_keys.take(address)
        response.headers.update(self._describe(int(left), round((limit - left) * MINUTE_SECONDS / limit)))
        return response

    def _describe(self, remaining: int, reset_seconds: int) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self._requests.limit),
            "RateLimit-Remaining": str(remaining),
            "RateLimit-Reset": str(reset_seconds),
        }


def _has_key(request: Request) -> bool:
    return "authorization" in request.headers


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _refuse(detail: str, wait_seconds: int) -> Response:
    refused = errors.problem(429, "Too many requests", detail)
    refused.headers["Retry-After"] = str(wait_seconds)
    return refused
