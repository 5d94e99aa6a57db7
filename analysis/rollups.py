"""Daily sums per company × source × theme, and what one mention contributes to them. Pure.

Everything is a whole number: sums that are added to and taken from for years must equal a recount, to the last digit.
"""

import operator
from collections.abc import Mapping
from typing import Any, NamedTuple

ALL = ""  # the theme under which each mention counts once


class Key(NamedTuple):
    """One row: sorted, keys are written in the same order by everybody, so that writers cannot lock each other out."""

    company_id: str
    day: str
    source_id: str
    theme: str


class Sums(NamedTuple):
    """Counts; hundredths of a star, their squares; thousandths of a score."""

    mentions: int = 0
    negative: int = 0
    neutral: int = 0
    positive: int = 0
    rated: int = 0
    rating_sum: int = 0
    rating_squares: int = 0
    score_sum: int = 0

    def plus(self, other: "Sums") -> "Sums":
        return Sums(*map(operator.add, self, other))

    def minus(self, other: "Sums") -> "Sums":
        return Sums(*map(operator.sub, self, other))


Delta = dict[Key, Sums]


def counts(mention: Mapping[str, Any]) -> bool:
    """Whether a stored mention counts: neither set aside nor apart (unverified, unconfirmed, a note, a copy)."""
    return mention["status"] != "aside" and mention["apart"] is None


def contribution(mention: Mapping[str, Any]) -> Delta:
    """What a stored mention adds, if it counts."""
    if not counts(mention):
        return {}
    company_id, day, source_id = mention["company_id"], mention["day"], mention["source_id"]
    rows = {Key(company_id, day, source_id, ALL): _sums(mention["label"], mention["score"], mention["rating"])}
    for theme in mention["themes"]:
        rows[Key(company_id, day, source_id, theme["theme"])] = _sums(theme["label"], theme["score"], mention["rating"])
    return rows


def add(delta: Delta, rows: Delta) -> None:
    """Add `rows` to `delta`, in place."""
    for key, sums in rows.items():
        delta[key] = delta.get(key, Sums()).plus(sums)


def subtract(delta: Delta, rows: Delta) -> None:
    """Take `rows` from `delta`, in place."""
    for key, sums in rows.items():
        delta[key] = delta.get(key, Sums()).minus(sums)


def _sums(label: str, score: float, rating: float | None) -> Sums:
    hundredths = None if rating is None else round(rating * 100)
    return Sums(
        mentions=1,
        negative=int(label == "negative"),
        neutral=int(label == "neutral"),
        positive=int(label == "positive"),
        rated=int(hundredths is not None),
        rating_sum=hundredths or 0,
        rating_squares=(hundredths or 0) ** 2,
        score_sum=round(score * 1000),
    )
