"""The only place that opens sockets to strangers: polite, bounded, and blind to private networks."""

import math
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpcore2
import httpx2

from ingest.net import Allowed, UnreachableError, connect_first, resolved
from ingest.polite import Gate, Origin, Robots
from vigie import __version__, clock
from vigie.errors import SourceError

USER_AGENT = f"Vigie/{__version__} (customer listening for small firms)"
MOST_BYTES = 10_000_000  # decompressed
_FREE_BYTES, _MAX_RATIO = 1_000_000, 200  # what may be unpacked of any answer, and for each byte sent beyond that
_CONNECT_SECONDS = 10.0
_TIMEOUT = httpx2.Timeout(15, connect=_CONNECT_SECONDS)
_WHOLE = 30.0  # seconds, for everything that one fetch takes
_MOST_REDIRECTS = 5
_PRIVATE = {"authorization", "apikey", "cookie"}  # not for the host that a redirect leads to


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source answered; header names are in lower case. `url` is where redirects ended."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    moved_to: str | None = None


_until: ContextVar[float] = ContextVar("until", default=math.inf)  # on the monotonic clock


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All that this thread asks of the network meanwhile ends in so many seconds, however slowly the far end drips."""
    before = _until.set(min(_until.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _until.reset(before)


class _Timed(httpcore2.NetworkStream):
    """A connection each of whose operations ends when `within` says; its own timeout is of one operation only."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float | None:
    left = _until.get() - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("it takes too long")
    shortest = min(left, math.inf if timeout is None else timeout)
    return None if shortest == math.inf else shortest


class _Guarded(httpcore2.NetworkBackend):
    """Connects to the address that it checked."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed, self._backend = allowed, httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            addresses = resolved(host, port, self._allowed)
        except UnreachableError as error:
            raise httpcore2.ConnectError(str(error)) from error

        def connect(address: str, seconds: float) -> httpcore2.NetworkStream:
            return self._backend.connect_tcp(address, port, _left(seconds), local_address, socket_options)

        return _Timed(connect_first(addresses, _CONNECT_SECONDS if timeout is None else timeout, connect))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class _Transport(httpx2.HTTPTransport):
    def __init__(self, allowed: Allowed) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_tls(),
            max_connections=100,
            max_keepalive_connections=50,
            keepalive_expiry=15,
            network_backend=_Guarded(allowed),
        )


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def client(allow_hosts: Iterable[str] = ()) -> httpx2.Client:
    """A client for strangers' addresses. It keeps no cookie, follows no redirect by itself, reads no environment."""
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx2.Client(
        cookies=no_cookies,
        transport=_Transport(Allowed(allow_hosts)),
        timeout=_TIMEOUT,
        headers={"User-Agent": USER_AGENT},
        follow_redirects=False,
        trust_env=False,
    )


class Web:
    """One worker's way to strangers: at most two requests at a time to an origin, a second apart."""

    def __init__(self, allow_hosts: Iterable[str] = (), *, delay: float = 1.0) -> None:
        entries = tuple(allow_hosts)
        self._allowed = Allowed(entries)
        self._http = client(entries)
        self._gate = Gate(delay, self._allowed)
        self._robots = Robots(self._robots_txt)

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, url: str, headers: Mapping[str, str] | None = None, *, as_robot: bool = False) -> Answer:
        """Fetch `url`, through at most five redirects, within ten megabytes and thirty seconds.

        With `as_robot`, only what the site's robots.txt allows. Raises `SourceError` in words for the owner of the
        source, `BusyError` when the origin had its share of requests for now.
        """
        until, moved_to, all_permanent = time.monotonic() + _WHOLE, None, True
        for _ in range(_MOST_REDIRECTS + 1):
            check_address(url)
            if as_robot:
                self._robots.check(url)
            answer = self._get_once(url, headers or {}, until)
            location = answer.headers.get("location")
            if answer.status not in {301, 302, 303, 307, 308} or not location:
                return Answer(answer.status, answer.headers, answer.body, url, moved_to)
            all_permanent = all_permanent and answer.status in {301, 308}
            if _origin(next_url := _joined(url, location)) != _origin(url):
                headers = {name: value for name, value in (headers or {}).items() if name.lower() not in _PRIVATE}
            url = next_url
            moved_to = url if all_permanent else moved_to
        raise SourceError("the address leads from redirect to redirect and never arrives")

    def is_allowed(self, host: str, port: int) -> bool:
        """Whether VIGIE_ALLOW_HOSTS names that host."""
        return self._allowed.lists(host, port)

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A TCP connection for another protocol than HTTP. Raises `OSError`."""

        def connect(address: str, seconds: float) -> socket.socket:
            return socket.create_connection((address, port), seconds)

        connected = connect_first(resolved(host, port, self._allowed), timeout, connect)
        connected.settimeout(timeout)
        return connected

    def _robots_txt(self, url: str) -> tuple[int, bytes]:
        answer = self.get(url)
        return answer.status, answer.body

    def _get_once(self, url: str, headers: Mapping[str, str], until: float) -> Answer:
        with self._gate.passing(_origin(url)) as origin:
            answer = _get_once(self._http, url, headers, until)
            if answer.status in {429, 503} and (pause := retry_after(answer.headers.get("retry-after"))):
                self._gate.hold(origin, pause)
            return answer


def check_address(url: str) -> None:
    """Raise `SourceError` unless `url` is a web address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(url) > 4_000:
        raise SourceError(f"{url[:200]!r} is not a web address: it starts with https://", permanent=True)


def refused(answer: Answer) -> SourceError | None:
    """What to tell the owner when the answer is no success; None when it is one."""
    if answer.status < 400:
        return None
    words = {
        401: "it asks for a password",
        403: "it refuses us",
        404: "there is nothing at this address any more",
        410: "it says that it is gone for good",
        429: "it asks us to come less often",
    }
    said = words.get(answer.status, "it is out of order" if answer.status >= 500 else "it refuses the request")
    return SourceError(
        f"{said} (HTTP {answer.status})",
        permanent=answer.status == 410,
        retry_after=retry_after(answer.headers.get("retry-after")),
    )


def retry_after(value: str | None) -> float | None:
    """A Retry-After header in seconds, whether it holds a number or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - clock.now()).total_seconds())
    except (ValueError, TypeError):
        return None


# By OpenSSL's numbers (X509_V_ERR_*, x509_vfy.h).
_CERTIFICATE_FAULTS = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is signed by nobody but itself",
    19: "its certificate is of an unknown authority",
    20: "its certificate is of an unknown authority",
    21: "its certificate comes without that of its authority",
    62: "its certificate is for another name",
    64: "its certificate is for another name",
}


def certificate_fault(error: BaseException | None) -> str | None:
    """Return in words what is wrong with the far end's certificate, if that is the cause of `error`."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            fault = _CERTIFICATE_FAULTS.get(error.verify_code)
            return fault or f"its certificate cannot be trusted: {error.verify_message}"
        error = error.__cause__ or error.__context__
    return None


def _get_once(http: httpx2.Client, url: str, headers: Mapping[str, str], until: float) -> Answer:
    try:
        left = max(0.0, until - time.monotonic())
        with within(left), http.stream("GET", url, headers=dict(headers)) as response:
            body = _bounded(response, until)
            return Answer(response.status_code, dict(response.headers), body, url)
    except httpx2.TimeoutException as error:
        raise SourceError("it does not answer in time") from error
    except httpx2.DecodingError as error:
        raise SourceError("its answer is broken: it cannot be unpacked") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        if fault := certificate_fault(error):
            raise SourceError(fault) from error
        raise SourceError(f"it cannot be reached: {str(error)[:200] or type(error).__name__}") from error


def _bounded(response: httpx2.Response, until: float) -> bytes:
    if response.status_code == 304:
        return b""
    parts, size = [], 0
    for part in response.iter_bytes(65_536):
        size += len(part)
        if size > MOST_BYTES:
            raise SourceError(f"its answer is larger than {MOST_BYTES // 1_000_000} MB")
        if size > _FREE_BYTES and size > _MAX_RATIO * response.num_bytes_downloaded:
            raise SourceError("its answer is broken: it unpacks to far more than it sends")
        if time.monotonic() > until:
            raise SourceError("its answer takes longer than 30 seconds")
        parts.append(part)
    return b"".join(parts)


def _origin(url: str) -> Origin:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _joined(url: str, location: str) -> str:
    try:
        return str(httpx2.URL(url).join(location))
    except (httpx2.InvalidURL, ValueError) as error:
        raise SourceError("it redirects to something that is no address") from error
