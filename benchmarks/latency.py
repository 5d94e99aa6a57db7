"""How long a mention takes from the log to the CRM: appended → read → alerted → received and verified.

100 real reviews a second, one analysis and one delivery process, 400 firms with a webhook each. Half of the runs have,
besides, twenty firms whose receivers take the connection and say nothing: the figure is of the other firms all the same.
"""

import json
import os
import platform
import statistics
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook

from api.webhooks import store
from benchmarks.__main__ import ROOT, SEED, backends, sample
from benchmarks.processes import roles
from ingest import collect
from vigie import companies, db, ids
from vigie.db.migrate import migrate
from vigie.events import Mention, Origin
from vigie.log import MENTIONS, open_log
from vigie.secrets import Vault
from vigie.settings import Settings

RATE, SECONDS, FIRMS, MUTE = 100, int(os.environ.get("VIGIE_BENCH_SECONDS", "30")), 400, 20
_SETTLED = 20.0  # seconds after the last mention


class Receiver(ThreadingHTTPServer):
    """Notes when each alert's mention came in; below /mute it takes a delivery and never answers."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: dict[str, float] = {}
        self.secrets: dict[str, str] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path.startswith("/mute"):
            time.sleep(40)
            return
        event = Webhook(self.server.secrets[self.path]).verify(body, dict(self.headers.items()))
        for mention_id in event["data"]["mention_ids"]:
            self.server.received.setdefault(mention_id, time.monotonic())
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Not on the terminal."""


def run(settings: Settings, *, mute: bool) -> list[float]:
    """Seconds from each alerted mention's append to its receipt."""
    engine, log, receiver = db.connect(settings.database), open_log(settings), Receiver()
    migrate(engine)
    log.prepare()
    vault = Vault(settings.secret())
    with db.writing(engine) as connection:
        firms = [companies.add(connection, f"Firm {n}") for n in range(FIRMS)]
        for at, firm in enumerate(firms):
            path = f"/mute/{at}" if mute and at < MUTE else f"/{at}"
            _, receiver.secrets[path] = store.add(connection, vault, firm, receiver.url + path)
    texts = [(text, stars) for text, stars in sample() if text.strip()]
    appended: dict[str, float] = {}
    reached = {"VIGIE_ALLOW_HOSTS": "127.0.0.1", "VIGIE_SECRET_KEY": settings.secret()}
    with roles(settings, "analyse", "deliver", **reached):
        time.sleep(8)  # until both are ready
        begun = time.monotonic()
        for at in range(RATE * SECONDS):
            time.sleep(max(0.0, begun + at / RATE - time.monotonic()))
            text, stars = texts[at % len(texts)]
            now = datetime.now(UTC)
            said = Mention(
                id=ids.derived("latency", at), text=text[:20_000], rating=stars, published_at=now, collected_at=now
            )
            appended[said.id] = time.monotonic()
            log.append(
                MENTIONS, list(collect.messages(firms[at % FIRMS], Origin("so", "push", "bench"), [said], "fresh"))
            )
        time.sleep(_SETTLED)
    receiver.shutdown()
    log.close()
    engine.dispose()
    return [at - appended[mention_id] for mention_id, at in receiver.received.items()]


def main() -> None:
    servers: list = []
    rows = []
    try:
        for name, settings in backends(servers):
            for mute in (False, True):
                took = sorted(run(settings(), mute=mute))
                p50, p95 = statistics.median(took), took[int(0.95 * len(took))]
                rows.append((name, mute, len(took), p50, p95, took[-1]))
                print(json.dumps(rows[-1]), file=sys.stderr)
    finally:
        for server in servers:
            server.stop()
    write(rows)


def write(rows: list[tuple[str, bool, int, float, float, float]]) -> None:
    """The table, with the machine's description."""
    shown = "\n".join(
        f"| {name} | {f'{MUTE} that never answer' if mute else 'all answer'} | {count:,} | {p50:.2f} | {p95:.2f} | {worst:.2f} |"
        for name, mute, count, p50, p95, worst in rows
    )
    text = f"""# Benchmarks of alerts

Made by `python -m benchmarks.latency` on {datetime.now(UTC):%Y-%m-%d}: {RATE} real reviews a second for {SECONDS} s (seed {SEED}), {FIRMS}
firms with a webhook each, one analysis and one delivery process, the sender and the receiver on the same machine.
From the append to the log until the signed delivery was received and verified; the goal is p95 under 2 s.

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}.

| stores | receivers | alerts received | p50, s | p95, s | worst, s |
| --- | --- | --- | --- | --- | --- |
{shown}
"""
    (ROOT / "docs" / "benchmarks-latency.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
