"""A database that becomes read-only, as after a failover, is an outage: every role waits, and goes on afterwards."""

import contextlib
import os
import subprocess
import sys
import time

import httpx2
import pytest

from tests.servers import free_port, set_read_only, wait_until
from vigie import access, companies, db, health, heartbeat
from vigie.db.migrate import migrate
from vigie.settings import Settings

MENTION = {"mentions": [{"id": "r1", "text": "Accueil parfait !", "rating": 5}]}


@contextlib.contextmanager
def running(settings, port):
    environment = {
        **os.environ,
        "VIGIE_DATA_DIR": str(settings.data_dir),
        "VIGIE_DATABASE_URL": settings.database_url,
        "VIGIE_SECRET_KEY": "a-key-of-this-test-long-enough-to-be-taken-0123456789",
    }
    command = [sys.executable, "-m", "vigie", "up", "--port", str(port)]
    with (
        (settings.data_dir / "up.log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def alive_since(engine, role, moment):
    """Whether that role was seen after `moment`."""
    with db.reading(engine) as connection:
        return any(process["seen_at"] > moment for process in heartbeat.alive(connection, role))


def present(engine):
    with db.reading(engine) as connection:
        return db.present(connection)


@pytest.mark.timeout(300)
def test_every_role_waits_and_goes_on(postgresql, tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    url = postgresql.new_database()
    settings = Settings(data_dir=tmp_path / "data", database_url=url)
    engine, port = db.connect(settings.database), free_port()
    migrate(engine)
    with db.writing(engine) as connection:
        company_id = companies.add(connection, "Boulangerie Mercier")
        bearer = {"Authorization": f"Bearer {access.create_key(connection, 'test')}"}
    address = f"http://127.0.0.1:{port}"
    pushes = f"{address}/api/v1/companies/{company_id}/mentions"

    def push():
        return httpx2.post(pushes, json=MENTION, headers=bearer, timeout=20, trust_env=False)

    def is_push_taken():
        try:
            return push().status_code == 202
        except httpx2.HTTPError:
            return False

    with running(settings, port) as process:
        wait_until(is_push_taken, 90, 0.5)
        for role in health.ROLES:
            wait_until(lambda role=role: health.is_alive(engine, role), 60, 0.5)
        set_read_only(url, "on")
        until = time.monotonic() + 20
        statuses = set()
        while time.monotonic() < until:
            answer = push()
            statuses.add((answer.status_code, answer.headers.get("retry-after")))
            time.sleep(1)  # so long that every role meets the fault, heartbeats included
        assert process.poll() is None
        set_read_only(url, "off")
        moment = wait_until(lambda: present(engine))
        for role in health.ROLES:
            wait_until(lambda role=role: alive_since(engine, role, moment), 60, 0.5)
        wait_until(is_push_taken, 30, 0.5)
        assert statuses == {(503, "5")}
        said = (settings.data_dir / "up.log").read_text()
        assert "worker_died" not in said
        assert "address already in use" not in said
    engine.dispose()
