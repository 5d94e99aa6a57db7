"""The learnt model: sums of small integers, then three calibrated probabilities.

Two one-against-the-rest classifiers (happy, unhappy) over naive-Bayes-weighted words and characters (Wang & Manning
2012) give two sums; with what the lexicon says they go through a multinomial logistic regression fitted on texts that
the tables had not seen. What was measured is in docs/model-card.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.columns import Floats, Ints, Records, Rows, Values
from analysis.language import SMALL_WORDS
from analysis.learned import features
from analysis.lexicon import Because, Lexicon, Weighed, contrast
from analysis.phrases import hashed
from analysis.tokens import Tokens, in_pieces

NEGATIVE, NEUTRAL, POSITIVE = range(3)
# Neutral texts are this much rarer among a firm's reviews than among the texts that were learnt from.
NEUTRAL_SHARE = 0.6
_MOST_WORDS = 8
_LEAST = 0.1  # log-odds; a word that weighs less is not shown
_FAINT = 0.3  # of the strongest word of its text; nor is what weighs less than that
_EVEN = 4.0  # log-odds that are shown as 0.76
_SHORT = 15  # words: the lexicon knows little of a long text that its words together do not say
# What the lexicon's word is worth beside the sums; chosen on trades that the tables had not seen.
_LEXICON = {"fr": 7.0, "en": 12.0}
_IDIOM = 6.0  # and how many times more, for a text that is an expression from end to end


@dataclass(frozen=True, slots=True)
class _Sums:
    """Happy and unhappy sums of each clause, then of each text, and what their words gave.

    `places` are the tokens that count; `given` what each gave to happy less unhappy in its text: "and" tells nothing.
    """

    pieces: Floats
    places: Ints
    given: Floats


class Model:
    """Judges texts of one language.

    `words` and `runs` hold one row for happy and one for unhappy, in units of `scales`; `bias` one each; `calibration`
    one row per class over `evidence` and a constant.
    """

    dtype = np.dtype(
        [
            ("hash", "u8"), ("denies", "?"), ("tells", "?"), ("pair", "i2"), ("happy", "i4"), ("unhappy", "i4"),
            ("runs", "i4"),
        ]
    )  # fmt: skip

    def __init__(self, language: str, tables: dict[str, npt.NDArray[Any]]) -> None:
        self.language = language
        # Happy and unhappy side by side, as one number: they are looked up together.
        self._pairs = np.ascontiguousarray(tables["words"].T).view(np.int16)[:, 0]
        self._runs = tables["runs"]
        self._scales, self._bias, self._calibration = tables["scales"], tables["bias"], tables["calibration"]
        self._lexicon = Lexicon(language)
        self._denying = features.DENYING[language]
        small = {word for word in SMALL_WORDS[language] if not self._lexicon.score(word)[0]}
        self._mute = {features.normal(word, language) for word in small} - self._denying

    def of(self, words: Sequence[str]) -> Records:
        """What words are to the model: their hashes, and what they say alone and by their characters."""
        forms = [features.normal(word, self.language) for word in words]
        records = np.zeros(len(forms), self.dtype)
        records["hash"] = [hashed(form) if form else 0 for form in forms]
        records["pair"] = self._pairs.take(features.bucket(records["hash"]))
        records["denies"] = [form in self._denying for form in forms]
        records["tells"] = [form not in self._mute for form in forms]
        owners, buckets = features.runs(forms)
        for name, row in zip(("happy", "unhappy"), self._runs, strict=True):
            records[name] = np.bincount(owners, weights=row.take(buckets), minlength=len(forms))
        records["runs"] = np.bincount(owners, minlength=len(forms))
        return records

    def judge(self, tokens: Tokens) -> tuple[Floats, Floats, list[Because]]:
        """The probabilities of each text and of each clause, shape (count, 3), and the words that weighed in a text."""
        sums, weighed = self._sums(tokens), self._lexicon.weigh(tokens)
        evidence, trust = self._evidence(sums, weighed)
        chances = probabilities(evidence, self._calibration)
        count = len(tokens.clause_text)
        return chances[count:], chances[:count], _because(tokens, sums, weighed, trust[count:])

    def evidence(self, tokens: Tokens) -> Floats:
        """What the calibration looks at; shape (texts, 5)."""
        evidence, _ = self._evidence(self._sums(tokens), self._lexicon.weigh(tokens))
        return evidence[len(tokens.clause_text) :]

    def seen(self, tokens: Tokens) -> tuple[Ints, Rows]:
        """The tokens that count, and what is known of each: a sign that says nothing, and a name, are not looked at."""
        known = tokens.known(self)
        places = np.flatnonzero((known["hash"] > 0) & ~tokens.named)
        return places, known.take(places)

    def _sums(self, tokens: Tokens) -> _Sums:
        places, known = self.seen(tokens)
        part = tokens.clause.take(places)
        words, spelt = self._gained(known, part), _spelt(known)
        weight = contrast(tokens)
        sums = in_pieces((*words[:3], *spelt[:3]), part, tokens, weight).reshape(2, 3, -1)
        shares = self._scales[:, None] / np.sqrt(np.maximum(1, sums[:, 2]))
        pieces = self._bias + (sums[:, :2] * shares[:, None]).sum(axis=0).T
        in_text = weight * shares[:, len(tokens.clause_text) :][:, tokens.clause_text]
        given = sum(apart * share.take(part) for apart, share in zip((words[3], spelt[3]), in_text, strict=True))
        return _Sums(pieces, places, given * known["tells"])

    def _gained(self, known: Rows, part: Ints) -> tuple[Values, Values, Values, Values]:
        """What sequences that begin with a word give: happy, unhappy, how many; and each word's share of the
        difference, alike for all words of a sequence (counted in sixths, to stay whole)."""
        hashes, alone = known["hash"], _two(known["pair"])
        gained, count, sixths = alone.astype(np.int16), np.ones(len(part), np.int16), 6 * _apart(alone)
        for length, (whole, buckets) in enumerate(features.sequences(hashes, part), start=2):
            pairs = _two(self._pairs.take(buckets) * whole)
            gained[: len(pairs)] += pairs
            count[: len(pairs)] += whole
            apart = (6 // length) * _apart(pairs)
            for step in range(length):
                sixths[step : step + len(pairs)] += apart
        for back, (last, buckets) in enumerate(features.denied(hashes, known["denies"], part), start=1):
            pairs = _two(self._pairs.take(buckets))
            gained[last] += pairs
            count[last] += 1
            for place in (last - back, last):
                sixths[place] += 3 * _apart(pairs)
        return gained[:, 0], gained[:, 1], count, sixths / 6

    def _evidence(self, sums: _Sums, weighed: Weighed) -> tuple[Floats, Floats]:
        """For clauses, then texts: happy minus unhappy (the lexicon's word counted in, less in long texts), its size,
        their sum, and two signs of a piece that says little: how short it is, and that it holds no word of the lexicon.

        And what the lexicon's word was worth. "C'était pas mal du tout" is an expression from end to end, and its
        single words would say the contrary: there the lexicon is worth more, as where a word stands alone ("Beurk").
        """
        short = np.minimum(1.0, _SHORT / np.maximum(1, weighed.words))
        covered = np.minimum(1.0, weighed.covered / np.maximum(1, weighed.words))
        covered = np.where(weighed.words == 1, np.abs(weighed.scores), covered)
        trust = _LEXICON[self.language] * (1 + _IDIOM * covered**2) * short
        apart = sums.pieces[:, 0] - sums.pieces[:, 1] + trust * weighed.scores
        dry = short * (weighed.heard == 0)
        return np.stack((apart, np.abs(apart), sums.pieces.sum(axis=1), short, dry), axis=1), trust


def _spelt(known: Rows) -> tuple[Values, Values, Values, Values]:
    """What the characters of words give, as `Model._gained`."""
    happy, unhappy = known["happy"], known["unhappy"]
    return happy, unhappy, known["runs"], happy - unhappy


def _two(pairs: Values) -> Values:
    """Happy and unhappy, of pairs that are one number."""
    return pairs.view(np.int8).reshape(-1, 2)


def _apart(pairs: Values) -> Values:
    return pairs[:, 0].astype(np.int16) - pairs[:, 1]


def probabilities(evidence: Floats, calibration: Floats) -> Floats:
    """Softmax; shape (texts, 3)."""
    logits = evidence @ calibration[:, :-1].T + calibration[:, -1]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _because(tokens: Tokens, sums: _Sums, weighed: Weighed, trust: Floats) -> list[Because]:
    """For each text what weighed most: the sequences that end in a word, its characters, and what the lexicon says; the
    words of an expression are told together."""
    weights = weighed.given * trust.take(tokens.text)
    weights[sums.places] += sums.given
    _join(weights, weighed.expressions)
    sizes, first = np.abs(weights), tokens.first_of_text
    least = np.maximum(_LEAST, _FAINT * np.maximum.reduceat(sizes, first))
    telling = np.flatnonzero(sizes >= least.take(tokens.text))
    weights, sizes, of = weights.take(telling), sizes.take(telling), tokens.text.take(telling)
    order = np.lexsort((-sizes, of))
    shown = order[np.arange(len(order)) - np.searchsorted(of, of) < _MOST_WORDS]
    words = tokens.words_of(telling[shown].tolist(), weighed.expressions)
    pairs = list(zip(words, np.tanh(weights[shown] / _EVEN).round(2).tolist(), strict=True))
    edges = np.searchsorted(of[shown], np.arange(len(tokens.texts) + 1)).tolist()
    return [tuple(pairs[first:last]) for first, last in pairwise(edges)]


def _join(weights: Floats, expressions: Mapping[int, int]) -> None:
    """Give the first word of each expression the weights of all."""
    if expressions:
        first, length = (np.array(list(one)) for one in (expressions.keys(), expressions.values()))
        together = np.add.reduceat(np.append(weights, 0), np.stack((first, first + length), axis=1).ravel())[::2]
        every = np.repeat(first - (np.cumsum(length) - length), length) + np.arange(length.sum())
        weights[every] = 0
        weights[first] = together


@lru_cache(maxsize=2)
def shipped(language: str) -> Model:
    """The model that comes with the product; loaded once for each process."""
    with as_file(files("analysis").joinpath("models", f"{language}.npz")) as path, np.load(path) as tables:
        return Model(language, {name: tables[name] for name in tables.files})
