"""The same words heard twice: one review through mail, API and export; one story in many papers. Pure.

A review counts once, in its fuller edition; a story counts once, where it was heard first. Both stay shown.
Two rated reviews of one source are never the same.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from rapidfuzz import fuzz

from analysis.words import folded

Row = dict[str, Any]

REVIEW_DAYS, STORY_DAYS = 2, 7
_SHORTEST_STORY, _COMPARED = 40, 600  # letters
_ALIKE = 88  # of 100, by rapidfuzz's token_set_ratio


def may_be_copy(row: Row) -> bool:
    """Whether it is worth comparing: of a platform that several channels bring, or of a search or the press."""
    return row["platform"] is not None or row["relevance"] is not None


def twin(row: Row, others: Iterable[Row]) -> Row | None:
    """The mention among `others` that says the same as `row`, if any."""
    return next((one for one in others if one["id"] != row["id"] and _is_same(row, one)), None)


def is_fuller(row: Row, known: Row) -> bool:
    """Whether `row` is the edition to count. Among stories the first heard stays."""
    if row["relevance"] is not None:
        return False
    return (len(row["text"]), row["author"] is not None) > (len(known["text"]), known["author"] is not None)


def _is_same(row: Row, one: Row) -> bool:
    return _same_review(row, one) or _same_story(row, one)


def _same_review(row: Row, one: Row) -> bool:
    """Same platform, rating and author, at most two days apart, one text a beginning of the other (design, 5)."""
    if row["platform"] is None or row["platform"] != one["platform"] or row["source_id"] == one["source_id"]:
        return False
    if row["rating"] != one["rating"] or _author(row) != _author(one) or not _author(row):
        return False
    if abs(row["published_at"] - one["published_at"]) > timedelta(days=REVIEW_DAYS):
        return False
    shorter, longer = sorted((_said(row), _said(one)), key=len)
    return longer.startswith(shorter)


def _same_story(row: Row, one: Row) -> bool:
    if row["relevance"] is None or one["relevance"] is None or row["rating"] is not None or one["rating"] is not None:
        return False
    if row["url"] is not None and row["url"] == one["url"] and row["source_id"] == one["source_id"]:
        return False
    if abs(row["published_at"] - one["published_at"]) > timedelta(days=STORY_DAYS):
        return False
    here, there = _story(row), _story(one)
    if min(len(here), len(there)) < _SHORTEST_STORY:
        return here == there and bool(here)
    return fuzz.token_set_ratio(here, there) >= _ALIKE and min(len(here), len(there)) * 4 > max(len(here), len(there))


def _author(row: Row) -> str:
    """ "Sandrine M." and "Sandrine Martin" stay two people; spaces, capitals and accents do not matter."""
    return " ".join(folded(row["author"] or "").replace(".", " ").split())


def _said(row: Row) -> str:
    """Title and text, without the "…" of an excerpt."""
    whole = " ".join(folded(f"{row['title'] or ''} {row['text']}").split())
    return re.sub(r"\s?(?:…|\.{3})\s?(?:more|plus|lire la suite)?$", "", whole)


def _story(row: Row) -> str:
    return " ".join(re.findall(r"\w+", folded(f"{row['title'] or ''} {row['text']}")[:_COMPARED]))
