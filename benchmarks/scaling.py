"""More workers, and one firm that everybody talks of; on Kafka and PostgreSQL: `python -m benchmarks.scaling`.

Workers are processes of their own, which have joined before anything is appended. The broker, the database and the sender
share the machine with them, so on two cores the wall time says little: the workers' own CPU is beside it.
"""

import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Engine, func, select

from benchmarks.__main__ import ROOT, SEED, backends, sample
from benchmarks.processes import cpu, cpu_of, roles
from ingest import collect
from tests.servers import wait_until
from vigie import companies, db, ids
from vigie.db.migrate import migrate
from vigie.db.tables import mention
from vigie.events import Mention, Origin
from vigie.log import PARTITIONS, EventLog, open_log
from vigie.log.partition import partition_of
from vigie.settings import Settings

COUNT, FIRMS, RUNS = 12_000, 400, 3
LIVE_RATE, LIVE_SECONDS, BURST, FIRST, PACE, STEP = 50, 40, 15_000, 1_000, 500, 250
_JOINED = 12.0  # seconds until every worker holds its partitions
_ORIGIN = Origin("so", "push", "bench")
Texts = Sequence[tuple[str, float | None]]


class House:
    """A fresh installation with firms in it."""

    def __init__(self, settings: Settings, firms: int) -> None:
        self.settings, self.engine, self.log = settings, db.connect(settings.database), open_log(settings)
        migrate(self.engine)
        self.log.prepare()
        with db.writing(self.engine) as connection:
            self.firms = [companies.add(connection, f"Firm {number}") for number in range(firms)]

    def close(self) -> None:
        self.log.close()
        self.engine.dispose()


@contextmanager
def workers(settings: Settings, count: int) -> Iterator[list[subprocess.Popen]]:
    with roles(settings, *["analyse"] * count) as started:
        time.sleep(_JOINED)
        yield started


def size(engine: Engine) -> int:
    """Bytes of the database."""
    with db.reading(engine) as connection:
        return int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0)


def stored(engine: Engine) -> int:
    with db.reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(mention)) or 0


def said(texts: Texts, number: int, name: str) -> Mention:
    text, stars = texts[number % len(texts)]
    now = datetime.now(UTC)
    rating = float(stars) if stars and stars <= 5 else None
    return Mention(id=ids.derived(name, number), text=text[:20_000], rating=rating, published_at=now, collected_at=now)


class Drained(NamedTuple):
    """Mentions a second until all are stored; CPU µs a mention of workers, broker and database; bytes a mention."""

    rate: float
    workers: float
    broker: float
    database: float
    size: float


def drained(settings: Settings, texts: Texts, count: int) -> Drained:
    house = House(settings, FIRMS)
    empty = size(house.engine)
    with workers(settings, count) as processes:

        def spent() -> list[float]:
            return [cpu(processes), cpu_of("java"), cpu_of("postgres")]

        before, begun = spent(), time.monotonic()
        for start in range(0, COUNT, 50):
            part = [said(texts, number, "drained") for number in range(start, start + 50)]
            collect.append(house.log, house.firms[start // 50 % FIRMS], _ORIGIN, part)
        wait_until(lambda: stored(house.engine) == COUNT, 300)
        took = time.monotonic() - begun
        each = [(now - then) / COUNT * 1e6 for now, then in zip(spent(), before, strict=True)]
    bytes_each = (size(house.engine) - empty) / COUNT
    house.close()
    return Drained(COUNT / took, *each, bytes_each)


def burst(log: EventLog, firm: str, texts: Texts, pace: float) -> None:
    """One firm's mentions, at once or as an import hands them over."""
    begun = time.monotonic()
    for start in range(0, BURST, STEP):
        if pace:
            time.sleep(max(0.0, begun + (start - FIRST) / pace - time.monotonic()))
        collect.append(
            log, firm, _ORIGIN, [said(texts, n, "burst") for n in range(start, start + STEP)], notify="never"
        )


def delays(settings: Settings, texts: Texts, hot: Callable[[House], object]) -> dict[str, list[float]]:
    """Seconds from append to visible of mentions that come one by one, on the hot firm's partition and elsewhere."""
    house = House(settings, FIRMS)
    sent: dict[str, tuple[float, str]] = {}
    shown: dict[str, float] = {}
    done = threading.Event()
    shared = partition_of(house.firms[0], PARTITIONS)

    def watch() -> None:
        ours = select(mention.c.id).where(mention.c.company_id != house.firms[0])
        while not done.wait(0.05):
            with db.reading(house.engine) as connection:
                seen, now = set(connection.scalars(ours)), time.monotonic()
            shown.update((one, now) for one in seen - shown.keys())

    watcher = threading.Thread(target=watch)
    with workers(settings, 2):
        watcher.start()
        begun = time.monotonic()
        for number in range(LIVE_RATE * LIVE_SECONDS):
            time.sleep(max(0.0, begun + number / LIVE_RATE - time.monotonic()))
            if number == 5 * LIVE_RATE:
                threading.Thread(target=hot, args=[house]).start()
            firm = house.firms[1 + number % (FIRMS - 1)]
            one = said(texts, number, "live")
            where = "the same partition" if partition_of(firm, PARTITIONS) == shared else "other partitions"
            sent[one.id] = (time.monotonic(), where)
            collect.append(house.log, firm, _ORIGIN, [one])
        wait_until(lambda: sent.keys() <= shown.keys(), 120)
        done.set()
        watcher.join()
    house.close()
    found: dict[str, list[float]] = {"other partitions": [], "the same partition": []}
    for one, (start, where) in sent.items():
        found[where].append(shown[one] - start)
    return found


def main() -> None:
    texts = [one for one in sample() if one[0].strip()]
    servers: list = []
    try:
        ((_, fresh),) = [one for one in backends(servers) if one[0] != "embedded"]
        rates: dict[int, list[Drained]] = {1: [], 2: [], 4: []}
        for _ in range(RUNS):
            for count, found in rates.items():
                found.append(drained(fresh(), texts, count))
                print(f"{count} workers: {found[-1]}", file=sys.stderr)
        calm = delays(fresh(), texts, lambda house: None)
        paced = delays(fresh(), texts, lambda house: burst(house.log, house.firms[0], texts, PACE))
        at_once = delays(fresh(), texts, lambda house: burst(house.log, house.firms[0], texts, 0))
    finally:
        for server in servers:
            server.stop()
    write(rates, {"nothing else": calm, "a file, as an import paces it": paced, "all at once": at_once})


def write(rates: dict[int, list[Drained]], waits: dict[str, dict[str, list[float]]]) -> None:
    first = statistics.median(one.rate for one in rates[1])
    lines = []
    for count, found in rates.items():
        one = Drained(*(statistics.median(side) for side in zip(*found, strict=True)))
        lines.append(
            f"| {count} | {one.rate:,.0f} | {one.rate / first:.2f} | {one.workers:.0f} | {one.broker:.0f} | "
            f"{one.database:.0f} | {one.size:,.0f} |"
        )
    shown = []
    for name, found in waits.items():
        for where, seconds in found.items():
            cuts = statistics.quantiles(seconds, n=20)
            shown.append(f"| {name} | {where} | {len(seconds)} | {cuts[9]:.2f} | {cuts[18]:.2f} | {max(seconds):.2f} |")
    text = f"""# More workers, and one firm that everybody talks of

Made by `python -m benchmarks.scaling` on {datetime.now(UTC):%Y-%m-%d}: real reviews (seed {SEED}), Kafka and PostgreSQL, {PARTITIONS} partitions.
The broker, the database and the sender share the machine with the workers.

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}.

{COUNT:,} mentions of {FIRMS} firms, 50 in a record, until all are stored; medians of {RUNS} interleaved runs:

| workers | mentions a second | against one | CPU µs a mention: workers | broker | database | bytes a mention in the database |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(lines)}

{LIVE_RATE} mentions a second, one by one, for {LIVE_SECONDS} s, of {FIRMS - 1} firms, two workers; after five seconds another firm receives {BURST:,}.
From the append until the API can show a mention:

| the other firm receives | firms on | mentions | p50, s | p95, s | worst, s |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(shown)}

A firm that shares the partition waits at most for what lies before it, divided by what a worker reads a second.
"""
    (ROOT / "docs" / "benchmarks-scaling.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
