"""What customers ask for, told apart from what they complain of: a request, with their own words. Pure."""

import re
import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

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
    if phrases.never.search(words):
        return []
    wished = list(phrases.wishing.finditer(words))
    cues = [*wished, *phrases.missing.finditer(words)]
    named = [
        request
        for request in REQUESTS
        if phrases.asks[request].search(words) or _near(cues, list(phrases.about[request].finditer(words)), words)
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
    text = files("analysis").joinpath("lexicons", f"wishes_{language}.toml").read_text(encoding="utf-8")
    given = tomllib.loads(text)
    return _Phrases(
        wishing=_any_of(given["wishing"]),
        missing=_any_of([*given["hinting"], *given["lacking"]]),
        never=_any_of(given["never"]),
        about={request: _any_of(given[request]["about"]) for request in REQUESTS},
        asks={request: _any_of(given[request].get("asks", [])) for request in REQUESTS},
    )


def _any_of(phrases: Collection[str]) -> re.Pattern[str]:
    r"""`*` stands for up to three words, `+` for any ending."""
    ways = (
        re.escape(phrase).replace(r"\ \*", r" (?:\S+ ){0,3}").replace(r"\+", r"\w*").replace(r"\ ", " ")
        for phrase in phrases
    )
    return re.compile(f" (?:{'|'.join(ways)}) " if phrases else r"(?!)")
