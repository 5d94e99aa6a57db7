"""What customers ask for, told apart from what they complain of: a request, with their own words. Pure."""

import re
import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import chain
from typing import Any

import numpy as np

from analysis.language import SMALL_WORDS
from analysis.tokens import Records, Tokens
from analysis.words import folded, shortened, without_turn

REQUESTS = ("booking", "card_payment", "opening_hours", "click_and_collect", "telephone")
OTHER = "other"
_REACH = 6  # words between a cue and what it is about
_BETWEEN = re.compile(r"[^a-z0-9&]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """One request, and the clause that makes it."""

    request: str
    quote: str


@dataclass(frozen=True, slots=True)
class _Phrases:
    wishing: re.Pattern[str]
    missing: re.Pattern[str]
    never: re.Pattern[str]
    about: dict[str, re.Pattern[str]]
    asks: dict[str, re.Pattern[str]]
    asking: re.Pattern[str]


class Cues:
    """Which words a clause that asks for something must hold: of each phrase, its rarest.

    It asks by one word, or lacks something that is `named`.
    """

    dtype = np.dtype([("asks", "?"), ("lacks", "?"), ("named", "?")])

    def __init__(self, language: str) -> None:
        given = _given(language)
        self._asks = _rarest(language, given["wishing"], *(given[request].get("asks", []) for request in REQUESTS))
        self._lacks = _rarest(language, given["hinting"], given["lacking"])
        self._named = _rarest(language, *(given[request]["about"] for request in REQUESTS))

    def of(self, words: Sequence[str]) -> Records:
        """What words may do."""
        return np.array([self._of(word) for word in words], self.dtype)

    def _of(self, word: str) -> tuple[bool, bool, bool]:
        parts = _BETWEEN.split(folded(word))
        asks, lacks, named = (any(map(cue.fullmatch, parts)) for cue in (self._asks, self._lacks, self._named))
        return asks, lacks, named

    def held(self, tokens: Tokens) -> list[bool]:
        """Whether each clause may ask for something: the few that do are read word by word."""
        known = tokens.known(self)
        flags = [np.zeros(len(tokens.clause_text), bool) for _ in range(3)]
        for name, flag in zip(("asks", "lacks", "named"), flags, strict=True):
            flag[tokens.clause[known[name]]] = True
        held: list[bool] = (flags[0] | flags[1] & flags[2]).tolist()
        return held


def _rarest(language: str, *phrases: Collection[str]) -> re.Pattern[str]:
    """Of each phrase one word: the longest, a small one only where there is no other."""
    small = SMALL_WORDS[language] - {"would"}  # rarer than what follows it: "would be nice"
    words = {
        max(phrase.replace("*", " ").split(), key=lambda one: (len(one) > 3 and one not in small, len(one)))
        for phrase in chain(*phrases)
    }
    return re.compile("|".join(re.escape(one).replace(r"\+", r"\w*") for one in sorted(words)))


@lru_cache(maxsize=2)
def cues(language: str) -> Cues:
    """The cues of one language."""
    return Cues(language)


def wishes(clauses: Iterable[str], language: str) -> tuple[Wish, ...]:
    """Each request once, in the order in which the clauses make them."""
    found: dict[str, Wish] = {}
    for clause in clauses:
        for request in _requests(clause, language):
            found.setdefault(request, Wish(request, shortened(without_turn(clause))))
    return tuple(found.values())


def _requests(clause: str, language: str) -> list[str]:
    phrases = _phrases(language)
    words = f" {_BETWEEN.sub(' ', folded(clause)).strip()} "
    wished = list(phrases.wishing.finditer(words))
    hints = [*wished, *phrases.missing.finditer(words)]
    asked = phrases.asking.search(words)
    if not (hints or asked) or phrases.never.search(words):
        return []
    named = [
        request
        for request in REQUESTS
        if (asked and phrases.asks[request].search(words))
        or (hints and _near(hints, list(phrases.about[request].finditer(words)), words))
    ]
    return named or ([OTHER] if wished else [])


def _near(cues: Sequence[re.Match[str]], named: Sequence[re.Match[str]], words: str) -> bool:
    """Whether a cue and a thing stand few words apart: what a long sentence says far away is of something else."""
    return any(
        words.count(" ", min(cue.end(), thing.end()), max(cue.start(), thing.start())) <= _REACH
        for cue in cues
        for thing in named
    )


@lru_cache(maxsize=2)
def _phrases(language: str) -> _Phrases:
    given = _given(language)
    return _Phrases(
        wishing=_any_of(given["wishing"]),
        missing=_any_of([*given["hinting"], *given["lacking"]]),
        never=_any_of(given["never"]),
        about={request: _any_of(given[request]["about"]) for request in REQUESTS},
        asks={request: _any_of(given[request].get("asks", [])) for request in REQUESTS},
        asking=_any_of([phrase for request in REQUESTS for phrase in given[request].get("asks", [])]),
    )


def _given(language: str) -> dict[str, Any]:
    return tomllib.loads(files("analysis").joinpath("lexicons", f"wishes_{language}.toml").read_text(encoding="utf-8"))


def _any_of(phrases: Collection[str]) -> re.Pattern[str]:
    r"""`*` stands for up to three words, `+` for any ending."""
    ways = (
        re.escape(phrase).replace(r"\ \*", r" (?:\S+ ){0,3}").replace(r"\+", r"\w*").replace(r"\ ", " ")
        for phrase in phrases
    )
    return re.compile(f" (?:{'|'.join(ways)}) " if phrases else r"(?!)")
