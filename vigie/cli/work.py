"""The roles as loops: each says that it is alive, works, and stops when asked."""

import errno
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from vigie import __version__, db, health, heartbeat, metrics, outages
from vigie.cli.house import House
from vigie.cli.watchdog import WATCHDOG
from vigie.db.migrate import is_current
from vigie.errors import SettingsError, UnavailableError
from vigie.log import missing_topics
from vigie.outbox import MAIL, TOPIC, WEBHOOK, Sender

logger = structlog.get_logger(__name__)

_WEBHOOKS_AT_ONCE = 64
_TRIM_EVERY = timedelta(hours=1).total_seconds()


def wait_until_ready(house: House, stop: threading.Event) -> None:
    """Wait for a database that is migrated, and for the log; a service may start before its servers do."""
    told = ""
    while not stop.is_set():
        WATCHDOG.go_round()
        try:
            why = _find_missing(house)
            if not why:
                return
        except Exception as error:  # whatever a server that starts says
            why = str(error).splitlines()[0][:200]
        if why != told:
            logger.warning("waiting", why=why)
            told = why
        stop.wait(1.0)


def _find_missing(house: House) -> str:
    """Return what `vigie migrate` has not made yet; empty when all is there. Changes nothing."""
    if not is_current(house.engine):
        return "the database is not migrated: run `vigie migrate`"
    if missing := missing_topics(house.log):
        return f"the log has no topic {', '.join(missing)}: run `vigie migrate`"
    return ""


def ingest(house: House, stop: threading.Event, *, once: bool = False, every: bool = False) -> None:
    """Poll what is due; with `once`, until nothing is."""
    from ingest.scheduling import Collector
    from vigie.secrets import Vault

    vault = Vault(house.settings.secret())
    collector = Collector(house.engine, house.intake, allow_hosts=house.settings.allow_hosts, vault=vault)

    def is_done() -> bool:
        return collector.is_idle

    try:
        if every:
            collector.make_all_due()
        _loop(house, "ingest", collector.poll_due, stop, once=once, idle=1.0, is_done=is_done)
    finally:
        collector.close()


def analyse(house: House, stop: threading.Event, *, once: bool = False) -> None:
    """Read the log; with `once`, until nothing lies before the group."""
    from analysis.themes import Vocabulary
    from analysis.worker import Worker

    vocabulary = Vocabulary(house.settings.lexicon_dir)
    worker: Worker | None = None

    def turn() -> int:
        """Join the group at the first turn: a broker that is away then is an outage like any other."""
        nonlocal worker
        if worker is None:
            engine_name, secret = house.settings.sentiment_engine, house.settings.secret()
            worker = Worker(house.engine, house.log, engine_name, vocabulary, secret)
        return worker.run_once(timeout=0.5)

    def is_drained() -> bool:
        return house.count_unread() == 0

    try:
        _loop(house, "analyse", turn, stop, once=once, idle=0.0, is_done=is_drained)
    finally:
        if worker is not None:
            worker.close()


def deliver(house: House, stop: threading.Event, *, once: bool = False) -> None:
    """Send what waits; with `once`, until nothing is due."""
    from dashboards import alert_mails, letters, mailer, rounds, weekly
    from vigie import outbox

    senders = dict(make_senders(house))
    trimmed_at = 0.0
    # Webhooks wait for strangers, so many may be on their way; a mail server is asked by a few at a time.
    webhooks = outbox.Dispatcher(house.engine, {WEBHOOK: senders.pop(WEBHOOK)}, at_once=_WEBHOOKS_AT_ONCE)
    others = outbox.Dispatcher(house.engine, senders)

    def turn() -> int:
        nonlocal trimmed_at
        if time.monotonic() - trimmed_at > _TRIM_EVERY:
            house.log.trim()
            trimmed_at = time.monotonic()
        mailed = weekly.send_due(house.engine, house.settings) + letters.send_due(house.engine, house.settings)
        mailed += alert_mails.send_due(house.engine, house.settings) + rounds.send_due(house.engine, house.settings)
        mailed += mailer.remove_emptied(house.engine, house.settings.outbox_dir)
        return mailed + webhooks.run_once() + others.run_once()

    try:
        _loop(house, "deliver", turn, stop, once=once, idle=0.5)
    finally:
        webhooks.close()
        others.close()


def make_senders(house: House) -> Mapping[str, Sender]:
    """How each kind of delivery leaves."""
    from api.webhooks.deliver import WebhookSender
    from dashboards import told
    from dashboards.mailer import mail_sender
    from vigie.log.sender import TopicSender
    from vigie.secrets import Vault

    def values(connection: Connection, event: dict[str, Any]) -> Mapping[str, Any]:
        return told.values(connection, house.settings, event)

    vault = Vault(house.settings.secret())
    return {
        WEBHOOK: WebhookSender(house.engine, vault, values, allow_hosts=house.settings.allow_hosts),
        MAIL: mail_sender(house.settings),
        TOPIC: TopicSender(house.log),
    }


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to that address. Raises `SettingsError` when it is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port} is taken: try --port {port + 1}") from error
        raise SettingsError(f"Vigie cannot listen on {host}:{port}: {error.strerror}") from error


def serve(house: House, stop: threading.Event, host: str, port: int) -> None:
    """Serve the API and the pages until asked to stop. Raises `SettingsError` when the port is taken."""
    with listen(host, port) as listening:
        serve_on(house, stop, listening)


def serve_on(house: House, stop: threading.Event, listening: socket.socket) -> None:
    """Serve the API and the pages on a bound socket, which stays open, until asked to stop."""
    import uvicorn

    from api.limits import SERVER_OPTIONS

    app = make_app(house)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        server_header=False,
        forwarded_allow_ips=",".join(house.settings.trusted_proxies),
        **SERVER_OPTIONS,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined, method-assign, unused-ignore]
    # uvicorn closes the socket that it is given; ours stays bound, so that nobody takes the port between two runs.
    run = _swallow_exit(lambda: server.run(sockets=[listening.dup()]))
    runner = threading.Thread(target=run, name="uvicorn", daemon=True)
    runner.start()
    _log_start(house, "serve", address=house.settings.base_url)
    ended = threading.Event()
    sampling = threading.Thread(target=app.state.services.figures.keep_sampled, args=(house.engine, house.log, ended))
    sampling.daemon = True
    sampling.start()
    try:
        while not stop.is_set() and runner.is_alive():
            _beat_quietly(house, "serve", address=house.settings.base_url)
            stop.wait(heartbeat.EVERY.total_seconds())
    finally:
        ended.set()
        server.should_exit = True
        runner.join(8)
        _end(house, "serve")


def make_app(house: House):  # type: ignore[no-untyped-def] # FastAPI is imported only where pages are served
    """The API with the pages added to it."""
    from api.app import create_app
    from api.services import Services
    from dashboards import web
    from vigie.secrets import Vault

    intake = house.intake
    app = create_app(Services(house.engine, house.log, house.settings, Vault(house.settings.secret()), intake))
    web.mount(app, house.engine, house.log, intake, house.settings)
    return app


def answer_metrics(house: House, address: str) -> None:
    """Answer /health, /ready and /metrics on `address`, for a role without pages.

    /health says whether the role goes round, /ready whether database and log answer.
    """
    host, _, port = address.rpartition(":")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind = 200, "application/json"
            if self.path == "/metrics":
                body, kind = metrics.render()
            elif self.path == "/health":
                is_alive = WATCHDOG.is_going_round()
                status = 200 if is_alive else 503
                body = json.dumps({"status": "alive" if is_alive else "stuck"}).encode()
            elif self.path == "/ready":
                state = health.readiness(house.engine, house.log)
                status, body = 200 if state["ready"] else 503, json.dumps(state).encode()
            else:
                self.send_error(404)
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Not in the log."""

    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def _loop(
    house: House,
    role: str,
    turn: Callable[[], int],
    stop: threading.Event,
    *,
    once: bool,
    idle: float,
    is_done: Callable[[], bool] = lambda: True,
) -> None:
    """Take turns until asked to stop; with `once`, until a turn brings nothing and `is_done`. An outage waits."""
    beaten_at = float("-inf")
    outage = outages.Outage(role)
    _log_start(house, role)
    while not stop.is_set():
        WATCHDOG.go_round()
        try:
            if time.monotonic() - beaten_at > heartbeat.EVERY.total_seconds():
                _beat(house, role)
                beaten_at = time.monotonic()
            done = turn()
            outage.end()
            if once and not done and is_done():
                break
        except UnavailableError as error:
            outage.note(error)
            stop.wait(2.0)
            continue
        if not done:
            stop.wait(idle)
    _end(house, role)


def _beat(house: House, role: str, **facts: Any) -> None:
    with db.writing(house.engine) as connection:
        heartbeat.beat(connection, role, **facts)


def _beat_quietly(house: House, role: str, **facts: Any) -> None:
    """Beat where a fault must not end the role: pages that answer are worth more than their sign of life."""
    try:
        _beat(house, role, **facts)
    except UnavailableError:
        pass
    except Exception:
        logger.exception("heartbeat_failed", role=role)


def _log_start(house: House, role: str, **facts: Any) -> None:
    metrics.note_start(role)
    logger.info(
        "started", role=role, version=__version__, process=heartbeat.process_name(), **facts, **house.settings.servers()
    )


def _end(house: House, role: str) -> None:
    logger.info("stopped", role=role, process=heartbeat.process_name())
    with suppress(UnavailableError), db.writing(house.engine) as connection:
        heartbeat.stop(connection, role)


def _swallow_exit(run: Callable[[], None]) -> Callable[[], None]:
    """uvicorn ends the process when it cannot start; here only its thread ends, and the loop sees it."""

    def quietly() -> None:
        with suppress(SystemExit):
            run()

    return quietly
