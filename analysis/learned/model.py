"""The learnt model: sums of small integers, then three calibrated probabilities.

Two one-against-the-rest classifiers (happy, unhappy) over naive-Bayes-weighted words and characters (Wang & Manning
2012) give two sums; with what the lexicon says they go through a multinomial logistic regression fitted on texts that
the tables had not seen. What was measured is in docs/model-card.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.learned import features
from analysis.learned.features import Batch
from analysis.lexicon import Because, Lexicon

Floats = npt.NDArray[np.float64]
NEGATIVE, NEUTRAL, POSITIVE = range(3)
_MOST_WORDS = 8
_SHORT = 15  # words: the lexicon knows little of a long text that its words together do not say
_FADED = 0.25  # of its weight: beyond sixty words the lexicon is not asked
_UNASKED: tuple[float, Because] = (0.0, (("", 0.0),))
# What the lexicon's word is worth beside the sums; chosen on trades that the tables had not seen.
_LEXICON = {"fr": 4.0, "en": 9.0}
_IDIOM = 6.0  # and how many times more, for a text that is an expression from end to end


@dataclass(frozen=True, slots=True)
class Judged:
    """One text: the probabilities of unhappy, neutral and happy, and the words that weighed most."""

    probabilities: tuple[float, float, float]
    because: Because

    @property
    def score(self) -> float:
        return self.probabilities[POSITIVE] - self.probabilities[NEGATIVE]


class Model:
    """Judges texts of one language.

    `words` and `runs` hold one row for happy and one for unhappy, in units of `scales`; `bias` one each; `calibration`
    one row per class over `evidence` and a constant.
    """

    def __init__(self, language: str, tables: dict[str, npt.NDArray[Any]]) -> None:
        self.language = language
        self._words, self._runs = tables["words"], tables["runs"]
        self._scales, self._bias, self._calibration = tables["scales"], tables["bias"], tables["calibration"]
        self._lexicon = Lexicon(language)

    def judge(self, texts: Sequence[str], explained: Sequence[bool]) -> list[Judged]:
        """Each text, in order, and the words that weighed in those that are to be `explained`."""
        return list(self._judged(texts, explained))

    def evidence(self, texts: Sequence[str]) -> Floats:
        """What the calibration looks at; shape (texts, 5)."""
        sums = [self.sums(batch)[0] for batch in features.batches(texts, self.language)]
        return evidence_of(np.concatenate(sums), texts, self._lexicon) if sums else np.zeros((0, 5))

    def sums(self, batch: Batch) -> tuple[Floats, Floats, Floats]:
        """Happy and unhappy sums of each text; what each run of words, and of characters, gave to their difference."""
        sums = np.tile(self._bias, (batch.count, 1)).astype(np.float64)
        parts = []
        channels = (
            (self._words, batch.word_bucket, batch.word_text, self._scales[0]),
            (self._runs, batch.run_bucket, batch.run_text, self._scales[1]),
        )
        for table, bucket, of, scale in channels:
            share = scale / np.sqrt(np.maximum(1, np.bincount(of, minlength=batch.count)))
            given = table[:, bucket]
            for head in range(2):
                sums[:, head] += share * np.bincount(of, weights=given[head], minlength=batch.count)
            parts.append((given[0].astype(np.float64) - given[1]) * share[of])
        return sums, parts[0], parts[1]

    def _judged(self, texts: Sequence[str], explained: Sequence[bool]) -> Iterator[Judged]:
        start = 0
        for batch in features.batches(texts, self.language):
            sums, from_words, from_runs = self.sums(batch)
            part = texts[start : start + batch.count]
            asked = explained[start : start + batch.count]
            start += batch.count
            chances = probabilities(evidence_of(sums, part, self._lexicon), self._calibration)
            for row, because in zip(chances.tolist(), _because(batch, from_words, from_runs, asked), strict=True):
                yield Judged((row[0], row[1], row[2]), because)


def evidence_of(sums: Floats, texts: Sequence[str], lexicon: Lexicon) -> Floats:
    """Happy minus unhappy (the lexicon's word counted in, less in long texts), its size, their sum, and two signs of a
    text that says little: how short it is, and that it holds no word of the lexicon."""
    short = np.array([min(1.0, _SHORT / (1 + text.count(" "))) for text in texts])
    said = [lexicon.score(text) if share >= _FADED else _UNASKED for text, share in zip(texts, short, strict=True)]
    weight = np.array(
        [1 + _IDIOM * _covered(text, because) ** 2 for text, (_, because) in zip(texts, said, strict=True)]
    )
    apart = sums[:, 0] - sums[:, 1] + _LEXICON[lexicon.language] * weight * short * [score for score, _ in said]
    dry = short * [not score and not because for score, because in said]
    return np.stack((apart, np.abs(apart), sums[:, 0] + sums[:, 1], short, dry), axis=1)


def _covered(text: str, because: Because) -> float:
    """The share of a text's words that belong to expressions of the lexicon: "C'était pas mal du tout" is nothing else,
    and its single words would say the contrary."""
    return min(1.0, sum(1 + said.count(" ") for said, _ in because if " " in said) / (1 + text.count(" ")))


def probabilities(evidence: Floats, calibration: Floats) -> Floats:
    """Softmax; shape (texts, 3)."""
    logits = evidence @ calibration[:, :-1].T + calibration[:, -1]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _because(batch: Batch, from_words: Floats, from_runs: Floats, explained: Sequence[bool]) -> Iterator[Because]:
    """For each text the words that weighed most: what the sequences that end in a word gave, and its characters."""
    weights = np.bincount(batch.word_at, weights=from_words, minlength=len(batch.words))
    if len(batch.words):
        weights += np.bincount(batch.run_at, weights=from_runs, minlength=len(batch.words))
    of = batch.word_text[: len(batch.words)]
    order = np.lexsort((-np.abs(weights), of))
    edges = np.searchsorted(of, np.arange(batch.count + 1))
    shown = np.tanh(weights).round(2)
    for first, last, is_asked in zip(edges[:-1].tolist(), edges[1:].tolist(), explained, strict=True):
        if not is_asked:
            yield ()
            continue
        best = order[first : min(last, first + _MOST_WORDS)]
        pairs = zip(batch.words[best].tolist(), shown[best].tolist(), strict=True)
        yield tuple((batch.text[start:stop], weight) for (start, stop), weight in pairs if weight)


@lru_cache(maxsize=4)
def shipped(language: str) -> Model:
    """The model that comes with the product; loaded once for each process."""
    with as_file(files("analysis").joinpath("models", f"{language}.npz")) as path, np.load(path) as tables:
        return Model(language, {name: tables[name] for name in tables.files})
