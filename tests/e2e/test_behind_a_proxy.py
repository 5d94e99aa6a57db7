"""Visitors behind a proxy of another network namespace are told apart, if the proxy is trusted, and not otherwise."""

import os
import secrets
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from dashboards import feedback
from ingest import sources_store
from tests.servers import free_port, wait_until
from vigie import db, settings
from vigie.cli import work
from vigie.errors import SettingsError

PROXY = Path(__file__).parent / "proxy.py"
HERE, THERE = "10.231.57.1", "10.231.57.2"


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def namespace():
    """A network namespace with one wire to it: HERE is our end, THERE its own."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("only root makes network namespaces, by `ip`")
    name = f"vigie{secrets.token_hex(3)}"
    ours, theirs = f"{name}a", f"{name}b"
    try:
        run("ip", "netns", "add", name)
        run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs)
        run("ip", "link", "set", theirs, "netns", name)
        run("ip", "addr", "add", f"{HERE}/30", "dev", ours)
        run("ip", "link", "set", ours, "up")
        run("ip", "netns", "exec", name, "ip", "addr", "add", f"{THERE}/30", "dev", theirs)
        run("ip", "netns", "exec", name, "ip", "link", "set", theirs, "up")
    except subprocess.CalledProcessError as error:
        run("ip", "netns", "del", name)
        pytest.skip(f"no network namespace can be made: {error.stderr.decode()[:100]}")
    yield name
    run("ip", "netns", "del", name)


@contextmanager
def proxied(house, namespace, **changes):
    """The pages behind a proxy in the namespace; yields a function that asks as some visitor."""
    port, proxy_port = free_port(), free_port()
    base_url = "https://avis.exemple.fr"
    house.settings = house.settings.model_copy(update={"base_url": base_url, **changes})
    stop = threading.Event()
    server = threading.Thread(target=work.serve, args=(house, stop, HERE, port))
    server.start()
    command = ["ip", "netns", "exec", namespace, sys.executable, str(PROXY), THERE, str(proxy_port), f"{HERE}:{port}"]
    proxy = subprocess.Popen(command)

    def ask(method, path, visitor, **options):
        headers = {"Host": "avis.exemple.fr", "X-Test-Visitor": visitor, **options.pop("headers", {})}
        address = f"http://{THERE}:{proxy_port}{path}"
        return httpx2.request(method, address, headers=headers, trust_env=False, timeout=20, **options)

    def answers():
        try:
            return ask("GET", "/health", "192.0.2.1").status_code == 200
        except httpx2.HTTPError:
            return False

    try:
        wait_until(answers, timeout=30)
        yield ask
    finally:
        proxy.kill()
        proxy.wait()
        stop.set()
        server.join(15)


@pytest.fixture
def form(house, firm, monkeypatch):
    monkeypatch.setattr(feedback, "MAX_ANSWERS_OF_ADDRESS", 2)
    with db.writing(house.engine) as connection:
        return sources_store.add(connection, firm["id"], "form", "Caisse")


def answer(ask, form, visitor, **options):
    return ask(
        "POST", f"/avis/{form}", visitor, data={"rating": "5", "text": secrets.token_hex(4)}, **options
    ).status_code


def test_visitors_of_a_trusted_proxy_are_told_apart(house, namespace, form):
    with proxied(house, namespace, trusted_proxies=(f"{THERE}/32",)) as ask:
        assert [answer(ask, form, f"203.0.113.{visitor}") for visitor in range(5)] == [200] * 5
        assert [answer(ask, form, "198.51.100.7") for _ in range(3)] == [200, 200, 429]
        # What a visitor writes there himself is not believed: the proxy's own entry is the last one.
        forged = {"X-Forwarded-For": "203.0.113.99"}
        assert answer(ask, form, "198.51.100.7", headers=forged) == 429
        one_network = [answer(ask, form, f"2001:db8::{visitor:x}") for visitor in range(1, 4)]
        assert one_network == [200, 200, 429]


def test_a_proxy_that_nobody_trusts_is_one_visitor(house, namespace, form):
    with proxied(house, namespace) as ask:
        assert [answer(ask, form, f"203.0.113.{visitor}") for visitor in range(3)] == [200, 200, 429]


def test_https_stays_https(house, namespace, form):
    with proxied(house, namespace, trusted_proxies=(THERE,)) as ask:
        for path in ("/api/v1/companies/", f"/avis/{form}/", "/companies/"):
            location = ask("GET", path, "203.0.113.1", follow_redirects=False).headers.get("location", "")
            assert not location.startswith("http://")


@pytest.mark.parametrize("value", ["proxy", "10.0.0.0/33", "*"])
def test_a_proxy_that_is_no_address_is_refused(value):
    with pytest.raises(SettingsError, match="VIGIE_TRUSTED_PROXIES"):
        settings.load(trusted_proxies=value)


@pytest.mark.parametrize(
    "base_url", ["https://exemple.fr/vigie", "https://exemple.fr/?a", "avis.exemple.fr", "ftp://x"]
)
def test_a_base_url_that_cannot_work_is_refused_with_a_sentence(base_url):
    with pytest.raises(SettingsError, match="VIGIE_BASE_URL"):
        settings.load(base_url=base_url)
