"""Train what tells French from English: `python -m analysis.learned.train_language FOLDER`. Needs the extra `train`.

A logistic regression over words, each as often as it was written: its weights, hashed, are what a word and its runs of
characters say for French.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from analysis.language import BITS, MODEL, buckets
from analysis.learned.labelled import may_learn, rows_of
from analysis.tokens import cut

_LEAST = 2  # times that a word was written
_TURN = 2_000  # texts counted at a time


def main() -> None:
    words: list[str] = []
    counts: list[int] = []
    french: list[bool] = []
    for language in ("fr", "en"):
        found = written(Path(sys.argv[1]), language)
        words += found
        counts += found.values()
        french += [language == "fr"] * len(found)
    owners, places = buckets(words)
    ones = np.ones(len(owners), np.float32)
    matrix = sparse.csr_matrix((ones, (owners, places)), shape=(len(words), 1 << BITS))
    fitted = LogisticRegression(C=1.0, solver="liblinear", random_state=0, max_iter=200)
    fitted.fit(matrix, french, sample_weight=np.sqrt(counts))
    weights = fitted.coef_[0]
    scale = np.quantile(np.abs(weights[weights != 0]), 0.999) / 127
    np.savez_compressed(MODEL, weights=np.clip(np.rint(weights / scale), -127, 127).astype(np.int8), scale=scale)
    sys.stdout.write(f"language: {MODEL.stat().st_size} bytes\n")


def written(folder: Path, language: str) -> Counter[str]:
    """How often each word is written in the texts that may be learnt from."""
    texts = [row["text"] for row in rows_of(folder, language) if may_learn(row)]
    found: Counter[str] = Counter()
    for start in range(0, len(texts), _TURN):
        tokens = cut(texts[start : start + _TURN])
        numbers, times = np.unique(tokens.lexeme, return_counts=True)
        for number, count in zip(numbers.tolist(), times.tolist(), strict=True):
            found[tokens.lexemes.words[number].replace("’", "'")] += count
    return Counter({word: count for word, count in sorted(found.items()) if count >= _LEAST and word[:1].isalpha()})


if __name__ == "__main__":
    main()
