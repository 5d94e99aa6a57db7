"""Train the shipped models: `python -m analysis.learned.train FOLDER`. Deterministic; needs the extra `train`.

Choices are made on development rows; test rows are never read here. What may be learnt from is said in
docs/model-card.md; `MEASURED_ONLY` is kept out by its licence, and a test holds it to that.
"""

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from analysis.learned import features
from analysis.learned.model import NEUTRAL, NEUTRAL_SHARE, Floats, Model
from analysis.tokens import cut

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
_STRENGTH = 30.0  # of the classifiers: liblinear's C
_SMOOTH = 0.5
_ITERATIONS = 200
_TURN = 2_000  # texts counted at a time

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


def trained(rows: Sequence[Row], language: str, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The tables of one language, and a calibration fitted on rows that its own tables have not seen."""
    ours = [row for row in rows if may_learn(row, without)]
    with_dev = frozenset(row["source"] for row in ours if row["split"] == "dev")
    held = [row for row in ours if is_held(row, with_dev)]
    first = _tables([row for row in ours if not is_held(row, with_dev)], language)
    calibration = _calibration(held, language, first)
    return {**_tables(ours, language), "calibration": calibration}


def _tables(rows: Sequence[Row], language: str) -> dict[str, Any]:
    """Two classifiers over two kinds of features, as 8-bit tables with a scale each."""
    labels = np.array([row["label"] for row in rows])
    # Each (source, label) weighs as the root of its size: a large set must not drown a small one.
    sizes = Counter((row["source"], row["label"]) for row in rows)
    weight = np.array([sizes[row["source"], row["label"]] ** -0.5 for row in rows])
    weight /= weight.mean()
    kinds, bias, scales = [], np.zeros(2), np.zeros(2)
    for number, matrix in enumerate(_matrices([row["text"] for row in rows], language)):
        heads = []
        for head, label in enumerate(("pos", "neg")):
            ratio = _ratio(matrix, labels == label, weight)
            fitted = LogisticRegression(
                C=_STRENGTH, solver="liblinear", dual=True, max_iter=_ITERATIONS, random_state=0
            )
            fitted.fit(matrix.multiply(ratio).tocsr(), labels == label, sample_weight=weight)
            heads.append(fitted.coef_[0] * ratio)
            bias[head] += fitted.intercept_[0]
        both = np.stack(heads)
        scales[number] = np.quantile(np.abs(both[both != 0]), 0.9995) / 127
        kinds.append(np.clip(np.rint(both / scales[number]), -127, 127).astype(np.int8))
    return {"words": kinds[0], "runs": kinds[1], "scales": scales, "bias": bias}


def _ratio(matrix: Any, happy: Any, weight: Any) -> Any:
    """The log-count ratio of Wang & Manning (2012)."""
    weighted = sparse.diags(weight) @ matrix
    ours = _SMOOTH + np.asarray(weighted[happy].sum(0)).ravel()
    others = _SMOOTH + np.asarray(weighted[~happy].sum(0)).ravel()
    return np.log((ours / ours.sum()) / (others / others.sum()))


def _matrices(texts: Sequence[str], language: str) -> list[Any]:
    """Counts over the root of a text's length, as the model reads them; words, then runs of characters."""
    parts = [_counted(texts[start : start + _TURN], language) for start in range(0, len(texts), _TURN)]
    return [_shared(sparse.vstack(kind).tocsr()) for kind in zip(*parts, strict=True)]


def _counted(texts: Sequence[str], language: str) -> tuple[Any, Any]:
    tokens = cut(texts)
    places, known = _reader(language).seen(tokens)
    part, of = tokens.clause[places], tokens.text[places]
    found = [(of[words[-1]], bucket) for words, bucket in features.sequences(known["hash"], known["denies"], part)]
    owners, buckets = (np.concatenate(one) for one in zip(*found, strict=True))
    words = _sparse(owners, buckets, (len(texts), 1 << features.WORD_BITS))
    lexemes, places = np.unique(tokens.lexeme[places], return_inverse=True)
    runs = [features.runs(features.normal(tokens.lexemes.words[one], language)) for one in lexemes.tolist()]
    owners = np.repeat(np.arange(len(runs)), [len(one) for one in runs])
    of_lexeme = _sparse(owners, np.array(list(chain(*runs)), int), (len(runs), 1 << features.CHARACTER_BITS))
    return words, _sparse(of, places, (len(texts), len(runs))) @ of_lexeme


def _sparse(rows: Any, columns: Any, shape: tuple[int, int]) -> Any:
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)


def _shared(matrix: Any) -> Any:
    return sparse.diags(1 / np.sqrt(np.maximum(1, np.asarray(matrix.sum(axis=1)).ravel()))) @ matrix


@lru_cache(maxsize=2)
def _reader(language: str) -> Model:
    """A model that knows no word yet: what it sees of a text is what the trained one will."""
    return Model(language, _blank())


def _blank() -> dict[str, Any]:
    return {
        "words": np.zeros((2, 1 << features.WORD_BITS), np.int8),
        "runs": np.zeros((2, 1 << features.CHARACTER_BITS), np.int8),
        "scales": np.ones(2),
        "bias": np.zeros(2),
        "calibration": np.zeros((3, 6)),
    }


def _calibration(rows: Sequence[Row], language: str, tables: dict[str, Any]) -> Floats:
    """Three rows of weights, fitted on rows that the tables have not seen.

    A large source says little more than a small one, and a neutral row less than another: a firm's reviews hold fewer.
    """
    model = Model(language, _blank() | tables)
    evidence = model.evidence(cut([row["text"] for row in rows]))
    sizes = Counter(row["source"] for row in rows)
    weight = np.array([max(50, sizes[row["source"]]) ** -0.5 for row in rows])
    labels = np.array([CLASSES.index(row["label"]) for row in rows])
    weight[labels == NEUTRAL] *= NEUTRAL_SHARE
    fitted = LogisticRegression(C=1.0, max_iter=2_000).fit(evidence, labels, sample_weight=weight / weight.mean())
    return np.asarray(np.column_stack((fitted.coef_, fitted.intercept_)))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path, help="labelled texts: sentiment_fr.jsonl.gz, sentiment_en.jsonl.gz")
    asked.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "models")
    asked.add_argument("--without", default="", help="sources to leave out, with commas")
    asked.add_argument("--language", choices=("fr", "en"), action="append")
    given = asked.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for language in given.language or ("fr", "en"):
        tables = trained(rows_of(given.folder, language), language, frozenset(given.without.split(",")))
        np.savez_compressed(given.out / f"{language}.npz", **tables)
        sys.stdout.write(f"{language}: {(given.out / f'{language}.npz').stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
