"""CPU per mention of the whole pipeline, beside the published engines alone and the raw logs alone, on the same texts.

Each figure is the median of interleaved runs; CPU is of this process only (a broker's is not counted).
"""

import gc
import gzip
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from analysis.worker import Worker
from ingest import collect
from tests.servers import CannotStartError, Kafka, Postgres
from vigie import companies, db, ids
from vigie.db.migrate import migrate
from vigie.events import Mention, Origin
from vigie.log import DEAD, MENTIONS, Message, open_log
from vigie.settings import Settings

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
COUNT = int(os.environ.get("VIGIE_BENCH_MENTIONS", "3000"))
RUNS = int(os.environ.get("VIGIE_BENCH_RUNS", "3"))
SEED = 20261123


Texts = list[tuple[str, float | None]]


def main() -> None:
    measures: dict[str, Callable[[Texts], float]] = {"VADER and textblob-fr alone, as published": engines}
    servers = []
    for name, settings in backends(servers):
        measures[f"raw log alone, 50 in a record, {name}"] = lambda texts, settings=settings: raw_log(texts, settings())
        for size, firms in ((50, 20), (50, 2_000), (5, 20), (1, 20)):
            measures[f"pipeline, {size} in a record, {firms:,} firms, {name}"] = (
                lambda texts, settings=settings, size=size, firms=firms: pipeline(texts, settings(), size, firms)
            )
        label = f"the same, 50 in a record, 2,000 firms, without full-text search, {name}"
        measures[label] = lambda texts, settings=settings: without_search(texts, settings())
    try:
        for measure in measures.values():  # models load once, and usual words are known, as in a worker that has run
            measure(sample())
        found: dict[str, list[float]] = {name: [] for name in measures}
        turn = 0
        for run in range(RUNS):
            for name, measure in measures.items():
                turn += 1
                found[name].append(measure(sample(turn)))
                print(f"run {run + 1}: {name}: {found[name][-1]:.0f} µs a mention", file=sys.stderr)
    finally:
        for server in servers:
            server.stop()
    write(found)


def sample(turn: int = 0) -> Texts:
    """Real reviews, half French and half English, drawn by a seed: others each turn, so that their words are not all
    known from the turn before."""
    chance = random.Random(SEED + turn)
    rows = [
        (row["text"], None if row["source"].startswith("vader") else row["stars"])
        for language in ("fr", "en")
        for row in chance.sample(labelled(language), COUNT // 2)
    ]
    chance.shuffle(rows)
    return rows


@cache
def labelled(language: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"sentiment_{language}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    gc.freeze()  # no worker holds so many rows, and each full collection would walk through them
    return rows


def backends(servers: list) -> list[tuple[str, Callable[[], Settings]]]:
    """Fresh stores for each measure: embedded, and Kafka with PostgreSQL where they can be had."""

    def folder() -> Path:
        return Path(tempfile.mkdtemp(prefix="vigie-bench-"))

    found: list[tuple[str, Callable[[], Settings]]] = [("embedded", lambda: Settings(data_dir=folder()))]
    try:
        kafka, postgres = Kafka(), Postgres()
    except CannotStartError as error:
        print(f"without Kafka and PostgreSQL: {error}", file=sys.stderr)
        return found
    servers += [kafka, postgres]

    def served() -> Settings:
        prefix = ids.drawn("b") + "."
        return Settings(data_dir=folder(), database_url=postgres.new_database(), log_url=f"{kafka.url}?prefix={prefix}")

    return [*found, ("Kafka + PostgreSQL", served)]


def engines(texts: Texts) -> float:
    """Each text once through the engine of its half, whole, as the packages publish it."""
    from textblob_fr import PatternAnalyzer
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    from analysis.language import detect

    vader, pattern = SentimentIntensityAnalyzer(), PatternAnalyzer()
    spoken = [(text, detect(text)) for text, _ in texts]
    started = time.process_time()
    for text, language in spoken:
        _ = vader.polarity_scores(text) if language == "en" else pattern.analyze(text)
    return (time.process_time() - started) / len(texts) * 1e6


class Start:
    """Where a reader that stores no position begins: at the beginning."""

    def resume(self, group, sources, ends, topic_ids):
        return {source: beginning for source, (beginning, _) in ends().items() if source in sources}


def raw_log(texts: Texts, settings: Settings) -> float:
    """The same records appended and read, and nothing else."""
    log = open_log(settings)
    log.prepare()
    messages = [one for part in parts(texts, 50, [f"c{n}" for n in range(20)]) for one in part]
    started = time.process_time()
    log.append(DEAD, messages)
    with log.subscribe("raw", [DEAD], Start()) as subscription:
        left = len(messages)
        while left > 0:
            left -= sum(len(batch.records) for batch in subscription.poll(timeout=0.5))
    spent = time.process_time() - started
    log.close()
    return spent / len(texts) * 1e6


def pipeline(texts: Texts, settings: Settings, size: int, firms: int) -> float:
    """Collected → log → analysed → stored with rollups and alerts."""
    engine, log = db.connect(settings.database), open_log(settings)
    migrate(engine)
    log.prepare()
    with db.writing(engine) as connection:
        names = [companies.add(connection, f"Firm {n}") for n in range(min(firms, len(texts)))]
    worker = Worker(engine, log)
    worker.run_once(timeout=0.1)
    started = time.process_time()
    for part in parts(texts, size, names):
        log.append(MENTIONS, part)
    left = len(texts)
    while left > 0:
        left -= handled(worker) * size
    spent = time.process_time() - started
    worker.close()
    log.close()
    engine.dispose()
    return spent / len(texts) * 1e6


def without_search(texts: Texts, settings: Settings) -> float:
    """What the pipeline would cost if no mention could be searched."""
    with patch("analysis.search.write"):
        return pipeline(texts, settings, 50, 2_000)


def handled(worker: Worker) -> int:
    return worker._consumer.run_once(timeout=0.5)


def parts(texts: Texts, size: int, firms: list[str]) -> list[list[Message]]:
    """The texts as records of `size` mentions, firm after firm, ten records an append."""
    now = datetime.now(UTC)
    mentions = [
        Mention(
            id=ids.derived(n), text=text[:20_000], rating=float(stars) if stars and stars <= 5 else None,
            published_at=now - timedelta(minutes=n), collected_at=now,
        )
        for n, (text, stars) in enumerate(texts)
    ]  # fmt: skip
    messages = []
    for start in range(0, len(mentions), size):
        firm = firms[start // size % len(firms)]
        messages += collect.messages(firm, Origin("so", "push", "bench"), mentions[start : start + size], "fresh")
    return [messages[at : at + 10] for at in range(0, len(messages), 10)]


def write(found: dict[str, list[float]]) -> None:
    """The table, with the machine's description."""
    base = statistics.median(found["VADER and textblob-fr alone, as published"])
    rows = "\n".join(
        f"| {name} | {statistics.median(values):.0f} | {1e6 / statistics.median(values):,.0f} | "
        f"{statistics.median(values) / base:.3f} |"
        for name, values in found.items()
    )
    text = f"""# Benchmark of the pipeline

Made by `python -m benchmarks` on {datetime.now(UTC):%Y-%m-%d}: {COUNT:,} real reviews, half French and half English (seed {SEED}), medians of
{RUNS} interleaved runs, each on reviews of its own. CPU of the client process only; figures of one run may be compared, not
those of two.

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}.

| measure | CPU µs a mention | mentions per CPU-second | against the engines alone |
| --- | --- | --- | --- |
{rows}

The pipeline appends to the log, reads it, tells the language, scores text and clauses, finds themes, and stores
mentions with rollups and alerts. "Engines alone" is VADER for English texts and textblob-fr's PatternAnalyzer for French
ones, each text once, whole, nothing stored.
"""
    (ROOT / "docs" / "benchmarks-pipeline.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
