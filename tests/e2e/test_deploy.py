"""docker-compose.yml: accepted by docker-compose, and each service's command run with its environment.

No container engine runs on the test machines, so the commands run here, against the tests' own Kafka and PostgreSQL.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import yaml

from tests.conftest import start
from tests.servers import CannotStartError, free_port, wait_until

ROOT = Path(__file__).parent.parent.parent
ROLES = ("ingest", "analyse", "deliver", "serve")


def compose_command():
    path = shutil.which("docker-compose")
    if not path:
        raise CannotStartError("docker-compose: not on this machine")
    return path


@pytest.fixture
def services():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.server
def test_docker_compose_accepts_the_file():
    command = [start(compose_command), "-f", ROOT / "docker-compose.yml", "config"]
    secrets = {"POSTGRES_PASSWORD": "p", "VIGIE_SECRET_KEY": "k"}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | secrets)
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == {"kafka", "postgres", "migrate", *ROLES}


@pytest.mark.server
@pytest.mark.parametrize("missing", ["POSTGRES_PASSWORD", "VIGIE_SECRET_KEY"])
def test_there_is_no_password_by_default(missing):
    command = [start(compose_command), "-f", ROOT / "docker-compose.yml", "config"]
    secrets = {"POSTGRES_PASSWORD": "p", "VIGIE_SECRET_KEY": "k"}
    del secrets[missing]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | secrets)
    assert done.returncode != 0
    assert missing in done.stderr


def test_nothing_is_published_beyond_this_machine(services):
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:8000:8000"]


def test_each_service_runs_with_its_command_and_environment(services, kafka, postgresql, tmp_path):
    port, database, log = free_port(), postgresql.new_database(), f"{kafka.url}?prefix=compose{free_port()}."

    def environment(service):
        given = dict(service["environment"])
        assert given["VIGIE_DATABASE_URL"].startswith("postgresql://")
        assert given["VIGIE_LOG_URL"].startswith("kafka://")
        given |= {"VIGIE_DATABASE_URL": database, "VIGIE_LOG_URL": log, "VIGIE_BASE_URL": f"http://127.0.0.1:{port}"}
        given |= {
            "VIGIE_SECRET_KEY": "0123456789abcdefghijklmnopqrstuv",
            "VIGIE_TRUSTED_PROXIES": "127.0.0.1",
            "VIGIE_SMTP_URL": "",
            "VIGIE_MAIL_FROM": "",
            "VIGIE_DATA_DIR": str(tmp_path),
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
        return {**clean, **given}

    def command(service):
        return [sys.executable, "-m", "vigie", *(str(port) if part == "8000" else part for part in service["command"])]

    subprocess.run(
        command(services["migrate"]),
        env=environment(services["migrate"]),
        check=True,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    running = {
        role: subprocess.Popen(
            command(services[role]),
            env=environment(services[role]),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for role in ROLES
    }
    try:

        def ready():
            try:
                answer = httpx2.get(f"http://127.0.0.1:{port}/ready", trust_env=False).json()
            except httpx2.HTTPError:
                return False
            return answer["ready"] and all(answer["roles"][role] for role in ROLES)

        wait_until(ready, timeout=60, every=0.3)
        for role in ROLES:
            test = services[role]["healthcheck"]["test"]
            assert test == ["CMD", "vigie", "health", role]
            subprocess.run(
                [sys.executable, "-m", *test[1:]],
                env=environment(services[role]),
                check=True,
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
            )
    finally:
        for process in running.values():
            process.terminate()
        ends = {role: (process.wait(15), process.stderr.read().decode()) for role, process in running.items()}
        for process in running.values():
            process.stderr.close()
    assert {role: status for role, (status, _) in ends.items()} == dict.fromkeys(ROLES, 0), json.dumps(ends)
