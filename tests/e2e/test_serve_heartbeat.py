"""The heartbeat of `serve` may fail for any reason; the pages go on."""

import threading
from datetime import timedelta

import httpx2
from sqlalchemy.exc import ProgrammingError

from tests.servers import wait_until
from vigie import health, heartbeat
from vigie.cli import work


def test_a_fault_in_the_heartbeat_does_not_end_the_pages(house, monkeypatch):
    beat, failures = heartbeat.beat, []

    def fail_at_first(*arguments, **facts):
        if len(failures) < 3:
            failures.append(1)
            raise ProgrammingError("INSERT", {}, Exception("no such column"))
        beat(*arguments, **facts)

    monkeypatch.setattr(heartbeat, "beat", fail_at_first)
    monkeypatch.setattr(heartbeat, "EVERY", timedelta(seconds=0.05))
    stop = threading.Event()
    with work.listen("127.0.0.1", 0) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/health"
        serving = threading.Thread(target=work.serve_on, args=(house, stop, listening))
        serving.start()
        try:
            wait_until(lambda: not serving.is_alive() or health.is_alive(house.engine, "serve"))
            assert serving.is_alive()
            assert httpx2.get(address, trust_env=False).status_code == 200
        finally:
            stop.set()
            serving.join(20)
