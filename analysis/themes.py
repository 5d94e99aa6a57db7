"""What a text is about: a curated vocabulary, met on lemmas, sentence by sentence.

Every trade shares `lexicons/themes_*.toml`; `lexicons/trades` adds what one trade hears; a firm's host may add files of
the same names in a folder of its own, whose words come before ours.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from analysis.sentiment import Heard, Label, label_of
from analysis.words import folded, lemmas, shortened, without_turn
from vigie.errors import InvalidInputError

THEMES = (
    "product", "service", "price", "waiting", "cleanliness", "ambience", "location", "communication", "aftercare",
    "trust",
)  # fmt: skip
GENERAL = "general"
# Trades that have words of their own, by the beginning of the NAF code; the longest beginning counts.
TRADES = {
    "56": "restaurant", "55": "hotel", "45": "garage", "96.02": "hairdresser", "96.04": "hairdresser", "47": "shop",
    "47.91": "online_shop", "41": "craftsman", "42": "craftsman", "43": "craftsman", "25": "craftsman",
    "31": "craftsman", "81": "craftsman", "86": "medical", "75": "medical", "10.71": "shop", "95": "garage",
}  # fmt: skip
_LONGEST = 4


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a text says of one theme, with the customer's own words."""

    theme: str
    label: Label
    score: float
    quote: str


def trade_of(sector: str | None) -> str | None:
    """The trade of a firm by its NAF code; None for one that has no words of its own."""
    code = sector or ""
    return next((TRADES[code[:size]] for size in (5, 4, 2) if code[:size] in TRADES), None)


class Vocabulary:
    """Words and expressions → themes; `folder` holds files that a firm's host wrote, if any.

    Raises `InvalidInputError` for a file there that is none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._read: dict[tuple[str, str | None], tuple[dict[str, str], frozenset[str]]] = {}
        if folder:  # a file that cannot be read is told at the start, not at the first review of its trade
            for language, trade in product(("fr", "en"), sorted(set(TRADES.values()))):
                self._of(language, trade)

    def opinions(
        self, heard: tuple[Heard, ...], language: str, stars: float | None, trade: str | None = None
    ) -> tuple[Opinion, ...]:
        """One opinion for each theme that the sentences name; `general` when none does.

        `stars` (-1 to 1), where the customer gave a rating, weighs as much as the words.
        """
        said: dict[str, list[Heard]] = {}
        for sentence in heard:
            for theme in self.named(sentence.text, language, trade):
                said.setdefault(theme, []).append(sentence)
        if not said and heard:
            said[GENERAL] = list(heard)
        return tuple(_opinion(theme, said[theme], stars) for theme in (*THEMES, GENERAL) if theme in said)

    def named(self, sentence: str, language: str, trade: str | None = None) -> set[str]:
        """The themes that a sentence names."""
        lexicon, begins_longer = self._of(language, trade)
        words = lemmas(sentence, language)
        found = {lexicon[word] for word in words if word in lexicon}
        for start, word in enumerate(words):
            if word in begins_longer:
                expressions = (" ".join(words[start:stop]) for stop in range(start + 2, start + _LONGEST + 1))
                found |= {lexicon[one] for one in expressions if one in lexicon}
        return found

    def _of(self, language: str, trade: str | None) -> tuple[dict[str, str], frozenset[str]]:
        """Each word as the lemmas that a sentence is read as; and how longer expressions begin."""
        known = self._read.get((language, trade))
        if known is None:
            lexicon = {}
            for entries in self._entries(language, trade):
                for theme, words in entries.items():
                    if theme not in THEMES:
                        raise InvalidInputError(f"{theme!r} is no theme: {', '.join(THEMES)}")
                    for entry in words.split():
                        lexicon[" ".join(lemmas(entry.replace("-", " "), language))] = theme
                        lexicon.setdefault(folded(entry), theme)
            known = lexicon, frozenset(entry.partition(" ")[0] for entry in lexicon if " " in entry)
            self._read[language, trade] = known
        return known

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


def _opinion(theme: str, sentences: list[Heard], stars: float | None) -> Opinion:
    score = sum(one.score for one in sentences) / len(sentences)
    if stars is not None:
        score = (score + stars) / 2
    telling = max(sentences, key=lambda one: one.score if score > 0 else -one.score)
    label = telling.label if len(sentences) == 1 and stars is None else label_of(score)
    return Opinion(theme, label, round(score, 3), shortened(without_turn(telling.text)))


SHIPPED = Vocabulary()
