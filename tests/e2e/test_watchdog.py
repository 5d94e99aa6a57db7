"""A worker that hangs: it says so, it is ended, and it cannot refuse to stop."""

import os
import signal
import subprocess
import sys

import httpx2
import pytest

from tests.servers import free_port, wait_until

START = """
import sys
import time
from sqlalchemy import text
from analysis.worker import Worker
from vigie import db
from vigie.cli import main, watchdog

def hang(self, timeout=1.0):
    print("hangs", flush=True)
    while True:
        pass

def work_long(self, timeout=1.0):
    print("hangs", flush=True)
    for _ in range(8):
        time.sleep(0.5)
        with db.reading(self._engine) as connection:
            connection.execute(text("SELECT 1"))
    print("has worked", flush=True)
    time.sleep(60)

Worker.run_once = hang
{more}
sys.argv = ["vigie", "analyse"]
main()
"""


@pytest.fixture
def start(embedded):
    """Return a function that starts a worker whose first round never ends; `more` runs in it before."""
    workers = []

    def run(more="", **environment):
        worker = subprocess.Popen(
            [sys.executable, "-c", START.format(more=more)],
            env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        workers.append(worker)
        assert worker.stdout.readline() == "hangs\n"
        return worker

    yield run
    for worker in workers:
        worker.kill()
        worker.communicate()


def test_a_worker_that_hangs_is_ended_and_says_where(start):
    worker = start("watchdog.STUCK_SECONDS = 2.0")
    _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 1
    assert "in hang" in errors


def test_long_work_that_asks_the_database_is_not_ended(start):
    worker = start("Worker.run_once, watchdog.STUCK_SECONDS = work_long, 3.0")
    assert worker.stdout.readline() == "has worked\n"


def test_a_worker_that_hangs_stops_when_asked(start):
    worker = start("watchdog.STUCK_SECONDS, watchdog.STOP_SECONDS = 600.0, 2.0")
    worker.send_signal(signal.SIGTERM)
    _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 1
    assert "in hang" in errors


def test_the_health_of_a_worker_is_that_it_goes_round(start):
    port = free_port()
    start("watchdog.HEALTHY_SECONDS = 1.0", VIGIE_METRICS_ADDRESS=f"127.0.0.1:{port}")

    def status(path):
        return httpx2.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=60).status_code

    wait_until(lambda: status("/health") == 503)
    assert status("/ready") == 200
