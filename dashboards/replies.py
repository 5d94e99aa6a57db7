"""Drafts of replies to reviews, written offline from theme × polarity × stars; a person reads, changes and publishes.

A draft quotes the customer's own point, thanks or regrets, and says where to continue. It never confirms that the
author is a customer or patient, never promises, offers or accuses, and holds no personal datum: `faults` finds what
breaks these rules, in drafts and in what people write themselves.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from analysis.words import folded

_LEAST_QUOTE, _LONGEST_QUOTE = 3, 140  # words; characters
_SURE = 0.6  # below, words without stars may have been misread
_LANGUAGES = ("fr", "en")
_EMAIL = re.compile(r"[^\s@]@[^\s@.]{1,63}\.\w")
_TELEPHONE = re.compile(r"(?:\+|00)?\d(?:[ .\-]?\d){7,}")
_HONORIFIC = re.compile(r"\b(?:m\.|mr\.?|mme|mlle|mrs|ms|monsieur|madame|docteur|dr)\s+[A-ZÀ-Ý]\w+", re.IGNORECASE)
_NAME_INSIDE = re.compile(r"(?<=[\w,;:’')] )[A-ZÀ-Ý]\w+")


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply to read, change and publish; `quote` and `theme` are what it stands on."""

    text: str
    theme: str | None
    quote: str | None


def draft(mention: Mapping[str, Any], rank: int = 0) -> Draft:
    """A reply in the customer's language. `rank` counts the earlier mentions alike: each gets the next wording."""
    language = mention["language"] if mention["language"] in _LANGUAGES else "fr"
    wordings = _wordings(language)
    tone = _tone(mention)
    point = _point(mention, tone)
    theme = point["theme"] if point else None
    quote = _quotable(point["quote"]) if point else None
    opening = _turn(wordings["opening"][tone], rank)
    # Each sentence turns at its own pace, so that a whole reply comes back late.
    heart = _turn(wordings["theme"].get(theme or "", wordings["theme"]["general"])[tone], rank // 2)
    said = wordings["quote"][tone].format(quote=quote) if quote else None
    closing = _turn(wordings["closing"][tone], rank // 3)
    body = " ".join(part for part in (opening, said, heart, closing) if part)
    return Draft(f"{wordings['hello']}\n\n{body}\n\n{wordings['signature']}", theme, quote)


def faults(text: str) -> list[str]:
    """The rules that a reply breaks, each once: promise, incentive, customer, personal, blame, health."""
    found = [name for name, pattern in _forbidden().items() if pattern.search(folded(text))]
    if _EMAIL.search(text) or _TELEPHONE.search(text) or _HONORIFIC.search(text):
        found.append("personal")
    return found


def _tone(mention: Mapping[str, Any]) -> str:
    """Stars say it where they stand, and five or one of them alone; words that contradict them, that say both or that
    may have been misread ask for the tone between."""
    rating = mention["rating"]
    if mention["contradicts"] or (rating is None and mention["confidence"] < _SURE):
        return "mixed"
    if rating is not None and (rating <= 1.5 or rating == 5 or not (mention["mixed"] or 2.5 <= rating < 4)):
        return "positive" if rating >= 4 else "negative"
    if rating is not None or mention["mixed"]:
        return "mixed"
    return {"positive": "positive", "negative": "negative"}.get(mention["label"], "mixed")


def _point(mention: Mapping[str, Any], tone: str) -> Mapping[str, Any] | None:
    """The opinion to answer: for unhappy and mixed texts what hurts most, else what pleased most."""
    themes: Sequence[Mapping[str, Any]] = mention["themes"]
    if not themes:
        return None
    worst, best = min(themes, key=lambda one: one["score"]), max(themes, key=lambda one: one["score"])
    chosen = best if tone == "positive" else worst
    agrees = chosen["label"] == "positive" if tone == "positive" else chosen["label"] == "negative"
    return chosen if agrees else None


def _quotable(quote: str) -> str | None:
    """The customer's words, short, without a name, a number to call, or what the rules forbid."""
    words = " ".join(quote.split()).strip(' .,;:!?…–-«»"')
    if len(words.split()) < _LEAST_QUOTE or len(words) > _LONGEST_QUOTE or _NAME_INSIDE.search(words) or faults(words):
        return None
    return words


def _turn(wordings: Sequence[str], rank: int) -> str:
    return wordings[rank % len(wordings)]


@lru_cache(maxsize=4)
def _wordings(language: str) -> dict[str, Any]:
    return _texts(f"replies_{language}.toml")


@lru_cache(maxsize=1)
def _forbidden() -> dict[str, re.Pattern[str]]:
    return {
        name: re.compile("|".join(rf"\b{phrase}" for phrase in phrases))
        for name, phrases in _texts("replies_forbidden.toml").items()
    }


def _texts(name: str) -> dict[str, Any]:
    return tomllib.loads(files("dashboards").joinpath("texts", name).read_text(encoding="utf-8"))
