"""The whole API against its own description: no crash, no answer that is not declared.

`make test-api` asks for many more examples, with three seeds.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx2
import pytest

from tests.servers import free_port, wait_until
from vigie import access, companies, db
from vigie.cli import work

EXAMPLES = os.environ.get("VIGIE_TEST_API_EXAMPLES", "8")
SEEDS = os.environ.get("VIGIE_TEST_API_SEEDS", "1").split()
CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance"


@pytest.fixture
def served(house, firm):
    """A real server over the firm, on loopback."""
    house.settings = house.settings.model_copy(update={"rate_limit": 10_000_000})
    port, stop = free_port(), threading.Event()
    runner = threading.Thread(target=work.serve, args=(house, stop, "127.0.0.1", port))
    runner.start()
    url = f"http://127.0.0.1:{port}"

    def answers():
        try:
            return httpx2.get(f"{url}/health", trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    wait_until(answers, timeout=20)
    yield url
    stop.set()
    runner.join(20)


@pytest.mark.slow
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_is_declared_and_none_is_a_crash(served, house, firm, seed, tmp_path):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "test")
        place = companies.add_location(connection, firm["id"], "Les Halles", None)
    client = httpx2.Client(base_url=f"{served}/api/v1/companies/{firm['id']}", trust_env=False)
    client.headers["Authorization"] = f"Bearer {key}"
    known = {
        "company_id": firm["id"],
        "webhook_id": client.post("/webhooks", json={"url": "https://crm.example.fr/h"}).json()["id"],
        "rule_id": client.post("/rules", json={"name": "x", "conditions": {"location_id": place}}).json()["id"],
        "source_id": client.post("/sources", json={"kind": "feed", "target": "https://a.example.fr/f"}).json()["id"],
    }
    client.close()
    settings = "\n".join(f'"path.{name}" = {json.dumps(value)}' for name, value in known.items())
    (tmp_path / "schemathesis.toml").write_text(f"[parameters]\n{settings}\n")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{served}/openapi.json",
            "--header", f"Authorization: Bearer {key}", "--max-examples", EXAMPLES, "--seed", seed, "--checks", CHECKS,
            "--exclude-method", "DELETE", "--no-color",
        ],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6_000:]
