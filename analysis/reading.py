"""Mentions, read: language, sentiment, themes. Pure; a batch at a time, as the model likes it best."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from analysis import language, sentiment
from analysis.columns import Ints, heads, present
from analysis.lexicon import Because
from analysis.sentiment import Label, label_of
from analysis.themes import GENERAL, SHIPPED, Opinion, Vocabulary, opinions
from analysis.tokens import MOST_TEXT, Tokens, cut
from analysis.wishes import Wish, each_once, wishes
from analysis.words import shortened

ANALYSER = "learned-11"
_MIXED = 0.3
_SURELY = 0.8
_MOST_BECAUSE = 8
_MOST_CLAUSES = 60
_LOT = 500_000  # characters that are read together


class Asked(NamedTuple):
    """What is to be read. `hint` is the source's word on the language, `default` the firm's own; `trade` its trade."""

    text: str
    title: str | None = None
    hint: str | None = None
    rating: float | None = None
    default: str = "fr"
    trade: str | None = None


class Reading(NamedTuple):
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


def read_all(asked: Sequence[Asked], engine: str = "learned", vocabulary: Vocabulary = SHIPPED) -> list[Reading]:
    """Read texts, in order. A `rating` (on five), where the customer gave one, decides the label; the words remain."""
    return [read for lot in _lots(asked) for read in _read_lot(lot, engine, vocabulary)]


def _lots(asked: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    """So many texts that arrays earn their keep, and not so many that memory is felt."""
    number = np.cumsum([min(len(one.text), MOST_TEXT) for one in asked]) // _LOT
    for first, last in pairwise([0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(asked)]):
        yield asked[first:last]


def _read_lot(asked: Sequence[Asked], engine: str, vocabulary: Vocabulary) -> list[Reading]:
    tokens = cut([_whole(one) for one in asked])
    spoken = language.spoken(
        tokens, [one.hint for one in asked], ["en" if one.default == "en" else "fr" for one in asked]
    )
    readings: dict[int, Reading] = {}
    for tongue in set(spoken):
        ours = [at for at, one in enumerate(spoken) if one == tongue]
        theirs = tokens.only(np.array([one == tongue for one in spoken]))
        read = _unread if tongue == language.OTHER else _read
        readings |= zip(ours, read(theirs, [asked[at] for at in ours], tongue, engine, vocabulary), strict=True)
    return [readings[at] for at in range(len(asked))]


def label_of_rating(rating: float) -> Label:
    """Two stars and fewer complain, four and more praise."""
    return "negative" if rating <= 2.25 else "positive" if rating >= 3.75 else "neutral"


def _whole(asked: Asked) -> str:
    if asked.title and asked.title not in asked.text:
        return f"{asked.title.rstrip('.!?… ')}.\n{asked.text}"
    return asked.text


def _read(
    tokens: Tokens, asked: Sequence[Asked], tongue: str, engine: str, vocabulary: Vocabulary
) -> Iterator[Reading]:
    """Texts of one language."""
    texts, scores = sentiment.engine_for(tongue, engine).hear(tokens)
    named = _named(tokens, [one.trade for one in asked], tongue, vocabulary)
    clauses, told = tokens.clauses(), _told(tokens)
    of = tokens.clause_text[told]
    wished: list[list[Wish]] = [[] for _ in asked]
    for at, made in wishes(tokens, clauses, told, tongue).items():
        wished[tokens.clause_text[at]] += made
        scores[at] = _asked_for(scores[at])
    stars = np.array([_on_scale(one.rating) for one in asked], np.float64)
    said = scores[told]
    mixed = present(of[said >= _MIXED], len(texts)) & present(of[said <= -_MIXED], len(texts))
    every = opinions(told, of, scores, named, clauses, stars)
    for one, whole, themes, made, is_mixed in zip(asked, texts, every, wished, mixed.tolist(), strict=True):
        by_words = Reading(
            tongue, whole.label, whole.score, whole.confidence, is_mixed, tuple(themes), whole.because[:_MOST_BECAUSE],
            each_once(made),
        )  # fmt: skip
        yield _by_stars(by_words, one.rating, bool(themes))


def _told(tokens: Tokens) -> Ints:
    """The clauses that are read one by one: the first sixty of each text, those without a word excepted."""
    every = np.arange(len(tokens.clause_text))
    in_text = every - heads(tokens.clause_text)[tokens.clause_text]
    return every[(in_text < _MOST_CLAUSES) & ~tokens.blank]


def _asked_for(score: float) -> float:
    """What is asked for is no complaint, unless it is told as one."""
    return score if abs(score) >= _MIXED else 0.0


def _unread(tokens: Tokens, asked: Sequence[Asked], tongue: str, *_: object) -> Iterator[Reading]:
    """Texts that are in neither language, of which only the stars speak."""
    for one, text in zip(asked, tokens.texts, strict=True):
        stars, has_words = _on_scale(one.rating), bool(text.strip())
        told = (
            (Opinion(GENERAL, label_of(stars / 2), round(stars / 2, 3), shortened(text)),)
            if stars is not None and has_words
            else ()
        )
        yield _by_stars(Reading(tongue, "neutral", 0.0, 0.0, False, told, ()), one.rating, has_words)


def _named(tokens: Tokens, trades: Sequence[str | None], tongue: str, vocabulary: Vocabulary) -> Ints:
    """The themes of each clause, as flags, in the words of each text's trade."""
    if len(set(trades)) == 1:
        return vocabulary.of(tongue, trades[0]).named(tokens)
    named = np.zeros(len(tokens.clause_text), np.int64)
    for trade in set(trades):
        theirs = np.array([one == trade for one in trades])
        named[theirs[tokens.clause_text]] = vocabulary.of(tongue, trade).named(tokens.only(theirs))
    return named


def _on_scale(rating: float | None) -> float | None:
    """Stars between -1 and 1."""
    return None if rating is None else max(-1.0, (rating - 3) / 2)


def _by_stars(by_words: Reading, rating: float | None, has_words: bool) -> Reading:
    stars = _on_scale(rating)
    if rating is None or stars is None:
        return by_words
    label = label_of_rating(rating)
    return by_words._replace(
        label=label,
        score=round(0.7 * stars + 0.3 * by_words.score, 3) if has_words else stars,
        confidence=0.95,
        because=((f"{rating:g}/5", round(stars, 2)), *by_words.because)[:_MOST_BECAUSE],
        contradicts={label, by_words.label} == {"positive", "negative"} and by_words.confidence >= _SURELY,
    )
