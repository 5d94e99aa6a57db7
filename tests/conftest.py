"""Fixtures that every room's tests share. A server that cannot be had is a skip, or a failure under strict."""

import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta

import hypothesis
import pytest
import structlog
from sqlalchemy import Engine

from tests import servers
from tests.web import Site
from vigie import companies, db, settings
from vigie.cli.house import House
from vigie.db.migrate import migrate
from vigie.log import EventLog, open_log
from vigie.settings import Settings

# The first example may load a lexicon; a deadline would only measure the machine.
hypothesis.settings.register_profile("vigie", deadline=None)
hypothesis.settings.load_profile("vigie")
# structlog's default shows the locals of every frame, which takes half a second for one exception.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs all the tests of a server, so that each server is started once."""
    for item in items:
        parameters = str(getattr(getattr(item, "callspec", None), "params", ""))
        for name in ("kafka", "postgresql"):
            if name in parameters or name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.server)
                item.add_marker(pytest.mark.xdist_group("servers"))
                break


def start(make: Callable):
    """A server, or the reason why not: a skip, and under VIGIE_TEST_STRICT=1 a failure."""
    try:
        return make()
    except servers.CannotStartError as error:
        if os.environ.get("VIGIE_TEST_STRICT") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def nobody_outside(monkeypatch) -> None:
    """Strangers' pages name real sites: no test asks for any."""
    resolve = socket.getaddrinfo

    def only_here(host, *arguments, **more):
        if isinstance(host, str) and re.search(r"\.[a-z]{2,}$", host):
            raise OSError(f"{host} is not on this machine")
        return resolve(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)


@pytest.fixture(scope="session")
def kafka() -> Iterator[servers.Kafka]:
    server = start(servers.Kafka)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.Postgres]:
    server = start(servers.Postgres)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vigie.db'}"
    return request.getfixturevalue("postgresql").new_database()


@pytest.fixture(params=["embedded", "kafka"])
def log_url(request, tmp_path) -> str:
    if request.param == "embedded":
        return f"sqlite:///{tmp_path / 'log.db'}"
    return f"{request.getfixturevalue('kafka').url}?prefix={secrets.token_hex(4)}."


@pytest.fixture
def engine(database_url) -> Iterator[Engine]:
    engine = db.connect(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def log(log_url) -> Iterator[EventLog]:
    log = open_log(Settings(log_url=log_url, log_retention=timedelta(days=30)))
    log.prepare()
    yield log
    log.close()


@pytest.fixture
def embedded(tmp_path, monkeypatch) -> Settings:
    """The embedded default in a folder of the test's own."""
    for name in [name for name in os.environ if name.startswith("VIGIE_") and "TEST" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VIGIE_DATA_DIR", str(tmp_path / "data"))
    return settings.load()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def house(tmp_path, site) -> Iterator[House]:
    """The embedded house with its tables made; requests may reach the test's own site."""
    given = Settings(data_dir=tmp_path / "data", allow_hosts=(site.host,), secret_key="test")
    engine, log = db.connect(given.database), open_log(given)
    migrate(engine)
    log.prepare()
    yield House(given, engine, log)
    log.close()
    engine.dispose()


@pytest.fixture
def firm(house) -> dict:
    with db.writing(house.engine) as connection:
        return dict(companies.get(connection, companies.add(connection, "Boulangerie Mercier", city="Limoges")))
