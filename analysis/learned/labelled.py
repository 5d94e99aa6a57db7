"""The labelled texts, and which of them may be learnt from, as docs/model-card.md says; a test holds us to it."""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

MEASURED_ONLY = frozenset(
    {
        "allocine_series", "semeval16_rest_fr", "se14en_rest", "se16en_rest", "se15en_lap", "mabsa_restaurant",
        "mabsa_laptop", "mabsa_sight", "rt_polarity", "vader_tweets", "vader_amazonReviewSnippets",
        "vader_movieReviewSnippets", "vader_nytEditorialSnippets",
    }
)  # fmt: skip
# Book reviews taught little and cost a point on every other trade (docs/model-card.md).
LEFT_OUT = frozenset({"babelio", "critiqueslibres"})
CLASSES = ("neg", "neu", "pos")

Row = dict[str, Any]


def rows_of(folder: Path, language: str) -> list[Row]:
    """Every row of a language: text, label, source, split."""
    with gzip.open(folder / f"sentiment_{language}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def may_learn(row: Row, without: frozenset[str] = frozenset()) -> bool:
    """Whether the shipped model may learn from this row."""
    return row["split"] != "test" and row["source"] not in MEASURED_ONLY | LEFT_OUT | without


def parted(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows to learn from, and those on which choices are made: a source's development split, or a tenth of it."""
    with_dev = {row["source"] for row in rows if row["split"] == "dev"}
    learnt: list[Row] = []
    held: list[Row] = []
    for row in rows:
        is_held = row["split"] == "dev" if row["source"] in with_dev else crc32(row["text"].encode()) % 10 == 0
        (held if is_held else learnt).append(row)
    return learnt, held


def weights(rows: Sequence[Row]) -> list[float]:
    """Each (source, label) weighs as the root of its size: a large set must not drown a small one."""
    sizes = Counter((row["source"], row["label"]) for row in rows)
    return [sizes[row["source"], row["label"]] ** -0.5 for row in rows]
