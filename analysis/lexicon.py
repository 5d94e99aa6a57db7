"""The lexicon: what words and expressions are worth, turned, strengthened or softened by the words before them.

French words are our own (`lexicons/fr`); English ones are VADER's (Hutto & Gilbert 2014), read from its package, with
what customers say besides (`lexicons/en`). A sum is brought between -1 and 1 as VADER does: `s / sqrt(s² + 15)`.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

import numpy as np

from analysis.columns import Bools, Floats, Ints, Records, Rows
from analysis.phrases import Phrases, hashed
from analysis.tokens import Tokens, cut, in_pieces
from analysis.words import DRAWN_OUT, HASTY_NOTS, bare, folded, lemma

Because = tuple[tuple[str, float], ...]
_REACH = 3  # words that a negation reaches over
_TURNED, _STRONGER, _SOFTER, _BEFORE, _AFTER = -0.6, 1.3, 0.7, 0.7, 1.3
_EVEN = 15  # VADER's own
_BAD = -2.0
_STOPS = frozenset(",;()") | frozenset(".!?…")
_HASTY_NOTS = HASTY_NOTS | {"neednt"}
_TOKEN = re.compile(r"\w+(?:[-'’]\w+)*")
_HELPING = frozenset("do does did is was are were would will could can should have has had".split())
_UNTOLD, _WORD, _STOP = range(3)
_ROLES = ("negations", "stronger", "softer", "contrasts", "heightening", "thanking")
_NO_ROLE = (False,) * len(_ROLES)


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the lexicon says: `given`, each token's part of its text's score, that of an expression at its first;
    `expressions`, the first token of each and how many it has; of each clause, then of each text, the score between -1
    and 1, how many words it holds, how many of them in expressions, and how many have a value."""

    given: Floats
    expressions: dict[int, int]
    scores: Floats
    words: Floats
    covered: Floats
    heard: Floats


class Lexicon:
    """Scores texts of one language by what their words are worth."""

    dtype = np.dtype(
        [
            ("value", "f4"), ("lemma", "u8"), ("role", "i1"), ("denies", "?"), ("stronger", "?"), ("softer", "?"),
            ("turns", "?"), ("heightens", "?"), ("thanks", "?"), ("begins", "?"), ("follows", "?"),
        ]
    )  # fmt: skip

    def __init__(self, language: str) -> None:
        self.language = language
        modifiers = _modifiers(language)
        sets = [frozenset(map(folded, modifiers[name].split())) for name in _ROLES]
        self._roles = {word: tuple(word in one for one in sets) for word in frozenset().union(*sets)}
        values = _french() if language == "fr" else _english()
        # As written, then without accents, where a word that has none goes before one that lost them ("salé", "sale").
        self._written = {said: value for said, value in values.items() if " " not in said}
        self._values = {folded(said): self._written[said] for said in sorted(self._written, key=str.isascii)}
        for name, value in (("positive_emoji", 3.0), ("negative_emoji", -3.0)):
            self._values |= dict.fromkeys(modifiers[name].split(), value)
        said = ((self._key(said), value) for said, value in values.items() if " " in said)
        self._phrases = Phrases({key: value for key, value in said if len(key) > 1})

    def score(self, text: str) -> tuple[float, Because]:
        """One text's score between -1 and 1, and the words that weighed, each with its own part."""
        tokens = cut([text])
        weighed = self.weigh(tokens)
        places = np.flatnonzero(weighed.given)
        words = tokens.words_of(places.tolist(), weighed.expressions)
        return float(weighed.scores[-1]), tuple(zip(words, weighed.given[places].round(2).tolist(), strict=True))

    def of(self, words: Sequence[str]) -> Records:
        """What words are worth, and what they do."""
        return np.array([self._of(word) for word in words], self.dtype)

    def _of(self, word: str) -> tuple[float | int, ...]:
        """A form's own value ("worn" is not "wear"), else its lemma's."""
        if word in self._values and not word[0].isalnum():
            return self._values[word], 0, _WORD, *_NO_ROLE, False, False
        if not word or not (word[0].isalnum() or word[0] == "_"):
            return 0.0, 0, _STOP if word[:1] in _STOPS else _UNTOLD, *_NO_ROLE, False, False
        word = self._plainly(word)
        base = self._lemma(word)
        form = bare(word, self.language)
        own = self._written.get(form, self._values.get(folded(form)))
        roles = self._roles.get(base, _NO_ROLE)
        value, key = self._values.get(base, 0.0) if own is None else own, hashed(base)
        return value, key, _WORD, *roles, *self._phrases.roles(key)

    def weigh(self, tokens: Tokens) -> Weighed:
        """What it says of every clause and text."""
        known = tokens.known(self)
        places = np.flatnonzero((known["role"] > 0) & ~tokens.named)
        known, part = known.take(places), tokens.clause.take(places)
        values = known["value"] * _changed(known, part)
        met = self._phrases.found(known["lemma"], part, known["begins"], known["follows"])
        inside = np.zeros(len(places), bool)
        inside[[at for place, length, _ in met for at in range(place, place + length)]] = True
        values[inside] = 0
        first = [place for place, _, _ in met]
        values[first] = [value for _, _, value in met]
        last = [place + length - 1 for place, length, _ in met]
        _heighten(values, known["heightens"], part, dict(zip(last, first, strict=True)))
        _mock(values, known["thanks"] & ~inside, part)
        spans = (places[last] - places[first] + 1).tolist()
        weight = contrast(tokens)
        rows = (values, known["role"] == _WORD, inside, values != 0)
        sums, *counts = in_pieces(rows, part, tokens, np.stack((weight, *[np.ones(len(weight))] * 3)))
        size = np.sqrt(sums**2 + _EVEN)
        given = np.zeros(len(tokens.lexeme))
        given[places] = values * (weight / size[len(tokens.clause_text) :][tokens.clause_text]).take(part)
        expressions = dict(zip(places[first].tolist(), spans, strict=True))
        return Weighed(given, expressions, sums / size, *counts)

    def _plainly(self, word: str) -> str:
        """A word that is drawn out ("nuuul", "goood") as it is written otherwise: with two letters or one, whichever
        means something."""
        if not DRAWN_OUT.search(word):
            return word
        spelt = [DRAWN_OUT.sub(letters, word) for letters in (r"\1\1", r"\1")]
        return next((one for one in spelt if self._means(one)), word)

    def _means(self, word: str) -> bool:
        forms = folded(bare(word, self.language)), self._lemma(word)
        return any(form in self._values or form in self._roles for form in forms)

    def _lemma(self, word: str) -> str:
        if self.language == "en" and (word.endswith(("n't", "n’t")) or word in _HASTY_NOTS):
            return "not"
        return lemma(bare(word, self.language), self.language)

    def _key(self, said: str) -> tuple[int, ...]:
        """The hashes of an expression's lemmas; "do not bother" is "don't bother"."""
        lemmas = [self._lemma(word) for word in _TOKEN.findall(said.lower())]
        helping = {at for at, (one, after) in enumerate(pairwise(lemmas)) if after == "not" and one in _HELPING}
        return tuple(hashed(one) for at, one in enumerate(lemmas) if at not in helping)


def _changed(known: Rows, part: Ints) -> Floats:
    """How the words before each change it."""
    factor = np.ones(len(part))
    denied = np.zeros(len(part), bool)
    reached = np.ones(len(part), bool)
    barrier, denies = (known["role"] == _STOP) | known["turns"], known["denies"]
    for back in range(1, _REACH + 1):
        reached[:back] = False
        reached[back:] &= (part[back:] == part[:-back]) & ~barrier[:-back]
        denied[back:] |= reached[back:] & denies[:-back]
        if back == 1:
            near = reached[1:]
            factor[1:][near & known["stronger"][:-1]] = _STRONGER
            factor[1:][near & known["softer"][:-1]] = _SOFTER
    return np.where(denied, factor * _TURNED, factor)


def _heighten(values: Floats, heightens: Bools, part: Ints, expressions: dict[int, int]) -> None:
    """Before a bad word "bien" praises nothing, nor does the expression that ends with it: "c'est bien long"."""
    before_bad = heightens[:-1] & (values[1:] < 0) & (part[1:] == part[:-1])
    for place in np.flatnonzero(before_bad).tolist():
        praise = expressions.get(place, place)
        values[praise] = min(values[praise], 0)
        values[place + 1] *= _STRONGER


def _mock(values: Floats, thanks: Bools, part: Ints) -> None:
    """Thanks and congratulations praise nothing in a clause that only blames: "merci pour la soirée gâchée"."""
    for place in np.flatnonzero(thanks & (values > 0)).tolist():
        first, last = np.searchsorted(part, (part[place], part[place] + 1))
        beside = np.delete(values[first:last], place - first)
        if beside.max(initial=0) == 0 and beside.min(initial=0) <= _BAD:
            values[place] = 0


def contrast(tokens: Tokens) -> Floats:
    """What each clause weighs in its text: less before "mais" and after "malgré", more beside."""
    stressed, damped = tokens.turned | tokens.resumes, tokens.concedes.copy()
    damped[:-1] |= tokens.turned[1:] & ~tokens.begins[1:]
    stressed[:-1] |= tokens.concedes[1:] & ~tokens.begins[1:]
    return np.where(stressed, _AFTER, 1.0) * np.where(damped, _BEFORE, 1.0)


@lru_cache(maxsize=1)
def _french() -> dict[str, float]:
    return dict(_listed("fr", "expressions.txt", "words.txt", "words_bad.txt"))


@lru_cache(maxsize=1)
def _english() -> dict[str, float]:
    text = files("vaderSentiment").joinpath("vader_lexicon.txt").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line.strip())
    return {row[0]: float(row[1]) for row in rows} | dict(_listed("en", "words.txt"))


def _listed(language: str, *names: str) -> Iterator[tuple[str, float]]:
    """The values of files whose lines are `value: word, expression, …`."""
    for name in names:
        for line in _file(language, name).splitlines():
            value, _, entries = line.partition(":")
            if not line.startswith("#") and entries:
                yield from ((entry.strip(), float(value)) for entry in entries.split(","))


def _modifiers(language: str) -> Mapping[str, str]:
    return tomllib.loads(_file(language, "modifiers.toml"))


def _file(language: str, name: str) -> str:
    return files("analysis").joinpath("lexicons", language, name).read_text(encoding="utf-8")
