"""The roles, all together or one by one, and the demonstration."""

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from vigie.cli.house import opened, say, tell

if TYPE_CHECKING:
    from vigie.cli.house import House
    from vigie.settings import Settings

Once = Annotated[bool, typer.Option("--once", help="do what is to be done now, and exit")]
Host = Annotated[str, typer.Option(help="the address to listen on")]
Port = Annotated[int, typer.Option(min=1, max=65535)]


def add_to(app: typer.Typer) -> None:
    for command in (up, demo, ingest, analyse, deliver, serve, health):
        app.command()(command)


def up(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Everything from one command: collects, understands, shows, alerts, mails.

    Prints the address and a one-time link to open it. Example: vigie up --port 8080
    """
    from vigie.cli import work
    from vigie.cli.supervisor import Supervisor
    from vigie.db.migrate import migrate

    with opened(migrated=False, role="up", **address(host, port)) as house, only_one(house.settings):
        supervisor = Supervisor(house, host, port)
        migrate(house.engine)
        until_signal(supervisor.stop, end_within=15)
        work.wait_until_ready(house, supervisor.stop)
        supervisor.start()
        supervisor.await_pages()
        tell(f"Vigie runs at {house.settings.base_url}")
        say(opening_hint(house))
        supervisor.stop.wait()
        tell("stopping")
        supervisor.join()


def demo(port: Port = 8000, once: Once = False) -> None:
    """The same on a sample firm, in a folder of its own: see what Vigie does in a minute.

    Example: vigie demo --once
    """
    from vigie.cli.demo import run

    run(port, once=once)


def ingest(
    once: Once = False, every: Annotated[bool, typer.Option("--all", help="poll every source now")] = False
) -> None:
    """Collect: poll the sources that are due. Run as many as needed."""
    from vigie.cli import work

    with opened(migrated=False, role="ingest") as house:
        stop = _started(house, is_watched=not once)
        work.ingest(house, stop, once=once, every=every)


def analyse(once: Once = False) -> None:
    """Understand: read what was collected. Run as many as needed."""
    from vigie.cli import work

    with opened(migrated=False, role="analyse") as house:
        stop = _started(house, is_watched=not once)
        work.analyse(house, stop, once=once)


def deliver(once: Once = False) -> None:
    """Send: webhooks and mails that are due. Run as many as needed."""
    from vigie.cli import work

    with opened(migrated=False, role="deliver") as house:
        stop = _started(house, is_watched=not once)
        work.deliver(house, stop, once=once)


def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Show: the pages and the API. Prints a one-time link to open the pages."""
    from vigie.cli import work

    with opened(migrated=False, role="serve", **address(host, port)) as house, work.listen(host, port) as listening:
        stop = _started(house, is_watched=False, metrics=False)
        say(opening_hint(house))
        work.serve_on(house, stop, listening)


def health(role: str) -> None:
    """Whether any process does ROLE (ingest, analyse, deliver, serve); exit status 0 or 1.

    Example: vigie health analyse
    """
    from vigie import health as vigie_health
    from vigie.errors import InvalidInputError, UnavailableError

    if role not in vigie_health.ROLES:
        raise InvalidInputError(f"{role!r} is no role: {', '.join(vigie_health.ROLES)}")
    with opened() as house:
        if not vigie_health.is_alive(house.engine, role):
            raise UnavailableError(f"no process has done {role} in the last 30 seconds")
    say(f"{role} is alive")


@contextmanager
def only_one(settings: "Settings") -> Iterator[None]:
    """Hold the lock of the data folder; say so when another `vigie up` holds it already."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    # Never through a link: it would empty somebody else's file.
    descriptor = os.open(settings.data_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            tell(f"another `vigie up` already uses the folder {settings.data_dir}: both will share the work")
        yield


def opening_hint(house: "House") -> str:
    """Return a one-time link while nobody else can sign in, otherwise how to make one.

    A link at every start would stay in the journal, and opens everything for an hour.
    """
    from vigie import db, people

    with db.reading(house.engine) as connection:
        is_in_use = people.has_administrator(connection)
    return "to open the pages: `vigie token link`" if is_in_use else one_time_link(house)


def one_time_link(house: "House") -> str:
    """A link that opens the pages once, within the hour."""
    from vigie import access, db

    with db.writing(house.engine) as connection:
        return f"{house.settings.base_url.rstrip('/')}/open?link={access.create_link(connection)}"


def address(host: str, port: int) -> dict[str, str]:
    """The base address that follows from host and port, unless it was set.

    Beyond loopback it must be set: links and the check of the Host header rest on it.
    """
    from vigie import settings
    from vigie.errors import SettingsError

    given: Settings = settings.load()
    if "base_url" in given.model_fields_set:
        return {}
    if host not in settings.LOOPBACK:
        raise SettingsError(f"to listen on {host}, set VIGIE_BASE_URL to the address that people will open")
    return {"base_url": f"http://{'[::1]' if host == '::1' else host}:{port}"}


def until_signal(stop: threading.Event, end_within: float | None = None) -> None:
    """Set `stop` on SIGTERM and SIGINT; after `end_within` seconds more the process is ended."""
    from vigie.cli.watchdog import WATCHDOG

    def end(number: int, frame: object) -> None:
        stop.set()
        if end_within:
            WATCHDOG.end_soon(end_within)

    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, end)


def _started(house: "House", *, is_watched: bool, metrics: bool = True) -> threading.Event:
    from vigie.cli import watchdog, work

    stop = threading.Event()
    until_signal(stop, watchdog.STOP_SECONDS)
    if is_watched:
        watchdog.WATCHDOG.start(house.engine)
    if metrics and house.settings.metrics_address:
        work.answer_metrics(house, house.settings.metrics_address)
    work.wait_until_ready(house, stop)
    return stop
