"""Train what tells French from English, and others from both: `python -m analysis.learned.train_language FOLDER`.

Needs the extra `train`. Two logistic regressions over words, hashed: their weights are what a word and its runs of
characters say. French and English words count as often as they were written; of other languages there are small words
by hand (`neighbours.toml`), and forms of simplemma's dictionaries (MIT) that neither French nor English has.
"""

import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from scipy import sparse
from simplemma.strategies.dictionaries.dictionary_factory import DefaultDictionaryFactory
from sklearn.linear_model import LogisticRegression

from analysis.columns import Bools, Floats
from analysis.language import BITS, MODEL, buckets
from analysis.learned.labelled import may_learn, rows_of
from analysis.tokens import cut

_LEAST = 2  # times that a word was written
_TURN = 2_000  # texts counted at a time
_DICTIONARIES = "es it de nl pt ca gl ro pl cs sk sl hbs hu fi et sv da nb tr id lt lv sq is".split()
_FORMS, _OUR_FORMS = 30_000, 15_000  # of each dictionary
_SHORTEST, _SHORT, _LONGEST = 3, 7, 15  # letters of such a form; short ones are frequent ones, and come first
_SMALL = 40.0  # what a small word weighs beside such a form


def main() -> None:
    french, english = (written(Path(sys.argv[1]), language) for language in ("fr", "en"))
    met = _Words([*french, *english], np.sqrt([*french.values(), *english.values()]))
    weights, _ = _fitted(met, np.arange(len(met.words)) < len(french))
    ours, others = _joined(met, _rare({*french, *english})), _others({*met.words, *_forms("fr"), *_forms("en")})
    every = _joined(ours, others)
    foreign, bias = _fitted(every, np.arange(len(every.words)) >= len(ours.words))
    both = np.stack((weights, foreign))
    scales = np.array([np.quantile(np.abs(row[row != 0]), 0.999) for row in both]) / 127
    tables = np.clip(np.rint(both / scales[:, None]), -127, 127).astype(np.int8)
    np.savez_compressed(MODEL, weights=tables, scales=scales, bias=bias)
    sys.stdout.write(f"language: {MODEL.stat().st_size} bytes\n")


class _Words(NamedTuple):
    """Words, and what each weighs; the same may come from several languages."""

    words: list[str]
    weighs: Floats


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


def _rare(met: set[str]) -> _Words:
    """Of French and English what the texts seldom hold."""
    small = _small()["ours"]
    rare = [word for language in ("fr", "en") for word in _some(set(_forms(language)) - met, _OUR_FORMS, _LONGEST)]
    return _Words([*small, *rare], np.repeat((_SMALL, 1.0), (len(small), len(rare))))


def _others(ours: set[str]) -> _Words:
    """Small words of other languages, also those that are ours too, and forms that are not."""
    small = [word for language, words in _small().items() if language != "ours" for word in words]
    forms = [
        form for one in _DICTIONARIES for form in _some(filter(_is_telling, set(_forms(one)) - ours), _FORMS, _SHORT)
    ]
    return _Words([*small, *forms], np.repeat((_SMALL, 1.0), (len(small), len(forms))))


def _small() -> dict[str, list[str]]:
    """The words of `neighbours.toml`, by language."""
    text = files("analysis").joinpath("learned", "neighbours.toml").read_text(encoding="utf-8")
    return {language: words.split() for language, words in tomllib.loads(text).items()}


def _forms(language: str) -> Iterator[str]:
    return filter(str.isalpha, DefaultDictionaryFactory().get_dictionary(language))


def _is_telling(form: str) -> bool:
    return form[0] < "\u0250" and _SHORTEST <= len(form) <= _LONGEST


def _some(words: Iterable[str], most: int, short: int) -> list[str]:
    """So many of them, those of at most `short` letters first, else drawn by their checksums."""
    return sorted(words, key=lambda word: (max(short, len(word)), crc32(word.encode()), word))[:most]


def _joined(first: _Words, second: _Words) -> _Words:
    return _Words(first.words + second.words, np.append(first.weighs, second.weighs))


def _fitted(given: _Words, is_meant: Bools) -> tuple[Floats, float]:
    """The log-odds of each bucket, and of a word with none."""
    owners, places = buckets(given.words)
    ones = np.ones(len(owners), np.float32)
    matrix = sparse.csr_matrix((ones, (owners, places)), shape=(len(given.words), 1 << BITS))
    fitted = LogisticRegression(C=1.0, solver="liblinear", random_state=0, max_iter=200)
    fitted.fit(matrix, is_meant, sample_weight=given.weighs)
    return fitted.coef_[0], float(fitted.intercept_[0])


if __name__ == "__main__":
    main()
