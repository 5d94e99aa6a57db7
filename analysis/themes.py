"""What a text is about: a curated vocabulary, met on lemmas, sentence by sentence.

Every trade shares `lexicons/themes_*.toml`; `lexicons/trades` adds what one trade hears; a firm's host may add files of
the same names in a folder of its own, whose words come before ours.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import chain, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from analysis.columns import Floats, Ints, Records, heads, present
from analysis.phrases import Phrases, hashed
from analysis.sentiment import Label, label_of
from analysis.tokens import Clauses, Tokens, cut
from analysis.words import bare, folded, lemma, lemmas
from vigie.errors import InvalidInputError

THEMES = (
    "product", "service", "price", "waiting", "cleanliness", "ambience", "location", "communication", "aftercare",
    "trust",
)  # fmt: skip
GENERAL = "general"
NONE = "none"  # in a file of words: those that name no theme in this trade, though they do in others
# Trades that have words of their own, by the beginning of the NAF code; the longest beginning counts.
TRADES = {
    "56": "restaurant", "55": "hotel", "45": "garage", "96.02": "hairdresser", "96.04": "hairdresser", "47": "shop",
    "47.91": "online_shop", "41": "craftsman", "42": "craftsman", "43": "craftsman", "25": "craftsman",
    "31": "craftsman", "81": "craftsman", "86": "medical", "75": "medical", "10.71": "shop", "95": "garage",
}  # fmt: skip
_FLAGS = {theme: 1 << number for number, theme in enumerate(THEMES)} | {NONE: 0}
_NAMES = (*THEMES, GENERAL)
_BITS = 1 << np.arange(len(_NAMES))


class Opinion(NamedTuple):
    """What a text says of one theme, with the customer's own words."""

    theme: str
    label: Label
    score: float
    quote: str


def trade_of(sector: str | None) -> str | None:
    """The trade of a firm by its NAF code; None for one that has no words of its own."""
    code = sector or ""
    return next((TRADES[code[:size]] for size in (5, 4, 2) if code[:size] in TRADES), None)


class TradeWords:
    """What one trade's customers call the themes, in one language: words and expressions, met on lemmas."""

    dtype = np.dtype([("themes", "u2"), ("lemma", "u8"), ("begins", "?"), ("follows", "?")])

    def __init__(self, language: str, entries: Iterator[Mapping[str, str]]) -> None:
        self._language = language
        self._words: dict[str, int] = {}
        expressions: dict[tuple[str, ...], int] = {}
        for theme, words in chain.from_iterable(one.items() for one in entries):
            if theme not in _FLAGS:
                raise InvalidInputError(f"{theme!r} is no theme: {', '.join(THEMES)}")
            for entry in words.split():
                known = lemmas(entry.replace("-", " "), language)
                if len(known) > 1:
                    expressions[tuple(known)] = _FLAGS[theme]
                else:
                    self._words["".join(known)] = _FLAGS[theme]
                self._words.setdefault(folded(entry), _FLAGS[theme])
        self._phrases = Phrases({tuple(map(hashed, key)): flag for key, flag in expressions.items()})

    def of(self, words: Sequence[str]) -> Records:
        """The themes of words, and their lemmas' hashes: 0 for a sign."""
        return np.array([self._of(word) for word in words], self.dtype)

    def _of(self, word: str) -> tuple[int, int, bool, bool]:
        if not word[:1].isalnum():
            return 0, 0, False, False
        base = lemma(bare(word, self._language), self._language)
        key = hashed(base)
        return self._words.get(base, 0), key, *self._phrases.roles(key)

    def named(self, tokens: Tokens) -> Ints:
        """The themes that each clause names, as flags."""
        known = tokens.known(self)
        places = np.flatnonzero(known["lemma"])
        known, part = known.take(places), tokens.clause.take(places)
        themes, flags = known["themes"], np.zeros(len(tokens.clause_text), np.int64)
        for place, length, flag in self._phrases.found(known["lemma"], part, known["begins"], known["follows"]):
            flags[part[place]] |= flag
            themes[place : place + length] = 0  # "rapport qualité-prix" is of the price, not of the quality
        named = np.flatnonzero(themes)
        np.bitwise_or.at(flags, part[named], themes[named])
        return flags


class Vocabulary:
    """Words and expressions → themes; `folder` holds files that a firm's host wrote, if any.

    Raises `InvalidInputError` for a file there that is none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._read: dict[tuple[str, str | None], TradeWords] = {}
        if folder:  # a file that cannot be read is told at the start, not at the first review of its trade
            for language, trade in product(("fr", "en"), sorted(set(TRADES.values()))):
                self.of(language, trade)

    def of(self, language: str, trade: str | None = None) -> TradeWords:
        """The words of a trade, or of every trade."""
        known = self._read.get((language, trade))
        if known is None:
            known = self._read[language, trade] = TradeWords(language, self._entries(language, trade))
        return known

    def named(self, sentence: str, language: str, trade: str | None = None) -> set[str]:
        """The themes that a sentence names."""
        flags = np.bitwise_or.reduce(self.of(language, trade).named(cut([sentence])))
        return {theme for theme, flag in _FLAGS.items() if flags & flag}

    def _entries(self, language: str, trade: str | None) -> Iterator[Mapping[str, str]]:
        """What every trade shares, what this one adds, and what the host adds to either: the last word counts."""
        shared = files("analysis") / "lexicons"
        yield tomllib.loads((shared / f"themes_{language}.toml").read_text(encoding="utf-8"))
        if trade:
            yield tomllib.loads((shared / "trades" / f"{trade}.toml").read_text(encoding="utf-8")).get(language, {})
        if self._folder:
            yield _of_host(self._folder / f"themes_{language}.toml")
            yield _of_host(self._folder / f"{trade}.toml").get(language, {})


def _of_host(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error


def opinions(told: Ints, of: Ints, scores: Floats, named: Ints, words: Clauses, stars: Floats) -> list[list[Opinion]]:
    """What each text says: an opinion for each theme that its clauses name, `general` when none does.

    `told` are the numbers of the clauses that are read, among `scores`, `named` (themes as flags) and `words`, and `of`
    the text of each. `stars`, from -1 to 1 for each text, or NaN without a rating, weigh as much as the words.
    """
    flags = named[told]
    names = present(of[flags > 0], len(stars))
    at, theme = np.nonzero(np.where(names[of], flags, _BITS[-1])[:, None] & _BITS)
    order = np.lexsort((theme, of[at]))
    at, theme = at[order], theme[order]
    first = heads(of[at] * len(_BITS) + theme)
    size, said = np.diff(first, append=len(at)), scores[told[at]]
    text = of[at[first]]
    score = np.add.reduceat(said, first) / size
    score = np.where(np.isnan(stars[text]), score, (score + stars[text]) / 2)
    telling = told[at[_strongest(said * np.repeat(np.where(score > 0, 1, -1), size), first, size)]]
    found: list[list[Opinion]] = [[] for _ in stars]
    rows = zip(text.tolist(), theme[first].tolist(), score.tolist(), telling.tolist(), strict=True)
    for whose, number, value, quoted in rows:
        found[whose].append(Opinion(_NAMES[number], label_of(value), round(value, 3), words.quoted(quoted)))
    return found


def _strongest(values: Floats, first: Ints, size: Ints) -> Ints:
    """The place of the greatest of each part, the first of equals."""
    greatest = np.flatnonzero(values == np.repeat(np.maximum.reduceat(values, first), size))
    return greatest[heads(np.repeat(np.arange(len(first)), size)[greatest])]


SHIPPED = Vocabulary()
