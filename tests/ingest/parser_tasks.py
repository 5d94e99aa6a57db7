"""The parsers, and some that only tests need: they sleep, loop, crash or eat memory as hostile bytes might make one."""

import os
import time
from collections.abc import Iterator

import dns.resolver

from ingest.files.table import BadRow
from ingest.parsing import tasks

if port := os.environ.get("TEST_NAME_SERVER_PORT"):
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], int(port)
    dns.resolver.default_resolver = resolver


def echo(body: bytes, arguments: object) -> Iterator[object]:
    print("a stray print")
    yield BadRow(os.getpid(), body.decode())


def sleep(body: bytes, arguments: float) -> Iterator[object]:
    time.sleep(float(body))
    yield BadRow(0, "")


def loop(body: bytes, arguments: object) -> Iterator[object]:
    while True:
        pass


def crash(body: bytes, arguments: object) -> Iterator[object]:
    os.abort()
    yield


def fail(body: bytes, arguments: object) -> Iterator[object]:
    yield BadRow(1, "")
    raise RuntimeError


def fill_memory(body: bytes, arguments: object) -> Iterator[object]:
    kept = [b"x" * 1_000_000 for _ in range(int(body))]
    yield BadRow(len(kept), "")


def send_object(body: bytes, arguments: object) -> Iterator[object]:
    """Send what is no part: a child that a stranger controls may."""
    yield tasks.parse_mail.__class__


def environment(body: bytes, arguments: object) -> Iterator[object]:
    yield BadRow(0, " ".join(sorted(os.environ)))


TEST_TASKS = (echo, sleep, loop, crash, fail, fill_memory, send_object, environment)
TASKS = {**tasks.TASKS, **{task.__name__: task for task in TEST_TASKS}}
