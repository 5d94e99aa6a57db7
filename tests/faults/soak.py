"""Half the fastest rate for an hour, on three brokers, PostgreSQL and two workers, while things break at random.

`make soak`; VIGIE_SOAK_MINUTES for less. At its end everything is there once, and the worker that nobody killed holds no
more memory than when it was warm. The texts are real reviews, where there are any.
"""

import os
import statistics
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from analysis.learned.labelled import rows_of
from tests.faults.cases import RECOVERY, brokers, database, rig, settings  # noqa: F401 # fixtures
from tests.faults.rig import TEXTS, Rig
from tests.pipeline import SHARED
from tests.servers import Kafka, Postgres, wait_until

SECONDS = 60 * float(os.environ.get("VIGIE_SOAK_MINUTES", "60"))
WARM = SECONDS / 6  # from when on memory may not grow
CATCHING_UP = 600.0  # seconds, for what the last faults held up
TRIED = 15_000  # mentions to find the fastest rate with

pytestmark = pytest.mark.timeout(SECONDS + 3_000)


def test_an_hour_of_faults_loses_nothing_and_needs_no_more_memory(rig, brokers, database):  # noqa: F811
    rig.texts = reviews()
    steady, _ = rig.work(), rig.work()
    rate = fastest(rig) // 2
    end = time.monotonic() + SECONDS
    producer = threading.Thread(target=produce, args=(rig, rate, end))
    memory: list[tuple[float, float]] = []
    watcher = threading.Thread(target=weigh, args=(steady.pid, memory, end))
    producer.start()
    watcher.start()
    faults: Counter[str] = Counter()
    with rig.watched():
        while time.monotonic() < end - RECOVERY:
            time.sleep(rig.chance.uniform(30, 60))
            fault = rig.chance.choice((kill_worker, stop_worker, freeze_broker, kill_broker, kill_database))
            name = fault.__name__.replace("_", " ")
            print(f"{(end - time.monotonic()) / 60:.1f} minutes left, {len(rig.produced)} produced: {name}", flush=True)
            faults[name] += 1
            fault(rig, brokers, database)
        producer.join(CATCHING_UP)
        assert not producer.is_alive(), "the producer never got through"
        watcher.join()
        wait_until(lambda: rig._quietly(lambda: rig.count() >= len(rig.produced) and rig.lag() == 0), CATCHING_UP, 2)
    assert steady.poll() is None, "nobody killed this one"
    begun = memory[0][0]
    warm = statistics.median(size for at, size in memory if WARM <= at - begun <= WARM + SECONDS / 20)
    last = statistics.median(size for at, size in memory if at >= end - SECONDS / 20)
    told = ", ".join(f"{count} × {name}" for name, count in sorted(faults.items()))
    note = (
        f"{rate} a second; {told}; longest silence {rig.silence:.0f} s; memory {warm:.0f} MB when warm, {last:.0f} MB at "
        f"the end, {max(size for _, size in memory):.0f} MB at most"
    )
    rig.verify(f"{SECONDS / 60:.0f} minutes of faults", note)
    assert rig.silence < RECOVERY
    assert last <= 1.1 * warm


def reviews() -> list[str]:
    if not (SHARED / "data").is_dir():
        return list(TEXTS)
    rows = [row for language in ("fr", "en") for row in rows_of(SHARED / "data", language)[::40]]
    return [row["text"][:5_000] for row in rows if row["text"].strip()]


def fastest(rig: Rig) -> int:  # noqa: F811
    """Mentions a second that the two workers store while nothing breaks."""
    rig.produce(500)
    wait_until(lambda: rig.count() == 500, 120)  # until both have joined and are warm
    time.sleep(10)
    begun = time.monotonic()
    rig.produce(TRIED, start=500)
    wait_until(lambda: rig.count() == 500 + TRIED, 300)
    return int(TRIED / (time.monotonic() - begun))


def produce(rig: Rig, rate: int, end: float) -> None:  # noqa: F811
    """`rate` mentions a second; what a fault held up is caught up."""
    begun = time.monotonic()
    start = 500 + TRIED
    while time.monotonic() < end:
        rig.produce(rate, start=start)
        start += rate
        time.sleep(max(0.0, begun + (start - 500 - TRIED) / rate - time.monotonic()))


def weigh(process: int, memory: list[tuple[float, float]], end: float) -> None:
    """Note the megabytes that a process holds, every five seconds."""
    while (now := time.monotonic()) < end:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        memory.append((now, int(fields["VmRSS"].split()[0]) / 1024))
        time.sleep(5)


def kill_worker(rig: Rig, brokers: Kafka, database: Postgres) -> None:  # noqa: F811
    rig.workers[-1].kill()
    rig.workers[-1].wait()
    rig.work()


def stop_worker(rig: Rig, brokers: Kafka, database: Postgres) -> None:  # noqa: F811
    rig.workers[-1].terminate()
    rig.workers[-1].wait(30)
    rig.work()


def freeze_broker(rig: Rig, brokers: Kafka, database: Postgres) -> None:  # noqa: F811
    at = rig.chance.randrange(3)
    brokers.pause(at)
    time.sleep(20)
    brokers.pause(at, resume=True)


def kill_broker(rig: Rig, brokers: Kafka, database: Postgres) -> None:  # noqa: F811
    at = rig.chance.randrange(3)
    brokers.kill(at)
    time.sleep(15)
    brokers.start(at)


def kill_database(rig: Rig, brokers: Kafka, database: Postgres) -> None:  # noqa: F811
    database.kill()
    time.sleep(10)
    database.start()
