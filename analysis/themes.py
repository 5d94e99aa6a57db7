"""What a text is about: a curated lexicon, met on lemmas, sentence by sentence."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from analysis.sentiment import Heard, Label, label_of
from analysis.words import folded, lemmas, shortened, without_turn

THEMES = (
    "product", "service", "price", "waiting", "cleanliness", "ambience", "location", "communication", "aftercare",
    "trust",
)  # fmt: skip
GENERAL = "general"
_LONGEST = 4


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a text says of one theme, with the customer's own words."""

    theme: str
    label: Label
    score: float
    quote: str


def opinions(heard: tuple[Heard, ...], language: str, stars: float | None) -> tuple[Opinion, ...]:
    """One opinion for each theme that the sentences name; `general` when none does.

    `stars` (-1 to 1), where the customer gave a rating, weighs as much as the words.
    """
    said: dict[str, list[Heard]] = {}
    for sentence in heard:
        for theme in named(sentence.text, language):
            said.setdefault(theme, []).append(sentence)
    if not said and heard:
        said[GENERAL] = list(heard)
    return tuple(_opinion(theme, said[theme], stars) for theme in (*THEMES, GENERAL) if theme in said)


def named(sentence: str, language: str) -> set[str]:
    """The themes that a sentence names."""
    lexicon, begins_longer = _lexicon(language)
    words = lemmas(sentence, language)
    found = {lexicon[word] for word in words if word in lexicon}
    for start, word in enumerate(words):
        if word in begins_longer:
            expressions = (" ".join(words[start:stop]) for stop in range(start + 2, start + _LONGEST + 1))
            found |= {lexicon[one] for one in expressions if one in lexicon}
    return found


def _opinion(theme: str, sentences: list[Heard], stars: float | None) -> Opinion:
    score = sum(one.score for one in sentences) / len(sentences)
    if stars is not None:
        score = (score + stars) / 2
    telling = max(sentences, key=lambda one: one.score if score > 0 else -one.score)
    label = telling.label if len(sentences) == 1 and stars is None else label_of(score)
    return Opinion(theme, label, round(score, 3), shortened(without_turn(telling.text)))


@lru_cache(maxsize=4)
def _lexicon(language: str) -> tuple[dict[str, str], frozenset[str]]:
    """Word or expression → theme, each as the lemmas that a sentence is read as; and how longer expressions begin."""
    text = files("analysis").joinpath("lexicons", f"themes_{language}.toml").read_text(encoding="utf-8")
    lexicon = {}
    for theme, entries in tomllib.loads(text).items():
        for entry in entries.split():
            lexicon[" ".join(lemmas(entry.replace("-", " "), language))] = theme
            lexicon.setdefault(folded(entry), theme)
    return lexicon, frozenset(entry.partition(" ")[0] for entry in lexicon if " " in entry)
