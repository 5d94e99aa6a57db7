"""What customers ask for, told apart from what they complain of: a request, with their own words. Pure."""

import re
import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import chain, cycle
from typing import Any

import numpy as np

from analysis.columns import Hashes, Ints, Records
from analysis.language import SMALL_WORDS
from analysis.tokens import Clauses, Tokens
from analysis.words import folded

REQUESTS = ("booking", "card_payment", "opening_hours", "click_and_collect", "telephone")
OTHER = "other"
_REACH = 6  # words between a cue and what it is about
_BETWEEN = re.compile(r"[^a-z0-9&]+")
# The bits of the phrases that wish, that ask for one thing, that lack something, and that name each thing.
_BITS = {"wishing": range(16), "asking": range(16, 32), "missing": range(32, 44)} | {
    request: range(first, first + 4) for request, first in zip(REQUESTS, range(44, 64, 4), strict=True)
}
_MASKS = {kind: sum(1 << bit for bit in bits) for kind, bits in _BITS.items()}
_ASKS, _LACKS = _MASKS["wishing"] | _MASKS["asking"], _MASKS["missing"]
_NAMES = sum(_MASKS[request] for request in REQUESTS)

_Masks = tuple[int, int, int]
_NO_PHRASE: _Masks = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wish:
    """One request, and the clause that makes it."""

    request: str
    quote: str


class Cues:
    """Which words a clause that asks for something must hold: of each phrase, its three rarest.

    It asks by one phrase, or lacks something that is named. Each phrase has a bit, which it may share with others of
    its kind: the bit is set in the first mask by a word that may be its rarest, in the others by one that may be its
    second or third.
    """

    dtype = np.dtype([("rarest", "u8"), ("second", "u8"), ("third", "u8")])

    def __init__(self, language: str) -> None:
        self._words: dict[str, _Masks] = {}
        self._stems: dict[str, _Masks] = {}
        for phrases in _phrases(language).values():
            for bit, phrase in phrases:
                self._note(_rarest(phrase, language), bit)
        self._any_stem = tuple(self._stems)

    def _note(self, words: Sequence[str], bit: int) -> None:
        for word, masks in zip(words, ((bit, 0, 0), (0, bit, 0), (0, 0, bit)), strict=True):
            known, stem = (self._stems if word.endswith("+") else self._words), word.rstrip("+")
            known[stem] = _either(known.get(stem, _NO_PHRASE), masks)

    def of(self, words: Sequence[str]) -> Records:
        """Which phrases words may be of."""
        return np.array([self._of(word) for word in words], self.dtype)

    def _of(self, word: str) -> _Masks:
        masks = _NO_PHRASE
        for part in _plain(word).split():
            if part in self._words:
                masks = _either(masks, self._words[part])
            if part.startswith(self._any_stem):
                for stem, theirs in self._stems.items():
                    masks = _either(masks, theirs) if part.startswith(stem) else masks
        return masks

    def held(self, tokens: Tokens) -> Hashes:
        """The phrases that each clause may hold; 0 for the many that ask for nothing by them."""
        known = tokens.known(self)
        rarest, second, third = (np.bitwise_or.reduceat(known[name], tokens.first) for name in self.dtype.names or ())
        phrases = rarest & second & third
        asks, lacks, names = (phrases & np.uint64(mask) > 0 for mask in (_ASKS, _LACKS, _NAMES))
        return np.asarray(phrases * (asks | lacks & names))


def _either(one: _Masks, other: _Masks) -> _Masks:
    return one[0] | other[0], one[1] | other[1], one[2] | other[2]


def _rarest(phrase: str, language: str) -> list[str]:
    """Three words of a phrase, its last ones twice if it has fewer: the longest, small ones only where there is no
    other."""
    small = SMALL_WORDS[language] - {"would"}  # rarer than what follows it: "would be nice"
    words = phrase.replace("*", " ").split()
    words.sort(key=lambda one: (len(one) > 3 and one not in small, len(one)), reverse=True)
    return [*words, words[-1], words[-1]][:3]


@lru_cache(maxsize=2)
def cues(language: str) -> Cues:
    """The cues of one language."""
    return Cues(language)


def wishes(tokens: Tokens, clauses: Clauses, told: Ints, language: str) -> dict[int, list[Wish]]:
    """What those of `clauses` ask for that do, by their numbers, which are among those `told`."""
    held = cues(language).held(tokens)
    asking = told[held[told] > 0].tolist()
    edges, words, made = np.append(tokens.first, len(tokens.lexeme)), tokens.lexemes.words, {}
    for at in asking:
        ours = tokens.lexeme[edges[at] : edges[at + 1]].tolist()
        said = filter(None, [_plain(words[one]) for one in ours])
        requests = _requests(f" {' '.join(said)} ", int(held[at]), language)
        if requests:
            made[at] = [Wish(request, clauses.quoted(at)) for request in requests]
    return made


def each_once(made: Iterable[Wish]) -> tuple[Wish, ...]:
    """The first wish of each request, in order."""
    found: dict[str, Wish] = {}
    for wish in made:
        found.setdefault(wish.request, wish)
    return tuple(found.values())


def _requests(words: str, held: int, language: str) -> list[str]:
    """What words ask for, with a space around each; of the phrases that they may hold."""

    def said(kind: str) -> list[re.Match[str]]:
        bits = held & _MASKS[kind]
        return list(_any_of(language, kind, bits).finditer(words)) if bits else []

    wished, asked = said("wishing"), said("asking")
    hints = [*wished, *said("missing")]
    named = [
        request
        for request in REQUESTS
        if (asked and _asks(language, request).search(words)) or (hints and _near(hints, said(request), words))
    ]
    if not (named or wished) or _never(language).search(words):
        return []
    return named or [OTHER]


def _near(cues: Sequence[re.Match[str]], named: Sequence[re.Match[str]], words: str) -> bool:
    """Whether a cue and a thing stand few words apart: what a long sentence says far away is of something else."""
    return any(
        words.count(" ", min(cue.end(), thing.end()), max(cue.start(), thing.start())) <= _REACH
        for cue in cues
        for thing in named
    )


@lru_cache(maxsize=30_000)
def _plain(word: str) -> str:
    """A word as phrases are written: "don't" is "don t"."""
    return _BETWEEN.sub(" ", folded(word)).strip()


@lru_cache(maxsize=2_000)
def _any_of(language: str, kind: str, bits: int) -> re.Pattern[str]:
    """Finds the phrases of one kind that have these bits."""
    return _finding([phrase for bit, phrase in _phrases(language)[kind] if bit & bits])


@lru_cache(maxsize=2)
def _never(language: str) -> re.Pattern[str]:
    return _finding(_given(language)["never"])


@lru_cache(maxsize=16)
def _asks(language: str, request: str) -> re.Pattern[str]:
    return _finding(_given(language)[request].get("asks", []))


def _finding(phrases: Collection[str]) -> re.Pattern[str]:
    r"""`*` stands for up to three words, `+` for any ending."""
    ways = (
        re.escape(phrase).replace(r"\ \*", r" (?:\S+ ){0,3}").replace(r"\+", r"\w*").replace(r"\ ", " ")
        for phrase in phrases
    )
    return re.compile(f" (?:{'|'.join(ways)}) " if phrases else r"(?!)")


@lru_cache(maxsize=2)
def _phrases(language: str) -> dict[str, list[tuple[int, str]]]:
    """The phrases of each kind, with their bits."""
    given = _given(language)
    asks = chain.from_iterable(given[request].get("asks", []) for request in REQUESTS)
    kinds = {"wishing": given["wishing"], "asking": asks, "missing": [*given["hinting"], *given["lacking"]]}
    kinds |= {request: given[request]["about"] for request in REQUESTS}
    return {
        kind: [(1 << bit, phrase) for bit, phrase in zip(cycle(_BITS[kind]), phrases, strict=False)]
        for kind, phrases in kinds.items()
    }


@lru_cache(maxsize=2)
def _given(language: str) -> dict[str, Any]:
    return tomllib.loads(files("analysis").joinpath("lexicons", f"wishes_{language}.toml").read_text(encoding="utf-8"))
