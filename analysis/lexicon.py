"""The lexicon engine: what words and expressions are worth, turned, strengthened or softened by the words before them.

French words are our own (`lexicons/fr`); English ones are VADER's (Hutto & Gilbert 2014), read from its package, with
what customers say besides (`lexicons/en`). The sum is brought between -1 and 1 as VADER does: `s / sqrt(s² + 15)`.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from math import sqrt

from analysis.words import folded, lemma

Because = tuple[tuple[str, float], ...]

_TOKEN = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[<>]?[:;=x][-']?[)(dp/]|<3|\^\^|[,.;!?()\n]|[^\s\w\ufe0f]")
_ELIDED = re.compile(r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)['’](?=\w)")
_NOT = re.compile(r"\b([a-z]+)n't\b")
_STOPS = frozenset(",.;!?()\n")
_REACH = 3  # words that a negation reaches over
_TURNED, _STRONGER, _SOFTER, _BEFORE, _AFTER = -0.6, 1.3, 0.7, 0.6, 1.3
_MOST_TEXT = 1_000


@dataclass(frozen=True, slots=True)
class Words:
    """One language's: values by word, by expression, the longest expression that begins with two
    words, and the words that change the words after them."""

    values: Mapping[str, float]
    expressions: Mapping[tuple[str, ...], float]
    begins: Mapping[tuple[str, str], int]
    negations: frozenset[str]
    stronger: frozenset[str]
    softer: frozenset[str]
    contrasts: frozenset[str]


class Lexicon:
    """Scores a text by what its words are worth."""

    name = "lexicon"

    def __init__(self, language: str) -> None:
        self.language = language
        self._words = _french() if language == "fr" else _english()
        self._known = lru_cache(maxsize=50_000)(self._look_up)

    def score(self, text: str) -> tuple[float, Because]:
        """Between -1 and 1, and the words that weighed, each with its own part."""
        shown = tokens_of(text[:_MOST_TEXT], self.language)
        known = [self._known(one) for one in shown]
        words = [word for word, _ in known]
        heard: list[tuple[str, float, int]] = []
        contrast, free = -1, 0
        begins = self._words.begins
        for at, ((word, value), pair) in enumerate(zip(known, pairwise([*words, ""]), strict=True)):
            if at < free:
                continue
            if word in self._words.contrasts:
                contrast = at
            length, together = self._expression(words, at, begins[pair]) if pair in begins else (0, 0.0)
            if length:
                heard.append((" ".join(shown[at : at + length]), together, at))
                free = at + length
            elif value:
                heard.append((shown[at], value * self._changed(words, at), at))
        if contrast >= 0:
            heard = [(said, value * (_BEFORE if at < contrast else _AFTER), at) for said, value, at in heard]
        total = sum(value for _, value, _ in heard)
        because = tuple((said, round(value / 4, 2)) for said, value, _ in heard if value)
        return total / sqrt(total * total + 15), because

    def _look_up(self, shown: str) -> tuple[str, float]:
        """A token's lemma, and its value: a form's own ("worn" is not "wear"), else its lemma's."""
        word = lemma(shown, self.language) if shown[0].isalnum() else shown
        own = self._words.values.get(folded(shown))
        return word, self._words.values.get(word, 0.0) if own is None else own

    def _expression(self, words: list[str], at: int, longest: int) -> tuple[int, float]:
        """The longest expression that begins here: its length in words and its value."""
        for length in range(min(longest, len(words) - at), 1, -1):
            value = self._words.expressions.get(tuple(words[at : at + length]))
            if value is not None:
                return length, value
        return 0, 0.0

    def _changed(self, words: list[str], at: int) -> float:
        """How the words before this one change it."""
        factor = 1.0
        for back in range(1, _REACH + 1):
            word = words[at - back] if at >= back else "."
            if word in _STOPS or word in self._words.contrasts:
                break
            if word in self._words.negations:
                return factor * _TURNED
            if back == 1 and word in self._words.stronger:
                factor = _STRONGER
            if back == 1 and word in self._words.softer:
                factor = _SOFTER
        return factor


def tokens_of(text: str, language: str) -> list[str]:
    """Words, emoticons and stops, in lower case, as they stand; what is contracted apart."""
    text = text.lower().replace("’", "'")
    return _TOKEN.findall(_ELIDED.sub("", text) if language == "fr" else _NOT.sub(_spelt_out, text))


def _spelt_out(contraction: re.Match[str]) -> str:
    return {"ca": "can", "wo": "will", "sha": "shall"}.get(contraction[1], contraction[1]) + " not"


def _words(values: dict[str, float], language: str, modifiers: Mapping[str, str]) -> Words:
    singles: dict[str, float] = {}
    expressions: dict[tuple[str, ...], float] = {}
    begins: dict[tuple[str, str], int] = {}
    for said, value in values.items():
        tokens = tokens_of(said, language)
        if len(tokens) > 1:
            key = tuple(lemma(word, language) if word[0].isalnum() else word for word in tokens)
            expressions.setdefault(key, value)
            begins[key[0], key[1]] = max(len(key), begins.get((key[0], key[1]), 0))
        elif tokens:
            singles.setdefault(folded(tokens[0]), value)
    for name, value in (("positive_emoji", 3.0), ("negative_emoji", -3.0)):
        singles |= dict.fromkeys(modifiers[name].split(), value)
    sets = {
        name: frozenset(folded(word) for word in modifiers[name].split())
        for name in ("negations", "stronger", "softer", "contrasts")
    }
    return Words(singles, expressions, begins, **sets)


@lru_cache(maxsize=1)
def _french() -> Words:
    return _words(_listed("fr", "expressions.txt", "words.txt", "words_bad.txt"), "fr", _modifiers("fr"))


@lru_cache(maxsize=1)
def _english() -> Words:
    text = files("vaderSentiment").joinpath("vader_lexicon.txt").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line.strip())
    return _words({row[0]: float(row[1]) for row in rows} | _listed("en", "words.txt"), "en", _modifiers("en"))


def _listed(language: str, *names: str) -> dict[str, float]:
    """The values of files whose lines are `value: word, expression, …`."""
    values: dict[str, float] = {}
    for name in names:
        for line in _file(language, name).splitlines():
            value, _, entries = line.partition(":")
            if not line.startswith("#") and entries:
                values |= {entry.strip(): float(value) for entry in entries.split(",")}
    return values


def _modifiers(language: str) -> dict[str, str]:
    return tomllib.loads(_file(language, "modifiers.toml"))


def _file(language: str, name: str) -> str:
    return files("analysis").joinpath("lexicons", language, name).read_text(encoding="utf-8")
