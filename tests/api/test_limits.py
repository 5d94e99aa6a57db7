"""Clients that send half of something, by real sockets to a real server: others are answered all the same."""

import select
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack

import httpx2
import pytest
import uvicorn

from api import limits
from tests.servers import free_port, wait_until
from vigie import access, db
from vigie.cli import work


@pytest.fixture
def address(house):
    """The address of the product's own server, with the options that it is started with."""
    port = free_port()
    config = uvicorn.Config(work.make_app(house), port=port, log_level="critical", **limits.SERVER_OPTIONS)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield "127.0.0.1", port
    server.should_exit = True
    server.force_exit = True
    thread.join(10)


def is_healthy(address, seconds=5.0):
    url = f"http://{address[0]}:{address[1]}/health"
    return httpx2.get(url, timeout=seconds, trust_env=False).status_code == 200


def opened(stack, address, sent):
    connection = stack.enter_context(socket.create_connection(address, timeout=30))
    connection.sendall(sent)
    return connection


def received(connection):
    """What the server sends until it closes the connection."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def post(path="/avis/x", headers=b"", length=1_000):
    return b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n%s\r\n" % (path.encode(), length, headers)


def answered(connections):
    """Return the connections on which there is something to read."""
    return select.select(connections, [], [], 0)[0]


def test_bodies_that_never_come_leave_room_for_others(address):
    with ExitStack() as stack:
        connections = [opened(stack, address, post() + b"half") for _ in range(190)]
        assert is_healthy(address)
        allowed = limits.BodyLimits().open_bodies_of_address
        # Which of them come first is not said, so those that were answered are counted.
        wait_until(lambda: len(answered(connections)) >= len(connections) - allowed)
        statuses = Counter(received(connection)[:12] for connection in answered(connections))
        # A busy server closes the oldest of too many connections, and the answer to one that still sends may be lost.
        assert statuses.keys() <= {b"HTTP/1.1 503", b""}, statuses


def test_half_sent_bodies_from_a_few_addresses_lose_their_places_to_others(address):
    """Sixteen from each of four addresses take all places; who comes then is answered after a second at most."""
    with ExitStack() as stack:
        for number in range(64):
            source = (f"127.0.0.{number % 4 + 10}", 0)
            slow = stack.enter_context(socket.create_connection(address, timeout=30, source_address=source))
            slow.sendall(post() + b"x")
        wait_until(lambda: not is_busy(address), timeout=15)
        assert not any(is_busy(address) for _ in range(20))


def is_busy(address):
    url = f"http://{address[0]}:{address[1]}/language"
    return httpx2.post(url, data={"language": "fr"}, trust_env=False).status_code == 503


def test_a_body_that_breaks_off_is_no_fault_of_ours(address, capfd):
    with socket.create_connection(address) as connection:
        connection.sendall(post("/sign-out", b"Expect: 100-continue\r\n", 10))
        connection.recv(100)
    assert is_healthy(address)
    logged = "".join(capfd.readouterr())
    assert "Traceback" not in logged
    assert "request_crashed" not in logged


def test_headers_that_never_end_are_left_in_time(address, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_SECONDS", 1.0)
    with ExitStack() as stack:
        half = [opened(stack, address, sent) for sent in (b"", b"GET /health HTTP/1.1\r\nX-Slow: ")]
        second = opened(stack, address, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nX-Slow: ")
        assert [received(connection) for connection in half] == [b"", b""]
        assert received(second).count(b"HTTP/1.1 200") == 1


def test_the_oldest_of_too_many_half_sent_headers_is_closed(address):
    with ExitStack() as stack:
        first = opened(stack, address, b"GET /")
        others = [opened(stack, address, b"GET /") for _ in range(limits.MAX_WAITING_HEADS)]
        assert received(first) == b""
        assert is_healthy(address)
        assert others


def test_a_slow_body_is_refused_in_time(house):
    body_limits = limits.BodyLimits(body_seconds=0.5)
    port = free_port()
    app = limits.BoundedBody(work.make_app(house), house.engine, body_limits)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", **limits.SERVER_OPTIONS))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    with ExitStack() as stack:
        answer = received(opened(stack, ("127.0.0.1", port), post() + b"half"))
    server.should_exit = True
    thread.join(10)
    assert answer.startswith(b"HTTP/1.1 408")


def test_only_a_session_may_send_a_large_file(house, address):
    with db.writing(house.engine) as connection:
        session = access.open_session(connection, access.create_link(connection))
    path, large = "/companies/nobody/start/files", 3_000_000
    cookie = b"Cookie: vigie_session=%s\r\n"
    cookies = {"none": b"", "false": cookie % b"vigie_x", "open": cookie % session.encode()}
    statuses = {}
    for name, header in cookies.items():
        with ExitStack() as stack:
            connection = opened(stack, address, post(path, header + b"Connection: close\r\n", large))
            if name == "open":
                connection.sendall(b"x" * large)
            statuses[name] = received(connection)[9:12]
    assert (statuses["none"], statuses["false"]) == (b"413", b"413")
    assert statuses["open"] != b"413"


def test_a_body_in_tiny_chunks_is_refused_before_it_costs_much(address):
    head = b"POST /avis/x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with ExitStack() as stack:
        connection = opened(stack, address, head)
        started = time.process_time()
        try:
            for _ in range(200):
                connection.sendall(b"1\r\nx\r\n" * 10_000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert is_healthy(address)
        assert time.process_time() - started < 3.0  # of this process, which serves as well; it took 14 s


def test_a_body_in_chunks_of_a_decent_size_is_read(address):
    head = b"POST /avis/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with ExitStack() as stack:
        connection = opened(stack, address, head + b"10\r\n%s\r\n" % (b"x" * 16) * 100 + b"0\r\n\r\n")
        assert received(connection)[9:12] not in {b"400", b"413", b"408"}
