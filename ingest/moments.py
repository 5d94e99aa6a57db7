"""Moments as programs and people write them: ISO 8601, by day, month and year, or in words, French or English."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_LONGEST = 100
_CLOCK = re.compile(
    r"(?<![\d:])(\d{1,2})\s?(?::\s?(?=\d)|h\s?)(\d{2})?(?::(\d{2})(?:[.,]\d{1,9})?)?(?:\s?([ap])\.?m\b\.?)?"
    r"(?:\s?(UTC|GMT|Z)\b)?(?:\s?([+-]\d{2}):?(\d{2})\b)?",
    re.I,
)
_NUMBERS = re.compile(r"^\D{0,12}?(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})\D{0,12}$")
_WORD = re.compile(r"[a-z]+|\d+")
_MONTH_NAMES = """
janvier january janv jan, fevrier february fevr fev feb, mars march mar, avril april avr apr, mai may, juin june jun,
juillet july juill juil jul, aout august aou aug, septembre september sept sep, octobre october oct,
novembre november nov, decembre december dec
"""
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES.split(","), start=1) for name in names.split()}
_MARCH = 3


def iso(given: object) -> datetime | None:
    """An ISO 8601 moment in UTC, which is also the zone of one that names none; None for anything else."""
    try:
        return in_utc(datetime.fromisoformat(given.strip())) if isinstance(given, str) else None
    except (ValueError, OverflowError):
        return None


def written(given: object, zone: tzinfo = UTC, *, month_first: bool = False) -> datetime | None:
    """A moment in UTC; of `zone` unless it names its own, and the beginning of its day where it names no hour.

    Day before month, as in France, unless `month_first`. None for what is no date.
    """
    if not isinstance(given, str):
        return None
    try:
        return in_utc(_parsed(given.strip()[:_LONGEST], month_first), zone)
    except (ValueError, OverflowError):
        return None


def is_month_first(given: Iterable[str]) -> bool:
    """Whether these dates make sense only with the month before the day: `11/23/2026`, and never `23/11/2026`."""
    matches = [_NUMBERS.match(_parted(one)[0]) for one in given]
    pairs = [(int(match[1]), int(match[3])) for match in matches if match]
    return any(second > 12 for _, second in pairs) and all(first <= 12 for first, _ in pairs)


def in_utc(moment: datetime, zone: tzinfo = UTC) -> datetime:
    """The same moment in UTC; of `zone` if it names none. Raises `OverflowError` at the ends of time."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _parsed(given: str, month_first: bool) -> datetime:
    try:
        return datetime.fromisoformat(given)
    except ValueError:
        day, clock = _parted(given)
        numbers = _NUMBERS.match(day)
        year, month, number = _of_numbers(numbers, month_first) if numbers else _of_words(day)
        start = datetime(year, month, number)  # noqa: DTZ001 # the caller gives the zone
        return _at(start, clock) if clock else start


def _parted(given: str) -> tuple[str, re.Match[str] | None]:
    """The day, and the time of day."""
    clock = _CLOCK.search(given[:_LONGEST])
    return (f"{given[: clock.start()]} {given[clock.end() :]}".strip() if clock else given), clock


def _of_numbers(match: re.Match[str], month_first: bool) -> tuple[int, int, int]:
    """`23/11/2026`, `23.11.26`, `2026/11/23`; which end of `23-11-26` is the year nobody knows."""
    first, sign, second, third = match.groups()
    if len(first) == 4:
        return int(first), int(second), int(third)
    if len(third) == 3 or (len(third) < 4 and sign == "-"):
        raise ValueError  # it names no year
    day, month = (second, first) if month_first else (first, second)
    return int(third) + (2_000 if len(third) < 4 else 0), int(month), int(day)


def _of_words(given: str) -> tuple[int, int, int]:
    """`lundi 23 novembre 2026`, `mar. 24 nov. 2026`, `Nov 23rd, 2026`."""
    bare = unicodedata.normalize("NFKD", given.lower()).encode("ascii", "ignore").decode()
    words = _WORD.findall(bare)
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    if len(months) == 2 and months[0] == _MARCH:  # "mar." is Tuesday
        del months[0]
    numbers = [int(word) for word in words if word.isdigit() and len(word) <= 4]
    (month,), (day,) = months, [number for number in numbers if number <= 31]
    (year,) = [number for number in numbers if number > 1_900]
    return year, month, day


def _at(day: datetime, clock: re.Match[str]) -> datetime:
    hour, minute, second, half, utc, offset, minutes = clock.groups()
    hours = int(hour) % 12 + 12 * (half in "pP") if half else int(hour)
    zone = _offset(offset, minutes) if offset else UTC if utc else None
    return day.replace(hour=hours, minute=int(minute or 0), second=int(second or 0), tzinfo=zone)


def _offset(hours: str, minutes: str) -> timezone:
    ahead = timedelta(hours=int(hours[1:]), minutes=int(minutes))
    return timezone(-ahead if hours[0] == "-" else ahead)
