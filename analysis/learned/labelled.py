"""The labelled texts, and which of them may be learnt from, as docs/model-card.md says; a test holds us to it."""

import gzip
import json
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


def is_held(row: Row, with_dev: frozenset[str]) -> bool:
    """Whether choices are made on this row: the development split, or a tenth where a source has none."""
    if row["source"] in with_dev:
        return bool(row["split"] == "dev")
    return crc32(row["text"].encode()) % 10 == 0


def with_dev_of(rows: list[Row]) -> frozenset[str]:
    """The sources that have a development split."""
    return frozenset(row["source"] for row in rows if row["split"] == "dev")
