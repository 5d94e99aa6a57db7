"""A rating as it was given, brought to five: 5 × given / best, never shifted ("8,5" of 10 is 4.25)."""

import math
import re

_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_FRACTION = re.compile(r"^\s*(\d{1,3}(?:[.,]\d{1,4})?)\s*(?:/|sur|out of)\s*(\d{1,3}(?:[.,]\d{1,4})?)\s*$", re.I)
_STARS = re.compile(r"^\s*([★⭐]+)(½?)[☆✩]*\s*$")
# "5 étoiles", "Note : 4/5", "Rated 4.0 out of 5 stars": what stands beside the numbers.
_BESIDE = re.compile(r"\b(?:rated|rating|note|score|stars?|[ée]toiles?)\b|[:★⭐]", re.I)
# What exports write where nobody gave a rating.
_NO_RATINGS = frozenset(
    ("n/a", "na", "n.a.", "nc", "n.c.", "nr", "#n/a", "null", "none", "-", "–", "—", "/", "?", ".", "\\n",
     "aucune", "sans note", "non noté", "not rated", "no rating")
)  # fmt: skip


def on_five(given: object, best: float = 5.0, worst: float | None = None) -> float | None:
    """The rating on five, to the hundredth; None when nothing was given, or a sign for that ("N/A", "-").

    Reads numbers, "8,5", "8,5/10", "4 sur 5 étoiles", "★★★☆☆" and Google's "FOUR". Raises ValueError for anything else
    and for what is out of range (below `worst`, above `best`).
    """
    if given is None or (isinstance(given, str) and is_no_rating(given)):
        return None
    value, best = _read(given, best)
    if not (math.isfinite(value) and math.isfinite(best) and best > 0):
        raise ValueError("the rating is not a number")
    if value < (worst or 0) or value > best:
        raise ValueError(f"the rating {value:g} is not between {worst or 0:g} and {best:g}")
    return round(5 * value / best, 2)


def is_no_rating(cell: str) -> bool:
    """Whether a cell is empty or holds a sign for "no rating"."""
    return not cell.strip() or cell.strip().lower() in _NO_RATINGS


def _read(given: object, best: float) -> tuple[float, float]:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise ValueError("the rating is not a number")
    if not isinstance(given, str):
        return float(given), best
    if len(given) > 64:
        raise ValueError("the rating is not a number")
    given = given.replace("\ufe0f", "")  # the sign that asks for a coloured star
    if stars := _STARS.match(given):
        return len(stars[1]) + (0.5 if stars[2] else 0), best
    given = _BESIDE.sub(" ", given)
    if fraction := _FRACTION.match(given):
        return _number(fraction[1]), _number(fraction[2])
    return float(_WORDS.get(given.strip().lower(), 0)) or _number(given), best


def _number(text: str) -> float:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError as error:
        raise ValueError(f"{text.strip()[:40]!r} is not a rating") from error
