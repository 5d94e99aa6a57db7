"""While the log does not answer, only those wait who need it."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest
from anyio import to_thread

from vigie import access, db
from vigie.cli import work
from vigie.errors import UnavailableError
from vigie.log import MENTIONS, Message, threads
from vigie.log.kafka import KafkaLog

PUSH = {"mentions": [{"id": "1", "text": "Bon pain.", "published_at": "2026-11-20T12:00:00Z"}]}


class Silent:
    """A log that takes nothing until it is told to."""

    def __init__(self):
        self.waiting, self.answers = 0, threading.Event()

    def append(self, topic, messages):
        self.waiting += 1
        self.answers.wait(60)
        raise UnavailableError("no broker")

    def __getattr__(self, name):
        raise UnavailableError("no broker")


@pytest.fixture
def silent(house):
    house.log = Silent()
    yield house.log
    house.log.answers.set()


@pytest.fixture
def bearer(house):
    with db.writing(house.engine) as connection:
        return {"Authorization": f"Bearer {access.create_key(connection, 'test', role='editor')}"}


def client(house):
    transport = httpx2.ASGITransport(app=work.make_app(house), client=("127.0.0.1", 1))
    return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=120)


def test_pages_and_reads_answer_while_many_pushes_wait(house, firm, silent, bearer):
    path = f"/api/v1/companies/{firm['id']}/mentions"

    async def ask():
        to_thread.current_default_thread_limiter().total_tokens = 4
        async with client(house) as visitor:
            pushes = [asyncio.create_task(visitor.post(path, json=PUSH, headers=bearer)) for _ in range(10)]
            while silent.waiting < 10:
                assert not any(push.done() for push in pushes)
                await asyncio.sleep(0.05)
            read = await visitor.get(path, headers=bearer)
            page = await visitor.get("/")
            silent.answers.set()
            return read.status_code, page.status_code, {(await push).status_code for push in pushes}

    read, page, pushed = asyncio.run(asyncio.wait_for(ask(), 100))
    assert (read, pushed) == (200, {503})
    assert page < 500


def test_beyond_those_that_may_wait_a_request_is_refused_at_once(house, firm, silent, bearer, monkeypatch):
    monkeypatch.setattr(threads, "MAX_WAITING", 0)

    async def ask():
        async with client(house) as visitor:
            return await visitor.post(f"/api/v1/companies/{firm['id']}/mentions", json=PUSH, headers=bearer)

    assert asyncio.run(ask()).status_code == 503
    assert silent.waiting == 0


@pytest.mark.parametrize("is_listening", [False, True], ids=["refused", "silent"])
def test_a_hundred_callers_are_refused_in_time(is_listening, tmp_path):
    """One after the other, they would take more than five minutes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if is_listening:
            listener.listen(200)
        log = KafkaLog(f"kafka://127.0.0.1:{listener.getsockname()[1]}", retention=timedelta(days=1))

        def append():
            with pytest.raises(UnavailableError):
                log.append(MENTIONS, [Message("k", b"v")])

        with ThreadPoolExecutor(100) as pool:
            for result in [pool.submit(append) for _ in range(100)]:
                result.result(100)
        log.close()
