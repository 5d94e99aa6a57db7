"""A name with several addresses is reached at any of them, and refused when one of them is private."""

import contextlib
import socket
import time

import pytest

from api.webhooks.deliver import WebhookSender
from ingest.http import Web
from ingest.net import Allowed, UnreachableError, connect_first, resolved
from tests.web import Answer
from vigie.errors import SourceError
from vigie.secrets import Vault

NAME = "two.addresses"


@pytest.fixture
def two_addresses(monkeypatch, site):
    """The port of a server on IPv4 only, whose name has an IPv6 address first; both are allow-listed."""
    port = int(site.host.rpartition(":")[2])
    _answer(monkeypatch, ["::1", "127.0.0.1"])
    site.pages["/"] = Answer(b"here")
    return port


def _answer(monkeypatch, addresses):
    real = socket.getaddrinfo

    def resolve(host, port, *arguments, **more):
        if host != NAME:
            return real(host, port, *arguments, **more)
        families = {":": socket.AF_INET6, ".": socket.AF_INET}
        return [(families[":" if ":" in one else "."], socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_a_poll_goes_on_to_the_second_address(two_addresses):
    with Web([NAME], delay=0) as web:
        assert web.get(f"http://{NAME}:{two_addresses}/").body == b"here"


def test_a_webhook_goes_on_to_the_second_address(house, two_addresses, site):
    sender = WebhookSender(house.engine, Vault("s"), lambda connection, event: event, allow_hosts=[NAME])
    with contextlib.closing(sender):
        outcome = sender._post(f"http://{NAME}:{two_addresses}/", {}, b"{}")
    assert outcome.status == 200, outcome


def test_a_mailbox_goes_on_to_the_second_address(two_addresses):
    with Web([NAME]) as web, web.connect(NAME, two_addresses, 10) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"
        assert connection.gettimeout() == 10


def test_one_private_address_among_them_refuses_all(monkeypatch, site):
    port = int(site.host.rpartition(":")[2])
    _answer(monkeypatch, ["2606:4700::1111", "127.0.0.1"])
    with pytest.raises(UnreachableError, match="private"):
        resolved(NAME, port, Allowed())
    with Web(delay=0) as web, pytest.raises(SourceError, match="private"):
        web.get(f"http://{NAME}:{port}/")
    assert site.requests == []


def test_an_address_that_swallows_everything_leaves_time_for_the_next():
    """A listening socket whose queue is full answers no further connection, as an address without a route."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    held = [socket.socket() for _ in range(3)]
    for one in held:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    open_ = socket.create_server(("127.0.0.2", port))
    began = time.monotonic()
    try:
        addresses = resolved("127.0.0.1", port, Allowed(["127.0.0.0/8"])) + resolved(
            "127.0.0.2", port, Allowed(["127.0.0.0/8"])
        )
        connection = connect_first(
            addresses, 2.0, lambda address, seconds: socket.create_connection((address, port), seconds)
        )
        assert connection.getpeername()[0] == "127.0.0.2"
        connection.close()
        assert time.monotonic() - began < 20
    finally:
        for one in [*held, open_, full]:
            one.close()
