"""`python -m benchmarks.limits`: the client beside another, a full table beside an empty one, how soon a mention is seen,
and what a process takes; goals 3, 4, 7 and 10.

confluent-kafka is no dependency of Vigie: `pip install confluent-kafka` before, or goal 3 is left out.
"""

import os
import platform
import statistics
import tempfile
import threading
import time
import urllib.request
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine, select, text

from analysis import reading, store
from analysis.reading import Asked, Reading
from benchmarks.__main__ import ROOT, SEED, Start, backends, sample
from benchmarks.processes import cpu, roles
from ingest import collect
from tests.servers import Kafka, free_port, wait_until
from vigie import companies, db, health, ids
from vigie.db import tables
from vigie.db.migrate import migrate
from vigie.events import Mention, Origin
from vigie.log import MENTIONS, PARTITIONS, Message, open_log
from vigie.log.partition import partition_of
from vigie.settings import Settings

RUNS = 3
CARRIED = 60_000  # mentions through either client
ROWS, FIRMS, AT_ONCE, STORED = 3_000, 60, 250, 1_000_000
RATE, SECONDS, SIZE = 1_000, 20, 5
QUEUED, SETTLED, WATCHED = 1_000_000, 10.0, 40.0  # mentions, seconds, seconds
_ORIGIN = Origin("so_1", "push", "bench")
_ACCEPTED = {"acks": "all", "enable.idempotence": True, "linger.ms": 20, "batch.size": 128_000}


def main() -> None:
    servers: list = []
    try:
        stores = backends(servers)
        brokers = [one for one in servers if isinstance(one, Kafka)]
        client = clients(brokers[0]) if brokers else []
        filled = [row for name, settings in stores for row in tables_of(name, settings)]
        seen = [(name, *visible(settings())) for name, settings in stores]
        memory, ready, resting = queued(), started(), idle()
    finally:
        for server in servers:
            server.stop()
    write(client, filled, seen, memory, ready, resting)


def clients(kafka: Kafka) -> list[tuple[str, float, float]]:
    """CPU µs a mention of producing and of consuming: our log, fifty mentions in a record; confluent-kafka, one in each."""
    try:
        import confluent_kafka
    except ImportError:
        return []
    mentions = list(_mentions(CARRIED))
    records = [one for at in range(0, CARRIED, 50) for one in _records("c", mentions[at : at + 50])]
    values = [message.value for one in mentions for message in _records("c", [one])]
    found: dict[str, list[tuple[float, float]]] = {
        "kafka-python, 50 in a record": [],
        "confluent-kafka, 1 in a record": [],
    }
    for _ in range(RUNS):
        prefix = ids.drawn("b") + "."
        log = open_log(Settings(data_dir=Path(tempfile.mkdtemp()), log_url=f"{kafka.url}?prefix={prefix}"))
        log.prepare()
        ours = _cpu(lambda log=log: [log.append(MENTIONS, records[at : at + 10]) for at in range(0, len(records), 10)])
        with log.subscribe("raw", [MENTIONS], Start()) as subscription:
            taken = _cpu(
                lambda reads=subscription: _read_all(
                    lambda: sum(len(one.records) for one in reads.poll(timeout=0.5)), len(records)
                )
            )
        log.close()
        found["kafka-python, 50 in a record"].append((ours, taken))
        address = {"bootstrap.servers": kafka.url.removeprefix("kafka://")}
        topic = f"{prefix}mentions.dead"
        producer = confluent_kafka.Producer({**address, **_ACCEPTED})
        theirs = _cpu(lambda producer=producer, topic=topic: _produce(producer, topic, values))
        consumer = confluent_kafka.Consumer({**address, "group.id": prefix, "auto.offset.reset": "earliest"})
        consumer.subscribe([topic])
        taken = _cpu(lambda consumer=consumer: _read_all(lambda: len(consumer.consume(500, 0.5)), len(values)))
        consumer.close()
        found["confluent-kafka, 1 in a record"].append((theirs, taken))
    return [(name, *(statistics.median(one) for one in zip(*taken, strict=True))) for name, taken in found.items()]


def _produce(producer, topic: str, values: Sequence[bytes]) -> None:
    for value in values:
        while True:
            try:
                producer.produce(topic, value, b"c")
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    producer.flush()


def _read_all(read: Callable[[], int], count: int) -> None:
    while count > 0:
        count -= read()


def _cpu(work: Callable[[], object]) -> float:
    """CPU µs of this process, with all its threads, for each mention carried."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / CARRIED * 1e6


def tables_of(name: str, settings: Callable[[], Settings]) -> list[tuple[str, str, float, float]]:
    """µs a row, of this process's CPU and by the clock, to store mentions that were read before; empty, then full."""
    read = _read(ROWS)
    engines = {"an empty table": _opened(settings()), f"{STORED:,} rows": _opened(settings())}
    _fill(engines[f"{STORED:,} rows"], read)
    found: dict[str, list[tuple[float, float]]] = {size: [] for size in engines}
    for run in range(RUNS):
        for size, full in engines.items():
            engine = full if run == 0 or size != "an empty table" else _opened(settings())
            found[size].append(_stored(engine, read, f"{run}"))
    for engine in engines.values():
        engine.dispose()
    return [
        (name, size, *(statistics.median(one) for one in zip(*taken, strict=True))) for size, taken in found.items()
    ]


def _opened(settings: Settings) -> Engine:
    engine = db.connect(settings.database)
    migrate(engine)
    return engine


def _read(count: int) -> list[tuple[str, float | None, Reading]]:
    said = sample()[:count]
    read = reading.read_all([Asked(one, rating=stars) for one, stars in said])
    return [(one, stars, judged) for (one, stars), judged in zip(said, read, strict=True)]


def _stored(engine: Engine, read: Sequence[tuple[str, float | None, Reading]], run: str) -> tuple[float, float]:
    """Rows of sixty firms that are new, 250 a transaction, with rollups and the words that search finds."""
    with db.writing(engine) as connection:
        firms = [dict(companies.get(connection, companies.add(connection, f"Firm {at}"))) for at in range(FIRMS)]
    rows = [
        store.row_of(firms[at * FIRMS // len(read)], _ORIGIN, _mention(said, stars, f"{run} {at}"), one, "never")
        for at, (said, stars, one) in enumerate(read)
    ]
    cpu, clock = time.process_time(), time.perf_counter()
    for at in range(0, len(rows), AT_ONCE):
        with db.writing(engine) as connection:
            store.store(connection, rows[at : at + AT_ONCE])
    return (time.process_time() - cpu) / len(rows) * 1e6, (time.perf_counter() - clock) / len(rows) * 1e6


def _fill(engine: Engine, read: Sequence[tuple[str, float | None, Reading]]) -> None:
    """The rows of one run, again and again under other ids, until there are a million."""
    _stored(engine, read, "first")
    is_sqlite = engine.dialect.name == "sqlite"
    spread = "n * 2654435761 % 4294967296" if is_sqlite else "n::bigint * 2654435761 % 4294967296"
    drawn = f"printf('%08x', {spread})" if is_sqlite else f"lpad(to_hex({spread}), 8, '0')"
    number = "abs(random())" if is_sqlite else "(random() * 9e18)::bigint"
    names = ", ".join(column.name for column in tables.mention.columns if column.name != "id")
    again = "WITH RECURSIVE again (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM again WHERE n < {last})"
    copies = (
        f"INSERT INTO mention (id, {names}) SELECT {drawn} || id, {names} FROM again, mention WHERE length(id) = 32",
        f"""INSERT INTO mention_search (number, mention_id, words)
            SELECT {number}, {drawn} || mention_id, words FROM again, mention_search WHERE length(mention_id) = 32""",
    )
    times = STORED // len(read) - 1
    for first in range(1, times + 1, 20):  # a statement may take a minute at most
        with db.writing(engine) as connection:
            for copied in copies:
                connection.execute(text(f"{again.format(first=first, last=min(times, first + 19))} {copied}"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def visible(settings: Settings) -> tuple[int, float, float, float]:
    """Mentions, and p50, p95 and the worst of the milliseconds from each one's due time until a reader of the database
    sees it; a thousand a second, five in a record. A mention is there when the position past its record is: both are
    written in one transaction, and positions are few to ask for."""
    engine, log = _opened(settings), open_log(settings)
    log.prepare()
    with db.writing(engine) as connection:
        firms = [companies.add(connection, f"Firm {at}") for at in range(FIRMS)]
    mentions = list(_mentions(RATE * SECONDS))
    records = [
        record
        for at in range(0, len(mentions), SIZE)
        for record in _records(firms[at // SIZE % FIRMS], mentions[at : at + SIZE])
    ]
    with roles(settings, "analyse") as (worker,):
        wait_until(lambda: health.is_alive(engine, "analyse"), 60)
        usual = [_mention(*said, f"usual {at}") for at, said in enumerate(sample(9))]
        log.append(MENTIONS, _records(firms[0], usual))
        # Models are loaded and usual words known, as in one that has run.
        wait_until(lambda: _count(engine) == len(usual), 60)
        next_offsets = _next_offsets(engine)
        places = [(_partition(one), _counted(next_offsets, _partition(one))) for one in records]
        seen: list[tuple[float, dict[int, int]]] = []
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.01):
                found = _next_offsets(engine)
                seen.append((time.monotonic(), found))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        begun = time.monotonic()
        sent = 0
        while sent < len(records):
            ready = min(len(records), int((time.monotonic() - begun) * RATE / SIZE) + 1)
            log.append(MENTIONS, records[sent:ready])  # what came due meanwhile, as what several polls brought
            sent = ready
            time.sleep(max(0.0, begun + sent * SIZE / RATE - time.monotonic()))
        wait_until(lambda: seen[-1][1] == next_offsets, 60)
        done.set()
        watcher.join()
        assert worker.poll() is None
    log.close()
    engine.dispose()
    took = sorted(_waited(places, begun, seen))
    return len(took) * SIZE, statistics.median(took), took[int(0.95 * len(took))], took[-1]


def _waited(
    places: Sequence[tuple[int, int]], begun: float, seen: Sequence[tuple[float, dict[int, int]]]
) -> Iterator[float]:
    """Milliseconds of each record."""
    for at, (partition, offset) in enumerate(places):
        first = bisect(seen, offset, key=lambda one, partition=partition: one[1].get(partition, 0))
        if first < len(seen):
            yield 1e3 * (seen[first][0] - begun - at * SIZE / RATE)


def _next_offsets(engine: Engine) -> dict[int, int]:
    with db.reading(engine) as connection:
        rows = select(tables.consumer_offset.c.partition, tables.consumer_offset.c.next_offset)
        return {row.partition: row.next_offset for row in connection.execute(rows)}


def _partition(record: Message) -> int:
    return partition_of(record.key, PARTITIONS)


def _counted(offsets: dict[int, int], partition: int) -> int:
    """The offset of one more record of that partition."""
    offset = offsets.get(partition, 0)
    offsets[partition] = offset + 1
    return offset


def _count(engine: Engine) -> int:
    with db.reading(engine) as connection:
        return store.count(connection)


def queued() -> list[tuple[str, int]]:
    """The most memory in MB that each role takes, begun with a million mentions in the embedded log."""
    settings = Settings(data_dir=Path(tempfile.mkdtemp(prefix="vigie-bench-")))
    engine, log = _opened(settings), open_log(settings)
    log.prepare()
    with db.writing(engine) as connection:
        firms = [companies.add(connection, f"Firm {at}") for at in range(FIRMS)]
    mentions = _mentions(QUEUED)
    for at in range(QUEUED // 500):
        log.append(
            MENTIONS,
            [
                one
                for firm in range(10)
                for one in _records(firms[(10 * at + firm) % FIRMS], list(islice(mentions, 50)))
            ],
        )
    log.close()
    found = []
    for name in ("ingest", "analyse", "deliver", "serve"):
        with roles(settings, name) as (process,):
            time.sleep(WATCHED)
            found.append((name, _peak(process.pid)))
    engine.dispose()
    return found


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def started() -> list[tuple[str, float]]:
    """Seconds until each role has said that it lives, and until `up` answers that it is ready; medians."""
    found: dict[str, list[float]] = {name: [] for name in ("ingest", "analyse", "deliver", "serve", "up")}
    for _ in range(RUNS):
        for name, taken in found.items():
            settings = Settings(data_dir=Path(tempfile.mkdtemp(prefix="vigie-bench-")))
            engine, port = _opened(settings), free_port()
            begun = time.monotonic()
            with roles(settings, _command(name, port)):
                is_ready = (
                    (lambda port=port: _answers(port))
                    if name in {"serve", "up"}
                    else (lambda engine=engine, name=name: health.is_alive(engine, name))
                )
                wait_until(is_ready, 60, 0.02)
                taken.append(time.monotonic() - begun)
            engine.dispose()
    return [(name, statistics.median(taken)) for name, taken in found.items()]


def idle() -> list[tuple[str, float]]:
    """The part of one core, in percent, that each role takes while nothing happens, and all of them in `up`."""
    found = []
    for name in ("ingest", "analyse", "deliver", "serve", "up"):
        settings = Settings(data_dir=Path(tempfile.mkdtemp(prefix="vigie-bench-")))
        _opened(settings).dispose()
        with roles(settings, _command(name, free_port())) as (process,):
            time.sleep(SETTLED)
            before = cpu([process])
            time.sleep(WATCHED)
            found.append((name, 100 * (cpu([process]) - before) / WATCHED))
    return found


def _command(name: str, port: int) -> str:
    return f"{name} --port {port}" if name in {"serve", "up"} else name


def _answers(port: int) -> bool:
    with suppress(OSError):
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=1).status == 200
    return False


def _mention(said: str, stars: float | None, name: str) -> Mention:
    now = datetime.now(UTC)
    return Mention(id=ids.derived("limits", name), text=said[:20_000], rating=stars, published_at=now, collected_at=now)


def _mentions(count: int) -> Iterator[Mention]:
    texts = [one for turn in range(8) for one in sample(turn)]
    return (_mention(*texts[at % len(texts)], str(at)) for at in range(count))


def _records(firm: str, mentions: Sequence[Mention]) -> list:
    return list(collect.messages(firm, _ORIGIN, mentions, "never"))


def write(
    client: list[tuple[str, float, float]], filled: list[tuple[str, str, float, float]],
    seen: list[tuple[str, int, float, float, float]], memory: list[tuple[str, int]], ready: list[tuple[str, float]],
    resting: list[tuple[str, float]],
) -> None:  # fmt: skip
    """The tables, with the machine's description."""
    parts = [
        f"""# Benchmarks of limits

Made by `python -m benchmarks.limits` on {datetime.now(UTC):%Y-%m-%d}: real reviews, half French and half English (seed {SEED}); medians of
{RUNS} interleaved runs where nothing else is said.

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}.
""",
        _table(
            f"## The client of the log (goal 3)\n\n{CARRIED:,} mentions, all copies acknowledged; CPU of the client process with all its threads.",
            "client | produce, CPU µs a mention | consume, CPU µs a mention | against confluent-kafka (goal: 1.2 both)",
            [
                f"{name} | {out:.2f} | {back:.2f} | {out / client[-1][1]:.2f}, {back / client[-1][2]:.2f}"
                for name, out, back in client
            ],
        ),
        _table(
            f"## A full table (goal 4)\n\nMentions read before, {AT_ONCE} a transaction, with rollups and full-text search.",
            "store | before | CPU µs a mention, this process | µs by the clock | rows a second by the clock, against empty (goal: 0.8)",
            [
                f"{name} | {size} | {cpu:.0f} | {clock:.0f} | {filled[at - at % 2][3] / clock:.2f}"
                for at, (name, size, cpu, clock) in enumerate(filled)
            ],
        ),
        _table(
            f"## From due to seen (goal 7)\n\n{RATE:,} mentions a second for {SECONDS} s, {SIZE} in a record, {FIRMS} firms, one analysis process; the sender,\nthe watcher (the stored positions, each 10 ms) and the servers on the same two cores.",
            "store | mentions | p50, ms | p95, ms (goal: 50 embedded, 100 on Kafka) | worst, ms",
            [f"{name} | {count:,} | {p50:.0f} | {p95:.0f} | {worst:.0f}" for name, count, p50, p95, worst in seen],
        ),
        _table(
            f"## What a process takes (goal 10)\n\nBegun with {QUEUED:,} mentions in the embedded log, {WATCHED:.0f} s each.",
            "role | most memory, MB (goal: 250)",
            [f"{name} | {peak}" for name, peak in memory],
        ),
        _table("", "role | ready after, s (goal: 2; up 4)", [f"{name} | {taken:.2f}" for name, taken in ready]),
        _table(
            "",
            "role | percent of a core while nothing happens (goal: 1)",
            [f"{name} | {share:.2f}" for name, share in resting],
        ),
    ]
    shown = "\n".join(parts)
    (ROOT / "docs" / "benchmarks-limits.md").write_text(shown, encoding="utf-8")
    print(shown)


def _table(title: str, head: str, rows: list[str]) -> str:
    lines = [f"| {head} |", "|" + " --- |" * (head.count("|") + 1), *(f"| {row} |" for row in rows)]
    return "\n".join([*([title, ""] if title else []), *lines, ""])


if __name__ == "__main__":
    main()
