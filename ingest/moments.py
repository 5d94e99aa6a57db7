"""Moments as programs and people write them: ISO 8601, by day, month and year, or in words, French or English."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_LONGEST = 100
# Hours ahead of UTC. EST is New York's: Eastern Europe writes EET.
_ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "EST": -5,
    "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
_CLOCK = re.compile(
    r"(?<![\d:])(\d{1,2})\s?(?::\s?(?=\d)|h\s?)(\d{2})?(?::(\d{2})(?:[.,]\d{1,9})?)?(?:\s?([ap])\.?m\b\.?)?"
    r"(?:\s?(UTC|GMT|Z|[CW]ES?T|EES?T|BST|E[SD]T|CDT|[MP][SD]T)(?:\s?([+-]\d{1,2})(?::?(\d{2}))?)?\b)?(?:\s?([+-]\d{2}):?(\d{2})\b)?",
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
_SERIAL = re.compile(r"^\s*(?:([2-6]\d{4})(?:[.,](\d{1,12}))?|(1\d{9}(?:\d{3})?))\s*$")
_MONTH_NUMBER = re.compile(r"^\s*(?:((?:19|20)\d\d)[-/.](\d{1,2})|(\d{1,2})[-/.]((?:19|20)\d\d))\s*$")
_NEAR_DAYS = {"hier": 1, "yesterday": 1, "aujourd": 0, "today": 0, "now": 0}
_UNIT_SECONDS: dict[str, int] = {
    **dict.fromkeys(("seconde", "second"), 1), "minute": 60, **dict.fromkeys(("heure", "hour"), 3_600),
    **dict.fromkeys(("jour", "day"), 86_400), **dict.fromkeys(("semaine", "week"), 604_800),
    **dict.fromkeys(("mois", "month"), 2_629_800), **dict.fromkeys(("an", "annee", "year"), 31_536_000),
}  # fmt: skip
_UNITS = "|".join(sorted(_UNIT_SECONDS, key=len, reverse=True))
_AGO = re.compile(rf"\bil y a (un|une|\d{{1,3}}) ({_UNITS})s?\b|\b(an|a|\d{{1,3}}) ({_UNITS})s? ago\b")


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


def of_serial(given: str, zone: tzinfo = UTC) -> datetime | None:
    """A moment that a spreadsheet or a program left as a number; None for any other text.

    Days since 1899-12-30, as in Excel's date system of 1900, in `zone`; or Unix seconds or milliseconds.
    """
    match = _SERIAL.match(given)
    if match is None:
        return None
    if not match[1]:
        return datetime.fromtimestamp(int(match[3][:10]), UTC)
    day = datetime(1899, 12, 30) + timedelta(days=int(match[1]))  # noqa: DTZ001 # the zone follows
    seconds = round(86_400 * float(f"0.{match[2] or 0}"))
    return in_utc(day + timedelta(seconds=seconds), zone)


def approximate(given: str, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """About when "il y a 3 semaines", "a month ago", "hier" or "novembre 2026" is; None for any other text.

    A month alone is its first day in `zone`.
    """
    bare = unicodedata.normalize("NFKD", given[:_LONGEST].lower()).encode("ascii", "ignore").decode()
    words = set(_WORD.findall(bare))
    for word, days in _NEAR_DAYS.items():
        if word in words:
            return now - timedelta(days=days)
    if match := _AGO.search(bare):
        amount, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
        count = int(amount) if amount.isdigit() else 1
        return now - timedelta(seconds=count * _UNIT_SECONDS[unit])
    return _of_month(bare, zone)


def _of_month(bare: str, zone: tzinfo) -> datetime | None:
    """The first day of `novembre 2026`, `11/2026` or `2026-11`."""
    if match := _MONTH_NUMBER.match(bare):
        year, month = (match[1], match[2]) if match[1] else (match[4], match[3])
    else:
        words = _WORD.findall(bare)
        if len(words) != 2 or words[0] not in _MONTHS or not re.fullmatch(r"(?:19|20)\d\d", words[1]):
            return None
        year, month = words[1], str(_MONTHS[words[0]])
    if not 1 <= int(month) <= 12:
        return None
    return in_utc(datetime(int(year), int(month), 1), zone)  # noqa: DTZ001 # the zone is given beside it


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
    hour, minute, second, half, name, ahead, ahead_minutes, offset, minutes = clock.groups()
    hours = int(hour) % 12 + 12 * (half in "pP") if half else int(hour)
    zone: tzinfo | None = None
    if offset or ahead:
        zone = _offset(offset or ahead, minutes or ahead_minutes or "0")
    elif name:
        zone = UTC if _ZONES[name.upper()] == 0 else timezone(timedelta(hours=_ZONES[name.upper()]))
    return day.replace(hour=hours, minute=int(minute or 0), second=int(second or 0), tzinfo=zone)


def _offset(hours: str, minutes: str) -> timezone:
    ahead = timedelta(hours=int(hours[1:]), minutes=int(minutes))
    return timezone(-ahead if hours[0] == "-" else ahead)
