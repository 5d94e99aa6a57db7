"""`python -m benchmarks.trend`: reading a trend as the database grows, and what a request for it costs; goals 5 and 6.

Trends are read from daily sums. Those of one firm, made from real reviews, stand for as many firms as the mentions that
are wanted make; a request is made over ASGI in this process, so that no client's CPU counts.
"""

import asyncio
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine, text

from analysis import queries, reading
from analysis.reading import Asked
from api.app import create_app
from api.auth import Read
from api.services import Services
from benchmarks.__main__ import ROOT, backends, sample
from benchmarks.pages import A_FIRM, fill
from ingest.collect import Intake
from vigie import access, clock, db
from vigie.db import tables
from vigie.db.migrate import migrate
from vigie.log import open_log
from vigie.secrets import Vault
from vigie.settings import Settings

SIZES = tuple(int(size) for size in os.environ.get("VIGIE_BENCH_SIZES", "10000 5000000").split())
AT_ONCE = 200
ASKED, WARM, REQUESTS, ROUNDS, DAYS = 1_000, 100, 400, 5, 90
# What the copy of a row says in the place of what the row says.
OTHERS = {
    ("company", "id"): "'co_' || numbers.n",
    ("rollup", "company_id"): "'co_' || numbers.n",
    ("rollup", "source_id"): "source_id || numbers.n",
}


def house(settings: Settings) -> tuple[Engine, str]:
    """A database with one firm of real reviews."""
    engine = db.connect(settings.database)
    migrate(engine)
    texts = sample()[:1_000]
    read = reading.read_all([Asked(said, rating=stars) for said, stars in texts])
    return engine, fill(engine, texts, read, A_FIRM)


def multiply(engine: Engine, company_id: str, first: int, last: int) -> None:
    """The firm and its daily sums, once more for each number from `first` to `last`."""
    numbers = f"WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
    with db.writing(engine) as connection:
        for table in (tables.company, tables.rollup):
            names = [column.name for column in table.columns]
            shown = ", ".join(OTHERS.get((table.name, name), name) for name in names)
            ours = "id" if table is tables.company else "company_id"
            copied = f"""{numbers} INSERT INTO {table.name} ({", ".join(names)})
                SELECT {shown} FROM numbers CROSS JOIN {table.name} WHERE {ours} = :ours"""
            connection.execute(text(copied), {"ours": company_id})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE rollup"))


def trend(engine: Engine, firms: int) -> tuple[float, float]:
    """p50 and p95 in milliseconds of a trend of ninety days, of firms drawn by a seed."""
    chance, last = random.Random(firms), clock.now().date()
    taken = []
    with db.reading(engine) as connection:
        for _ in range(WARM + ASKED):
            company_id = f"co_{chance.randint(1, firms)}"
            started = time.perf_counter()
            days = queries.daily(connection, company_id, last - timedelta(days=DAYS - 1), last)
            taken.append((time.perf_counter() - started) * 1e3)
            if not days:
                raise SystemExit(f"{company_id} has no trend")
    return statistics.median(taken[WARM:]), statistics.quantiles(taken[WARM:], n=20)[-1]


def requests(engine: Engine, settings: Settings, company_id: str) -> tuple[float, float]:
    """CPU µs of a request for a constant answer, and of one for the trend, behind the same key and middleware."""
    log = open_log(settings)
    unlimited, secret = settings.model_copy(update={"rate_limit": 10**9}), settings.secret()
    app = create_app(Services(engine, log, unlimited, Vault(secret), Intake(engine, log, secret)))
    _add_constant(app)
    with db.writing(engine) as connection:
        key = access.create_key(connection, "benchmark")
    last = clock.now().date()
    asked = f"by=day&from={last - timedelta(days=DAYS - 1)}&to={last}".encode()
    spent: dict[str, list[float]] = {"constant": [], "trends": []}
    with asyncio.Runner() as runner:
        for _ in range(ROUNDS):
            for name, found in spent.items():
                query = asked if name == "trends" else b""
                found.append(runner.run(_cpu(app, f"/api/v1/companies/{company_id}/{name}", query, key)))
    log.close()
    return statistics.median(spent["constant"]), statistics.median(spent["trends"])


def _add_constant(app: FastAPI) -> None:
    @app.get("/api/v1/companies/{company_id}/constant")
    async def constant(firm: Read) -> dict[str, str]:
        return {"status": "alive"}


async def _cpu(app: Callable[..., Awaitable[None]], path: str, query: bytes, key: str) -> float:
    started = time.process_time()
    for _ in range(REQUESTS):
        await _ask(app, path, query, key)
    return (time.process_time() - started) / REQUESTS * 1e6


async def _ask(app: Callable[..., Awaitable[None]], path: str, query: bytes, key: str) -> None:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query, "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {key}".encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status"))

    await app(scope, receive, send)
    if statuses[0] != 200:
        raise SystemExit(f"{path}: {statuses[0]}")


def main() -> None:
    servers: list[Any] = []
    lines = []
    try:
        for name, make in backends(servers):
            lines += measure(name.removeprefix("Kafka + "), make())
    finally:
        for server in servers:
            server.stop()
    write(lines)


def measure(name: str, settings: Settings) -> list[str]:
    engine, company_id = house(settings)
    constant, asked = requests(engine, settings, company_id)
    found, made = [], 0
    for size in SIZES:
        for first in range(made + 1, size // A_FIRM + 1, AT_ONCE):  # a statement has its time
            multiply(engine, company_id, first, min(first + AT_ONCE - 1, size // A_FIRM))
        made = size // A_FIRM
        found.append(trend(engine, made))
        print(f"{name}, {size:,}: {found[-1]}", file=sys.stderr)
    engine.dispose()
    times = " | ".join(f"{p50:.2f} / {p95:.2f}" for p50, p95 in found)
    return [
        f"| {name} | {times} | {found[-1][1] / found[0][1]:.2f} | {constant:.0f} | {asked:.0f} | {asked / constant:.2f} |"
    ]


def write(lines: list[str]) -> None:
    sizes = " | ".join(f"ms at {size:,} mentions, p50 / p95" for size in SIZES)
    report = f"""# Benchmark of trends

Made by `python -m benchmarks.trend` on {datetime.now(UTC):%Y-%m-%d}: a trend of {DAYS} days, {ASKED:,} firms drawn by a seed, each of
{A_FIRM:,} real reviews; CPU of a request over ASGI in one process, median of {ROUNDS} interleaved runs of {REQUESTS}.

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}.

| store | {sizes} | ratio of p95 | µs, constant answer | µs, trend | ratio |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(lines)}

Goals: p95 at 5,000,000 at most 1.5 times that at 10,000, and at most 1 ms; the last column at most 2.5 on SQLite.
"""
    (ROOT / "docs" / "benchmarks-trend.md").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
