"""`python -m benchmarks.polls`: what politeness and memory cost, goals 8 and 9 of the project.

A server in a process of its own answers 304 to nine sources in ten, spread over 127.0.0.0/8; the tenth has changed.
CPU is of this process only. A bare loop of the same HTTP client, with as many threads, is the measure of the first
figure; feedparser parsing every body that of the second.
"""

import http.server
import io
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import feedparser
from sqlalchemy import update

from ingest import http as web
from ingest import sources_store
from ingest.collect import Intake
from ingest.scheduling import Collector
from tests.servers import free_port
from vigie import companies, db
from vigie.db.migrate import migrate
from vigie.db.tables import source
from vigie.log import open_log
from vigie.settings import Settings

SOURCES = int(os.environ.get("VIGIE_BENCH_SOURCES", "1000"))
MANY = int(os.environ.get("VIGIE_BENCH_MANY", "10000"))
RUNS, THREADS, ENTRIES = 3, 8, 30
ALLOWED = ("127.0.0.0/8",)
ITEM = "<item><guid>{0}</guid><title>Avis {0}</title><description>{1} Un texte de taille moyenne, comme on en lit.</description></item>"


def body(number: int, edition: int) -> bytes:
    names = [f"{number}-{edition}", *(f"{number}-{at}" for at in range(1, ENTRIES))]  # one entry of a feed is new
    items = "".join(ITEM.format(name, name) for name in names)
    return f'<rss version="2.0"><channel><title>T</title>{items}</channel></rss>'.encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        number = int(self.path.rpartition("/")[2])
        # Every tenth source has changed each time it is asked.
        is_new = "If-None-Match" not in self.headers or number % 10 == 0
        answer = body(number, int(time.monotonic_ns() % 1_000_000)) if is_new else b""
        self.send_response(200 if is_new else 304)
        self.send_header("ETag", '"1"')
        if is_new:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


def serve(port: int) -> None:
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler)
    server.request_queue_size = 128
    server.serve_forever()


def address(port: int, number: int) -> str:
    return f"http://127.0.{number % 50}.{1 + number // 50 % 20}:{port}/{number}"


def cpu_of(work) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def bare(port: int, numbers: list[int]) -> float:
    """The same client, the same threads and connections, and nothing else."""
    client = web.client(ALLOWED)

    def ask(number: int) -> None:
        with client.stream("GET", address(port, number), headers={"If-None-Match": '"1"'}) as response:
            response.read()

    def loop() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(ask, numbers))

    loop()  # connections are made
    spent = cpu_of(loop)
    client.close()
    return spent


class House:
    """A house with sources, polled once so that what follows is a second poll."""

    def __init__(self, folder: str, port: int, numbers: list[int]) -> None:
        self.engine = db.connect(f"sqlite:///{folder}/vigie.db")
        migrate(self.engine)
        self.log = open_log(Settings(log_url=f"sqlite:///{folder}/log.db"))
        self.log.prepare()
        with db.writing(self.engine) as connection:
            firm = companies.add(connection, "Firme")
            for number in numbers:
                sources_store.add(connection, firm, "feed", address(port, number))
        intake = Intake(self.engine, self.log, "")
        shares = {"threads": THREADS, "company_threads": THREADS}  # all the sources are one company's
        self.collector = Collector(self.engine, intake, allow_hosts=ALLOWED, **shares)

    def poll_all(self) -> None:
        self.collector.make_all_due()
        while self.collector.poll_due():
            pass

    def close(self) -> None:
        self.collector.close()
        self.log.close()
        self.engine.dispose()


def polled(port: int, numbers: list[int]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        house = House(folder, port, numbers)
        house.poll_all()
        spent = cpu_of(house.poll_all)
        house.close()
    return spent


def parsed(numbers: list[int]) -> float:
    bodies = [body(number, 1) for number in numbers]
    return cpu_of(lambda: [feedparser.parse(io.BytesIO(one), sanitize_html=False) for one in bodies])


def memory(port: int) -> tuple[float, float]:
    """MB of this process before and after a round of many sources that are all due."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as folder:
        house = House(folder, port, list(range(1, MANY + 1)))
        with db.writing(house.engine) as connection:
            connection.execute(update(source).values(cursor={"etag": '"1"'}))
        house.poll_all()
        house.close()
    return before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    port = free_port()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    server.start()
    time.sleep(1.5)
    unchanged = [number for number in range(1, SOURCES + SOURCES // 9 + 1) if number % 10][:SOURCES]
    mixed = list(range(1, SOURCES + 1))
    rows: dict[str, list[float]] = {"bare": [], "unchanged": [], "mixed": [], "feedparser": []}
    for run in range(RUNS):
        rows["bare"].append(bare(port, unchanged))
        rows["unchanged"].append(polled(port, unchanged))
        rows["mixed"].append(polled(port, mixed))
        rows["feedparser"].append(parsed(mixed))
        print({name: round(values[-1], 3) for name, values in rows.items()}, f"run {run + 1}", file=sys.stderr)
    before, after = memory(port)
    server.terminate()
    write({name: statistics.median(values) for name, values in rows.items()}, before, after)


def write(spent: dict[str, float], before: float, after: float) -> None:
    text = f"""# Benchmarks of polling

Made by `python -m benchmarks.polls` on {datetime.now(UTC):%Y-%m-%d}: {SOURCES:,} sources on 127.0.0.0/8 with {ENTRIES} entries each,
{THREADS} threads, embedded log and SQLite, medians of {RUNS} interleaved runs. CPU of the client process only.

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}.

| measure | CPU ms a source | ratio |
| --- | --- | --- |
| the HTTP client alone, unchanged (304) | {spent["bare"] / SOURCES * 1e3:.2f} | |
| Vigie's poll, unchanged | {spent["unchanged"] / SOURCES * 1e3:.2f} | {spent["bare"] / spent["unchanged"]:.2f} of the client's polls per CPU-second (goal 8: 0.6) |
| feedparser, every body | {spent["feedparser"] / SOURCES * 1e3:.2f} | |
| Vigie's poll, one in ten changed | {spent["mixed"] / SOURCES * 1e3:.2f} | {spent["feedparser"] / spent["mixed"]:.1f} times feedparser's entries per CPU-second (goal 9: 8) |

With nothing read at all, the HTTP client alone would allow {spent["feedparser"] / spent["bare"]:.1f} times feedparser's entries per
CPU-second on feeds of this size: goal 9 asks for another client before it asks for another parser.

Memory with {MANY:,} sources due at once: {before:.0f} MB at most before, {after:.0f} MB at most after.
"""
    (Path(__file__).parent.parent / "docs" / "benchmarks-polls.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
