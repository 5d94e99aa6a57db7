"""The only place that opens sockets to strangers: polite, bounded, and blind to private networks.

Addresses are checked where the connection is made: a name is resolved once, every address of it that is not global is
refused, and the connection goes to the address that was checked. So redirects and DNS rebinding change nothing.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpcore2
import httpx2

from vigie import __version__, clock
from vigie.errors import SourceError

USER_AGENT = f"Vigie/{__version__} (customer listening for small firms)"
MOST_BYTES = 10_000_000  # decompressed
_TIMEOUT = httpx2.Timeout(15, connect=10)
_WHOLE = 30.0  # seconds, for everything that one fetch takes
_MOST_REDIRECTS = 5

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source answered; header names are in lower case. `url` is where redirects ended."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    moved_to: str | None = None


class Allowed:
    """Hosts, `host:port` pairs and networks that may be reached although they are private (VIGIE_ALLOW_HOSTS)."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._hosts: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._hosts.add(entry.lower())

    def __call__(self, host: str, port: int, address: Address) -> bool:
        """Whether `address`, which `host` resolved to, may be connected to."""
        named = {host.lower(), f"{host.lower()}:{port}", f"{address}:{port}"} & self._hosts
        return bool(named) or is_global(address) or any(address in network for network in self._networks)


def is_global(address: Address) -> bool:
    """Whether it lies on the public internet, whatever form it is written in."""
    inner = _embedded(address)
    if inner is not None:
        return is_global(inner)
    return address.is_global and not address.is_multicast


def _embedded(address: Address) -> Address | None:
    """The IPv4 address inside an IPv6-mapped, 6to4, Teredo or NAT64 one."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


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
        address = self._checked(host, port)
        return self._backend.connect_tcp(str(address), port, timeout, local_address, socket_options)

    def _checked(self, host: str, port: int) -> Address:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name {host} is not known") from error
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        if not all(self._allowed(host, port, address) for address in addresses):
            raise httpcore2.ConnectError(f"{host} is an address of a private network")
        return addresses[0]

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
    return httpx2.Client(
        transport=_Transport(Allowed(allow_hosts)),
        timeout=_TIMEOUT,
        headers={"User-Agent": USER_AGENT},
        follow_redirects=False,
        trust_env=False,
    )


def get(http: httpx2.Client, url: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Fetch `url`, through at most five redirects, within ten megabytes and thirty seconds.

    Raises `SourceError` in words for the owner of the source.
    """
    until, moved_to, all_permanent = time.monotonic() + _WHOLE, None, True
    for _ in range(_MOST_REDIRECTS + 1):
        check_address(url)
        answer = _get_once(http, url, headers or {}, until)
        location = answer.headers.get("location")
        if answer.status not in {301, 302, 303, 307, 308} or not location:
            return Answer(answer.status, answer.headers, answer.body, url, moved_to)
        all_permanent = all_permanent and answer.status in {301, 308}
        url = _joined(url, location)
        moved_to = url if all_permanent else moved_to
    raise SourceError("the address leads from redirect to redirect and never arrives")


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


def _get_once(http: httpx2.Client, url: str, headers: Mapping[str, str], until: float) -> Answer:
    try:
        with http.stream("GET", url, headers=dict(headers)) as response:
            body = _bounded(response, until)
            return Answer(response.status_code, dict(response.headers), body, url)
    except httpx2.TimeoutException as error:
        raise SourceError("it does not answer in time") from error
    except httpx2.DecodingError as error:
        raise SourceError("its answer is broken: it cannot be unpacked") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        raise SourceError(f"it cannot be reached: {str(error)[:200] or type(error).__name__}") from error


def _bounded(response: httpx2.Response, until: float) -> bytes:
    if response.status_code == 304:
        return b""
    parts, size = [], 0
    for part in response.iter_bytes(65_536):
        size += len(part)
        if size > MOST_BYTES:
            raise SourceError(f"its answer is larger than {MOST_BYTES // 1_000_000} MB")
        if time.monotonic() > until:
            raise SourceError("its answer takes longer than 30 seconds")
        parts.append(part)
    return b"".join(parts)


def _joined(url: str, location: str) -> str:
    try:
        return str(httpx2.URL(url).join(location))
    except (httpx2.InvalidURL, ValueError) as error:
        raise SourceError("it redirects to something that is no address") from error
