"""The closest open peer, obsei 1.1.1, on the same texts: `python -m benchmarks.peer PYTHON`.

PYTHON is the interpreter of an environment of its own: `pip install obsei==1.1.1 numpy pandas pyarrow vaderSentiment`.
It is given every chance: a source that only hands records over, no redaction, batches of 1,000, and an enricher that
calls vaderSentiment on each text whatever its language; what it stores is its own DuckDB store. Ours does what it does
every day: language, clauses, themes, wishes, rollups, alerts, full text. Runs take turns; CPU of each process alone.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.__main__ import COUNT, SEED, sample

THEIRS = """
import json, sys, tempfile, time
from datetime import UTC, datetime
from pathlib import Path
from obsei.core.record import Enrichment, Record, SourceRef
from obsei.pipeline import Pipeline, SourceSpec, run
from obsei.store import Store
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

class Given:
    name = "given"
    def __init__(self, texts): self.texts = texts
    def fetch(self, cursor):
        for number, text in enumerate(self.texts):
            source = SourceRef(type="given", native_id=str(number))
            yield Record(source=source, text=text, created_at=datetime.now(UTC)), {"at": number}

class Vader:
    name, version = "sentiment", "1"
    def __init__(self): self.analyzer = SentimentIntensityAnalyzer()
    def enrich(self, batch):
        return [Enrichment(value=self.analyzer.polarity_scores(one.text)["compound"]) for one in batch]

texts = json.load(sys.stdin)
with tempfile.TemporaryDirectory() as folder:
    store = Store(Path(folder) / "store.duckdb", allow_unencrypted=True)
    sources, enrichers = [SourceSpec("given", Given(texts))], [Vader()]
    pipeline = Pipeline("bench", sources, enrichers, allow_unredacted=True, batch_size=1000)
    started = time.process_time()
    report = run(pipeline, store)
    print((time.process_time() - started) / len(texts) * 1e6)
    assert report.stored == len(texts), report
"""
RUNS = 5
FILE = Path("docs") / "benchmarks-peer.md"


OURS = """
import sys
from benchmarks.__main__ import Path, Settings, pipeline, sample

for turn in 0, int(sys.argv[2]):  # the first loads models and meets the usual words, as a worker has that has run
    print(pipeline(sample(turn), Settings(data_dir=Path(sys.argv[1]) / str(turn)), 50, 2_000))
"""


def ours(turn: int) -> float:
    """CPU µs a mention of our whole pipeline, embedded, 50 in a record, 2,000 firms; in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", OURS, folder, str(turn)], capture_output=True, check=True)
    return float(done.stdout.split()[-1])


def theirs(python: str, turn: int) -> float:
    given = json.dumps([text for text, _ in sample(turn)]).encode()
    return float(
        subprocess.run([python, "-c", THEIRS], input=given, capture_output=True, check=True).stdout.split()[-1]
    )


def main() -> None:
    pairs = [(ours(turn), theirs(sys.argv[1], turn)) for turn in range(1, RUNS + 1)]
    mine, peer = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(their / my for my, their in pairs)
    text = f"""# Beside the closest open peer

Made by `python -m benchmarks.peer PYTHON` on {datetime.now(UTC):%Y-%m-%d}: {COUNT:,} real reviews, half French and half English
(seed {SEED}), medians of {RUNS} runs that took turns; CPU of each process alone, with all its threads.

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}.

| pipeline | CPU µs a mention | mentions per CPU-second |
| --- | --- | --- |
| Vigie, embedded, 50 in a record, 2,000 firms: language, sentiment of texts and clauses, themes, wishes, rollups, alerts, full text | {mine:.0f} | {1e6 / mine:,.0f} |
| obsei 1.1.1, with numpy, pandas and pyarrow, a VADER enricher and its DuckDB store | {peer:.0f} | {1e6 / peer:,.0f} |

Median of the ratios: {ratio:.1f} times as many mentions per CPU-second, with more done; the goal is 5.
"""
    FILE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
