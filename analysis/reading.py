"""Mentions, read: language, sentiment, themes. Pure; a batch at a time, as the model likes it best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from analysis import language, sentiment
from analysis.lexicon import Because
from analysis.sentiment import EngineName, Heard, Label
from analysis.themes import SHIPPED, Opinion, Vocabulary
from analysis.wishes import Wish, wishes
from analysis.words import clauses

ANALYSER = "learned-3"
_MIXED = 0.3
_SURELY = 0.8
_MOST_BECAUSE = 8
_MOST_CLAUSES = 60


class Asked(NamedTuple):
    """What is to be read. `hint` is the source's word on the language, `default` the firm's own; `trade` its trade."""

    text: str
    title: str | None = None
    hint: str | None = None
    rating: float | None = None
    default: str = "fr"
    trade: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mention says. `score` is between -1 and 1, `confidence` between 0 and 1.

    A text in neither French nor English has the language `other` and says nothing but by its rating. `contradicts`:
    the words are surely happy where the stars are unhappy, or the other way round.
    """

    language: str
    label: Label
    score: float
    confidence: float
    mixed: bool
    themes: tuple[Opinion, ...]
    because: Because
    wishes: tuple[Wish, ...] = ()
    contradicts: bool = False


def read(
    text: str, *, title: str | None = None, hint: str | None = None, rating: float | None = None, default: str = "fr"
) -> Reading:
    """One text: `read_all` of it alone."""
    return read_all([Asked(text, title, hint, rating, default)])[0]


def read_all(asked: Sequence[Asked], engine: EngineName = "learned", vocabulary: Vocabulary = SHIPPED) -> list[Reading]:
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
        readings |= {at: _reading(asked[at], tongue, said, vocabulary) for at, said in zip(ours, heard, strict=True)}
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


def _reading(asked: Asked, tongue: str, heard: Sequence[Heard], vocabulary: Vocabulary) -> Reading:
    whole, said = heard[0], tuple(heard[1:]) if heard[0].text.strip() else ()
    stars = None if asked.rating is None else max(-1.0, (asked.rating - 3) / 2)
    scores = [one.score for one in said] or [0.0]
    by_words = Reading(
        language=tongue,
        label=whole.label,
        score=whole.score,
        confidence=whole.confidence,
        mixed=max(scores) >= _MIXED and min(scores) <= -_MIXED,
        themes=vocabulary.opinions(said, tongue, stars, asked.trade),
        because=whole.because[:_MOST_BECAUSE],
        wishes=wishes([one.text for one in said], tongue) if tongue != language.OTHER else (),
    )
    return by_words if asked.rating is None or stars is None else _by_stars(by_words, asked.rating, stars, bool(said))


def _by_stars(by_words: Reading, rating: float, stars: float, has_words: bool) -> Reading:
    label = label_of_rating(rating)
    return replace(
        by_words,
        label=label,
        score=round(0.7 * stars + 0.3 * by_words.score, 3) if has_words else stars,
        confidence=0.95,
        because=((f"{rating:g}/5", round(stars, 2)), *by_words.because)[:_MOST_BECAUSE],
        contradicts={label, by_words.label} == {"positive", "negative"} and by_words.confidence >= _SURELY,
    )
