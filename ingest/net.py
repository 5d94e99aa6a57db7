"""Which addresses may be reached: the public internet, and what VIGIE_ALLOW_HOSTS names.

Addresses are checked where the connection is made: a name is resolved once, every address of it that is not global is
refused, and the connection goes to the addresses that were checked, one after the other until one answers. So redirects
and DNS rebinding change nothing.
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from vigie.errors import InvalidInputError

Connection = TypeVar("Connection")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_MAX_ADDRESSES = 8
_TRY_SECONDS, _MIN_SECONDS = 3.0, 0.1
_ISATAP = 0x5EFE  # after the 64 bits of the network, with or without the universal bit (RFC 5214, 6.1)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The IANA special-purpose registries, because the interpreter's own tables differ from one release to the next; all but
# 2000::/3, which alone is given out; and an address at which a cloud provider answers its own machines (Azure).
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in """
        0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
        192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15
        198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
        ::/3 4000::/2 8000::/1 2001::/23 2001:db8::/32 2620:4f:8000::/48 3fff::/20
    """.split()
)


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
        return self._is_named(host, port, address) or is_global(address) or self._is_inside(address)

    def lists(self, host: str, port: int) -> bool:
        """Whether the owner named it: it is their own, and needs no politeness."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return self._is_named(host, port, None)
        return self._is_named(host, port, address) or self._is_inside(address)

    def _is_named(self, host: str, port: int, address: Address | None) -> bool:
        return bool({host.lower(), f"{host.lower()}:{port}", f"{address}:{port}"} & self._hosts)

    def _is_inside(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def resolved(host: str, port: int, allowed: Allowed) -> list[Address]:
    """The addresses to connect to, in the system's order of preference (RFC 6724).

    Raises `UnreachableError` if any that the name has may not be reached.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(f"the name {host} is not known") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not all(allowed(host, port, address) for address in addresses):
        raise UnreachableError(f"{host} is an address of a private network")
    return list(dict.fromkeys(addresses))[:_MAX_ADDRESSES]


def connect_first(
    addresses: Sequence[Address], timeout: float, connect: Callable[[str, float], Connection]
) -> Connection:
    """Return the first connection that `connect(address, seconds)` makes, all tries within `timeout` seconds.

    Raises what the last try raised. Only the last address gets all the time that is left, so that one that swallows
    everything, as IPv6 without a route does, leaves time for the others.
    """
    until = time.monotonic() + timeout
    for address in addresses[:-1]:
        try:
            return connect(str(address), min(_TRY_SECONDS, timeout / len(addresses)))
        except Exception:  # of whichever library connects; the last address tells
            if time.monotonic() >= until:
                raise
    return connect(str(addresses[-1]), max(_MIN_SECONDS, until - time.monotonic()))


def refuse_private(url: str, allow_hosts: Iterable[str]) -> None:
    """Raise `InvalidInputError` for a web address that names a private IP address, which can never be reached."""
    parts = urlsplit(url)
    try:
        address = ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return  # a name is resolved, and checked, at each connection
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not Allowed(allow_hosts)(str(address), port, address):
        raise InvalidInputError(f"{parts.hostname} is an address of a private network: VIGIE_ALLOW_HOSTS may name it")


class UnreachableError(OSError):
    """The name is unknown, or leads where strangers must not lead us."""


def is_global(address: Address) -> bool:
    """Whether it lies on the public internet, whatever form it is written in."""
    inner = _embedded(address)
    if inner is not None:
        return is_global(inner)
    is_special = any(address.version == network.version and address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not is_special


def _embedded(address: Address) -> Address | None:
    """The IPv4 address inside an IPv6-mapped, 6to4, Teredo, ISATAP or NAT64 one."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    is_isatap = (int(address) >> 32) & 0xFDFFFFFF == _ISATAP
    if address in _NAT64 or is_isatap:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
