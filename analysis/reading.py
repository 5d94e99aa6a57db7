"""Mentions, read: language, sentiment, themes. Pure; a batch at a time, as the model likes it best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from analysis import language, sentiment, themes
from analysis.lexicon import Because
from analysis.sentiment import EngineName, Heard, Label
from analysis.themes import Opinion
from analysis.words import clauses

ANALYSER = "learned-1"
SURE = 0.5  # below this confidence a mention without stars is to be checked, and alerts nobody by itself
_MIXED = 0.3
_MOST_CLAUSES = 60


class Asked(NamedTuple):
    """What is to be read. `hint` is the source's word on the language, `default` the firm's own."""

    text: str
    title: str | None = None
    hint: str | None = None
    rating: float | None = None
    default: str = "fr"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mention says. `score` is between -1 and 1, `confidence` between 0 and 1.

    A text in neither French nor English has the language `other` and says nothing but by its rating.
    """

    language: str
    label: Label
    score: float
    confidence: float
    mixed: bool
    themes: tuple[Opinion, ...]
    because: Because


def read(
    text: str, *, title: str | None = None, hint: str | None = None, rating: float | None = None, default: str = "fr"
) -> Reading:
    """One text: `read_all` of it alone."""
    return read_all([Asked(text, title, hint, rating, default)])[0]


def read_all(asked: Sequence[Asked], engine: EngineName = "learned") -> list[Reading]:
    """Read texts, in order. A `rating` (on five), where the customer gave one, decides the label; the words remain."""
    wholes = [_whole(one) for one in asked]
    spoken = [
        language.detect(whole, one.hint, "en" if one.default == "en" else "fr")
        for whole, one in zip(wholes, asked, strict=True)
    ]
    parts = [clauses(whole)[:_MOST_CLAUSES] for whole in wholes]
    readings: dict[int, Reading] = {}
    for tongue in set(spoken):
        ours = [at for at, one in enumerate(spoken) if one == tongue]
        heard = _heard([[wholes[at], *parts[at]] for at in ours], tongue, engine)
        readings |= {at: _reading(asked[at], tongue, said) for at, said in zip(ours, heard, strict=True)}
    return [readings[at] for at in range(len(asked))]


def label_of_rating(rating: float) -> Label:
    """Two stars and fewer complain, four and more praise."""
    return "negative" if rating <= 2.25 else "positive" if rating >= 3.75 else "neutral"


def _whole(asked: Asked) -> str:
    if asked.title and asked.title not in asked.text:
        return f"{asked.title.rstrip('.!?… ')}.\n{asked.text}"
    return asked.text


def _heard(texts: Sequence[Sequence[str]], tongue: str, engine: EngineName) -> list[list[Heard]]:
    """Every piece of every text judged in one call; a text of a single clause is judged once."""
    if tongue == language.OTHER:
        return [[Heard(pieces[0], "neutral", 0.0, 0.0, ())] for pieces in texts]
    flat = [(piece, at == 0) for pieces in texts for at, piece in enumerate(pieces if len(pieces) > 2 else pieces[:1])]
    judged = iter(sentiment.engine_for(tongue, engine).judge([one for one, _ in flat], [whole for _, whole in flat]))
    heard = []
    for pieces in texts:
        whole = next(judged)
        heard.append([whole, *([next(judged) for _ in pieces[1:]] if len(pieces) > 2 else [whole])])
    return heard


def _reading(asked: Asked, tongue: str, heard: Sequence[Heard]) -> Reading:
    whole, said = heard[0], tuple(heard[1:]) if heard[0].text.strip() else ()
    stars = None if asked.rating is None else max(-1.0, (asked.rating - 3) / 2)
    opinions = themes.opinions(said, tongue, stars)
    scores = [one.score for one in said] or [0.0]
    mixed = max(scores) >= _MIXED and min(scores) <= -_MIXED
    if asked.rating is None or stars is None:
        return Reading(tongue, whole.label, whole.score, whole.confidence, mixed, opinions, whole.because[:8])
    score = round(0.7 * stars + 0.3 * whole.score, 3) if said else stars
    because = ((f"{asked.rating:g}/5", round(stars, 2)), *whole.because)
    return Reading(tongue, label_of_rating(asked.rating), score, 0.95, mixed, opinions, because[:8])
