"""Links lead to the address that really serves, and a port that is taken is told before anything is promised."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.e2e.test_commands import vigie
from tests.servers import free_port, wait_until


@contextlib.contextmanager
def running(data, *arguments):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    with (data.parent / f"{arguments[0]}-{arguments[-1]}.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "vigie", *arguments],
            env={**clean, "VIGIE_DATA_DIR": str(data)}, stdout=log, stderr=log, cwd=data.parent,
        )  # fmt: skip
        try:
            yield Path(log.name).read_text
        finally:
            process.terminate()
            process.wait(20)


def is_ready(port):
    with contextlib.suppress(httpx2.HTTPError):
        return httpx2.get(f"http://127.0.0.1:{port}/ready", trust_env=False).json()["roles"].get("serve")


def test_commands_name_the_address_that_serves(tmp_path):
    data, port = tmp_path / "data", free_port()
    vigie("company", "add", "Boulangerie Mercier", data=data)
    vigie("user", "add", "marie@example.fr", "--company", "Boulangerie Mercier", "--role", "owner", data=data)
    with running(data, "serve", "--port", str(port)):
        wait_until(lambda: is_ready(port), 60)
        for command in (["token", "link"], ["user", "link", "marie@example.fr"]):
            assert f"http://127.0.0.1:{port}/open?link=" in vigie(*command, data=data).stdout


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = vigie("up", "--port", port, data=tmp_path / "data", expect=1)
    assert done.stdout == ""
    assert "open?link=" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert f"port {port} is taken" in line


def test_a_second_up_on_one_folder_says_so(tmp_path):
    data, first, second = tmp_path / "data", free_port(), free_port()
    with running(data, "up", "--port", str(first)):
        wait_until(lambda: is_ready(first), 60)
        with running(data, "up", "--port", str(second)) as said:
            wait_until(lambda: "another `vigie up` already uses the folder" in said(), 60)
