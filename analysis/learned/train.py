"""Train the shipped models: `python -m analysis.learned.train FOLDER`. Deterministic; needs the extra `train`.

Choices are made on development rows; test rows are never read here. Where a teacher was asked (`lessons`), a text is
believed by its label and by what the teacher said, and its sentences are learnt from too.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from analysis.columns import Floats
from analysis.learned import features
from analysis.learned.labelled import CLASSES, Row, may_learn, parted, rows_of, weights
from analysis.learned.lessons import FOLDER, Lessons, sentences, unpacked
from analysis.learned.model import NEUTRAL, NEUTRAL_SHARE, Model
from analysis.tokens import cut

_STRENGTH = 30.0  # of the classifiers: liblinear's C
_SMOOTH = 0.5
_ITERATIONS = 60
_LABEL = 0.15  # how far a label is believed beside a teacher
_SENTENCE = 2.0  # what the sentences of a text weigh beside it, by the root of how many they are
_DOUBTFUL = 0.02  # of the mean weight; what weighs less is not worth its time
_TURN = 2_000  # texts counted at a time


def trained(
    rows: Sequence[Row], language: str, without: frozenset[str] = frozenset(), lessons: Lessons | None = None
) -> dict[str, Any]:
    """The tables of one language, and a calibration fitted on rows that its own tables have not seen."""
    lessons = lessons or Lessons({})
    ours = [row for row in rows if may_learn(row, without)]
    learnt, held = parted(ours)
    first = _tables(learnt, language, lessons)
    calibration = _calibration(held, language, first)
    return {**_tables(ours, language, lessons), "calibration": calibration}


class _Examples(NamedTuple):
    """Texts, how likely each is happy and unhappy, and what each weighs."""

    texts: list[str]
    chances: Floats
    weighs: Floats


def _examples(rows: Sequence[Row], lessons: Lessons) -> _Examples:
    """Each row, and the sentences of it that the teacher spoke of; there the teacher alone is believed."""
    texts: list[str] = []
    chances, weighs = [], []
    for row, weight in zip(rows, weights(rows), strict=True):
        label = np.array([[row["label"] == "pos", row["label"] == "neg"]], float)
        said = lessons.of(row["text"])
        parts = [] if said is None else sentences(row["text"])
        texts += [row["text"], *parts]
        chances.append(label if said is None else np.vstack([_LABEL * label + (1 - _LABEL) * said[:1], said[1:]]))
        weighs += [weight, *(weight * _SENTENCE / len(parts) ** 0.5 for _ in parts)]
    return _Examples(texts, np.concatenate(chances), np.array(weighs) / np.mean(weighs))


def _tables(rows: Sequence[Row], language: str, lessons: Lessons) -> dict[str, Any]:
    """Two classifiers over two kinds of features, as 8-bit tables with a scale each."""
    texts, chances, weighs = _examples(rows, lessons)
    kinds, bias, scales = [], np.zeros(2), np.zeros(2)
    for number, matrix in enumerate(_matrices(texts, language)):
        heads = []
        for head in (0, 1):
            chance = chances[:, head]
            ratio = _ratio(matrix, weighs * chance, weighs * (1 - chance))
            # A doubtful text says little: the gradient of a chance is that of a label which weighs less.
            sure = weighs * np.abs(2 * chance - 1)
            told = sure > _DOUBTFUL
            fitted = LogisticRegression(
                C=_STRENGTH, solver="liblinear", dual=True, max_iter=_ITERATIONS, random_state=0
            )
            fitted.fit(matrix[told].multiply(ratio).tocsr(), chance[told] > 0.5, sample_weight=sure[told])
            heads.append(fitted.coef_[0] * ratio)
            bias[head] += fitted.intercept_[0]
        both = np.stack(heads)
        scales[number] = np.quantile(np.abs(both[both != 0]), 0.9995) / 127
        kinds.append(np.clip(np.rint(both / scales[number]), -127, 127).astype(np.int8))
    return {"words": kinds[0], "runs": kinds[1], "scales": scales, "bias": bias}


def _ratio(matrix: Any, ours: Floats, others: Floats) -> Any:
    """The log-count ratio of Wang & Manning (2012), of texts that weigh so much on each side."""
    counts = [_SMOOTH + matrix.T @ side for side in (ours, others)]
    return np.log((counts[0] / counts[0].sum()) / (counts[1] / counts[1].sum()))


def _matrices(texts: Sequence[str], language: str) -> list[Any]:
    """Counts over the root of a text's length, as the model reads them; words, then runs of characters."""
    parts = [_counted(texts[start : start + _TURN], language) for start in range(0, len(texts), _TURN)]
    return [_shared(sparse.vstack(kind).tocsr()) for kind in zip(*parts, strict=True)]


def _counted(texts: Sequence[str], language: str) -> tuple[Any, Any]:
    tokens = cut(texts)
    places, known = _reader(language).seen(tokens)
    part, of = tokens.clause[places], tokens.text[places]
    hashes = known["hash"]
    found = [(of, features.bucket(hashes))]
    found += [(of[: len(whole)][whole], buckets[whole]) for whole, buckets in features.sequences(hashes, part)]
    found += [(of[last], buckets) for last, buckets in features.denied(hashes, known["denies"], part)]
    owners, buckets = (np.concatenate(one) for one in zip(*found, strict=True))
    words = _sparse(owners, buckets, (len(texts), 1 << features.WORD_BITS))
    lexemes, places = np.unique(tokens.lexeme[places], return_inverse=True)
    forms = [features.normal(tokens.lexemes.words[one], language) for one in lexemes.tolist()]
    of_lexeme = _sparse(*features.runs(forms), (len(forms), 1 << features.CHARACTER_BITS))
    return words, _sparse(of, places, (len(texts), len(forms))) @ of_lexeme


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
    asked.add_argument("--without", default="", help="sources to leave out, with commas; no lessons then")
    asked.add_argument("--language", choices=("fr", "en"), action="append")
    given = asked.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for language in given.language or ("fr", "en"):
        lessons = None if given.without else unpacked(FOLDER / f"{language}.npz")
        tables = trained(rows_of(given.folder, language), language, frozenset(given.without.split(",")), lessons)
        np.savez_compressed(given.out / f"{language}.npz", **tables)
        sys.stdout.write(f"{language}: {(given.out / f'{language}.npz').stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
