"""Workers die by SIGKILL at random moments: what was produced = what is stored = what is counted."""

import os
import random
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from analysis import store
from api.webhooks import store as webhooks
from ingest import collect
from tests.servers import wait_until
from vigie import companies, db, heartbeat, positions
from vigie.db.migrate import migrate
from vigie.db.tables import mention, outbox
from vigie.events import Mention, Origin
from vigie.log import ANALYSIS, MENTIONS, open_log
from vigie.secrets import Vault
from vigie.settings import Settings

MENTIONS_IN = 20_000
FIRMS = 20
TEXTS = ("Très bon pain, accueil charmant.", "Attente interminable, personnel désagréable.", "Correct.", "Great cake!")


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.parametrize("backend", ["embedded-sqlite", "kafka-postgresql"])
def test_killed_workers_lose_nothing_and_count_nothing_twice(backend, request, tmp_path):
    seed = int(os.environ.get("VIGIE_TEST_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed} (VIGIE_TEST_SEED repeats it)")
    chance = random.Random(seed)
    settings = settings_of(backend, request, tmp_path)
    engine, log = db.connect(settings.database), open_log(settings)
    migrate(engine)
    log.prepare()
    with db.writing(engine) as connection:
        firms = [companies.add(connection, f"Firm {n}") for n in range(FIRMS)]
        webhooks.add(connection, Vault("s"), firms[0], "https://example.com/hook", ["alert.raised"])
    produced: set[str] = set()
    producer = threading.Thread(target=produce, args=(log, firms, produced, chance))
    stop = threading.Event()
    kills: list[float] = []
    killer = threading.Thread(target=kill_again_and_again, args=(settings, chance, stop, kills))
    producer.start()
    killer.start()
    try:
        producer.join(120)
        wait_until(lambda: len(kills) >= 8, timeout=120)
    finally:
        stop.set()
        killer.join(30)
    drain(settings, engine, log)
    with db.reading(engine) as connection:
        stored = set(connection.scalars(select(mention.c.id)))
        kept, counted = store.recount(connection)
        total = sum(sums.mentions for key, sums in kept.items() if key.theme == "")
        deliveries = connection.scalar(select(func.count()).select_from(outbox))
        distinct = connection.scalar(select(func.count(outbox.c.event_id.distinct())))
    print(f"{backend}: produced {len(produced)}, stored {len(stored)}, counted {total}, kills {len(kills)}")
    assert stored == produced
    assert len(produced) == MENTIONS_IN
    assert kept == counted
    assert total == MENTIONS_IN
    assert deliveries == distinct > 0
    log.close()
    engine.dispose()


def settings_of(backend, request, tmp_path) -> Settings:
    if backend == "embedded-sqlite":
        return Settings(data_dir=tmp_path / "data")
    prefix = f"crash{random.randrange(10**6)}."
    return Settings(
        data_dir=tmp_path / "data",
        database_url=request.getfixturevalue("postgresql").new_database(),
        log_url=f"{request.getfixturevalue('kafka').url}?prefix={prefix}",
    )


def produce(log, firms, produced, chance):
    """Every mention once, and one record in ten a second time, as a retried producer would."""
    now = datetime.now(UTC)
    mentions = [
        Mention(
            id=f"m{n:06d}",
            text=TEXTS[n % len(TEXTS)],
            rating=[5.0, 1.0, 3.0, None][n % 4],
            published_at=now - timedelta(hours=n % 100),
            collected_at=now,
        )
        for n in range(MENTIONS_IN)
    ]
    while mentions:
        size = chance.randint(10, 50)
        part, mentions = mentions[:size], mentions[size:]
        firm = firms[len(mentions) % len(firms)]
        for _ in range(2 if chance.random() < 0.1 else 1):
            collect.append(log, firm, Origin("source", "push", "test"), part)
        produced.update(one.id for one in part)


def kill_again_and_again(settings, chance, stop, kills):
    workers = [worker(settings), worker(settings)]
    try:
        while not stop.is_set():
            stop.wait(chance.uniform(1.5, 4.0))
            at = chance.randrange(len(workers))
            workers[at].kill()
            workers[at].wait()
            kills.append(time.monotonic())
            workers[at] = worker(settings)
    finally:
        for one in workers:
            one.kill()
            one.wait()


def worker(settings, *arguments):
    environment = {
        **os.environ,
        "VIGIE_DATA_DIR": str(settings.data_dir),
        "VIGIE_DATABASE_URL": settings.database_url or "",
        "VIGIE_LOG_URL": settings.log_url or "",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "vigie", "analyse", *arguments], env=environment, stderr=subprocess.DEVNULL
    )


def drain(settings, engine, log):
    def is_drained():
        unread = positions.count_unread(engine, log, ANALYSIS, MENTIONS)
        return unread is not None and not any(unread.values())

    def is_started(process):
        with db.reading(engine) as connection:
            return any(one["process"].endswith(f":{process.pid}") for one in heartbeat.alive(connection, "analyse"))

    last = worker(settings)
    try:
        wait_until(lambda: is_drained() and is_started(last), timeout=180, every=0.5)
    finally:
        last.terminate()
        assert last.wait(10) == 0, "SIGTERM must end a worker in good order"
