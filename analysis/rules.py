"""Rules that a firm writes for itself: which mentions deserve an alert. Pure.

A rule is a set of conditions that all must hold: location, source, theme, sentiment, `rating_at_most`, and a `keyword`
expression such as `attente et (froid ou tiède) sauf "plat froid"`, on lemmas, without regard to accents.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from analysis.words import asked_forms, forms, plain
from vigie.errors import InvalidInputError

# What every firm has, and may switch off.
SWITCHES = ("negative_mention", "unusual_volume", "sentiment_drop", "source_failing")
# What it may switch on besides.
ADVANCED = ("unanswered", "new_subject")
EVERY = (*SWITCHES, *ADVANCED)
OWN = "mention"  # the kind of a rule that a firm wrote
_PREFIX = "rule:"
_MOST = 20  # words and signs of an expression
_TOKEN = re.compile(r'"[^"]*"|[()]|[^\s()"]+')
_AND, _OR, _NOT = {"and", "et"}, {"or", "ou"}, {"not", "sauf", "pas"}

Test = Callable[["_Text"], bool]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a mention must be; None for whatever."""

    location_id: str | None = None
    source_id: str | None = None
    theme: str | None = None
    sentiment: str | None = None
    rating_at_most: float | None = None
    keyword: str | None = None


@dataclass(frozen=True, slots=True)
class _Text:
    words: frozenset[str]
    joined: str


def conditions(given: Mapping[str, Any]) -> Conditions:
    """The conditions of a stored or sent rule. Raises `InvalidInputError` where there is none, or an unusable one."""
    found = Conditions(**{name: value for name, value in given.items() if value is not None})
    if found == Conditions():
        raise InvalidInputError("a rule needs a condition: otherwise every mention would alert")
    if found.keyword is not None:
        expression(found.keyword)
    return found


def matches(wanted: Conditions, mention: Mapping[str, Any]) -> bool:
    """Whether a stored mention fulfils every condition."""
    if wanted.location_id is not None and mention["location_id"] != wanted.location_id:
        return False
    if wanted.source_id is not None and mention["source_id"] != wanted.source_id:
        return False
    if wanted.sentiment is not None and mention["label"] != wanted.sentiment:
        return False
    if wanted.rating_at_most is not None and (mention["rating"] is None or mention["rating"] > wanted.rating_at_most):
        return False
    if wanted.theme is not None and not _speaks_of(mention["themes"], wanted):
        return False
    return wanted.keyword is None or expression(wanted.keyword)(_text(mention))


def switched_on(said: Mapping[str, bool]) -> set[str]:
    """Which switches are on, after what a firm has said of some of them."""
    return {kind for kind in EVERY if said.get(kind, kind in SWITCHES)}


def alert_name(rule: Mapping[str, Any]) -> str:
    """The name under which a rule, or a switch, raises its alerts."""
    return alert_rule(rule["id"]) if rule["kind"] == OWN else str(rule["kind"])


def alert_rule(rule_id: str) -> str:
    """The name under which a firm's own rule raises its alerts."""
    return _PREFIX + rule_id


@lru_cache(maxsize=1_000)
def expression(written: str) -> Test:
    """A keyword expression as a test of texts. Words side by side must all be there. Raises `InvalidInputError`."""
    tokens = _TOKEN.findall(written)
    if not tokens or len(tokens) > _MOST:
        raise InvalidInputError(f"a keyword expression has between one word and {_MOST}")
    test, rest = _either(tokens)
    if rest:
        raise InvalidInputError(f"{rest[0]!r} has no place in {written!r}")
    return test


def _either(tokens: Sequence[str]) -> tuple[Test, Sequence[str]]:
    test, rest = _all(tokens)
    while rest and rest[0].lower() in _OR:
        other, rest = _all(rest[1:])
        test = _any_of(test, other)
    return test, rest


def _all(tokens: Sequence[str]) -> tuple[Test, Sequence[str]]:
    test, rest = _one(tokens)
    while rest and rest[0] != ")" and rest[0].lower() not in _OR:
        other, rest = _one(rest[1:] if rest[0].lower() in _AND else rest)
        test = _both(test, other)
    return test, rest


def _one(tokens: Sequence[str]) -> tuple[Test, Sequence[str]]:
    if not tokens or tokens[0] == ")" or tokens[0].lower() in _AND | _OR:
        raise InvalidInputError("the keyword expression lacks a word")
    first, rest = tokens[0], tokens[1:]
    if first.lower() in _NOT:
        test, rest = _one(rest)
        return (lambda text: not test(text)), rest
    if first == "(":
        test, rest = _either(rest)
        if not rest or rest[0] != ")":
            raise InvalidInputError("a parenthesis is not closed")
        return test, rest[1:]
    return _word(first), rest


def _word(token: str) -> Test:
    if token.startswith('"'):
        phrase = f" {plain(token)} "
        if not phrase.strip():
            raise InvalidInputError("the keyword expression lacks a word")
        return lambda text: phrase in text.joined
    wanted = asked_forms(token)
    return lambda text: not wanted.isdisjoint(text.words)


def _both(one: Test, other: Test) -> Test:
    return lambda text: one(text) and other(text)


def _any_of(one: Test, other: Test) -> Test:
    return lambda text: one(text) or other(text)


def _speaks_of(themes: Sequence[Mapping[str, Any]], wanted: Conditions) -> bool:
    """Of the theme; where a sentiment is asked for too, in that way."""
    return any(
        one["theme"] == wanted.theme and (wanted.sentiment is None or one["label"] == wanted.sentiment)
        for one in themes
    )


def _text(mention: Mapping[str, Any]) -> _Text:
    said = f"{mention['title'] or ''} {mention['text'] or ''}"
    return _Text(frozenset(forms(said, "en" if mention["language"] == "en" else "fr")), f" {plain(said)} ")
