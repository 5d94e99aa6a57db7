"""A table of reviews: the usual French and English headers are recognised, dates as people write them.

A row that cannot be used is told with its line and why; the others count.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ingest.clean import plain, repaired, text_of
from ingest.files.columns import TEXTS, UnknownColumnsError, folded, recognised, scale_of
from ingest.found import Found
from ingest.rating import on_five
from vigie import clock, ids

_SHOWN = 3  # rows, where somebody must say which column is which
_TITLES = 10  # rows that may stand above a header
_MANY = 0.2  # of a column's ratings: one slip of the keyboard must not change the scale of a table
# What a spreadsheet takes for a formula at the beginning of a cell.
FORMULA = "=+-@\t\r"
_DAY_FIRST = re.compile(r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})(?:[ T,à]+(\d{1,2})[:h](\d{2})(?::(\d{2}))?)?$")
_MONTH_NAMES = """
janvier january janv jan, fevrier february fevr feb, mars march mar, avril april avr apr, mai may, juin june jun,
juillet july juil jul, aout august aug, septembre september sept sep, octobre october oct, novembre november nov,
decembre december dec
"""
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES.split(","), start=1) for name in names.split()}


Mapped = Mapping[str, str]
Row = tuple[int, Sequence[str]]


@dataclass(frozen=True, slots=True)
class How:
    """How a file is to be read: the firm's time zone, which field is which column where somebody says so, and the
    mappings of earlier files by the shape of their header."""

    timezone: str
    mapping: Mapped = field(default_factory=dict)
    learnt: Mapping[str, Mapped] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: its line in the file, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Read:
    """What a file holds: the mentions found, the rows that cannot be used, and which column was read as what."""

    found: list[Found] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    shape: str | None = None


def read(
    header: Sequence[str],
    rows: Iterable[Row],
    how: How,
) -> Read:
    """Read rows (each with its line) under `header`; without a mapping, that of an earlier such file is used.

    Raises `InvalidInputError` when the table as a whole cannot be used.
    """
    kept = [(line, row) for line, row in rows if any(cell.strip() for cell in row)]
    header, kept = _below_its_title(header, kept)
    shape = shape_of(header)
    columns = recognised(header, how.mapping or how.learnt.get(shape, {}))
    names = {name: header[at].strip() for name, at in columns.items()}
    if not TEXTS & columns.keys():
        raise UnknownColumnsError(header, [row for _, row in kept[:_SHOWN]], names)
    result = Read(columns=names, shape=shape)
    best = _scale(header, kept, columns)
    for line, row in kept:
        try:
            result.found.append(_found(row, len(header), columns, how.timezone, best))
        except ValueError as error:
            result.bad.append(BadRow(line, str(error)))
    return result


def _below_its_title(header: Sequence[str], rows: list[Row]) -> tuple[Sequence[str], list[Row]]:
    """The header; some exports put a title of one cell above it."""
    if sum(bool(cell.strip()) for cell in header) > 1:
        return header, rows
    for at, (_, row) in enumerate(rows[:_TITLES]):
        if sum(bool(cell.strip()) for cell in row) > 1 and TEXTS & recognised(row, {}).keys():
            return row, rows[at + 1 :]
    return header, rows


def shape_of(header: Sequence[str]) -> str:
    """By what a header is known again, whatever the order of its columns."""
    return ids.derived("columns", *sorted(map(folded, header)))


def _scale(header: Sequence[str], rows: Sequence[Row], columns: Mapping[str, int]) -> float:
    """The best rating of the column: what its header says; ten where many ratings are above five; else five."""
    if "rating" not in columns:
        return 5.0
    if said := scale_of(header[columns["rating"]]):
        return said
    given = [_number(row[columns["rating"]]) for _, row in rows if columns["rating"] < len(row)]
    known = [one for one in given if one is not None]
    above = sum(one > 5 for one in known)
    is_usual = above > 1 and above >= len(known) * _MANY
    return 10.0 if known and (is_usual or above == len(known)) and max(known) <= 10 else 5.0


def _number(given: str) -> float | None:
    try:
        return float(given.replace(",", "."))
    except ValueError:
        return None


def _found(row: Sequence[str], width: int, columns: Mapping[str, int], timezone: str, best: float) -> Found:
    if len(row) != width and any(cell.strip() for cell in row[width:]):
        raise ValueError(f"it has {len(row)} columns where the header has {width}")
    cells = {name: _unguarded(repaired(row[at])) if at < len(row) else "" for name, at in columns.items()}
    given = cells.get("rating", "").strip()
    one = Found(
        external_id=cells.get("id", "").strip() or None,
        url=cells.get("url", "").strip() or None,
        author=plain(cells.get("author"), most=500) or None,
        title=plain(cells.get("title"), most=2_000) or None,
        text="\n".join(filter(None, (text_of(cells.get(name)) for name in ("text", "liked", "disliked")))),
        rating=on_five(given, best=_best(cells.get("best", ""), best)),
        rating_given=given or None,
        published_at=moment(cells.get("date", ""), timezone),
        experienced_at=moment(cells.get("experienced", ""), timezone),
        reply=text_of(cells.get("reply")) or None,
        language=cells.get("language", "").strip().lower()[:2] or None,
    )
    if not one.text and not one.title and one.rating is None:
        raise ValueError("it has neither text nor rating")
    return one


def _unguarded(cell: str) -> str:
    """Our own exports put an apostrophe before what a spreadsheet would run as a formula: here it comes off."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in set(FORMULA) else cell


def _best(given: str, usual: float) -> float:
    return float(given.replace(",", ".")) if given.strip() else usual


def moment(given: str, timezone: str) -> datetime | None:
    """A date as people and programs write it, in the firm's time zone unless it names its own.

    Day before month, as in France. None when nothing is given; raises ValueError when it is not a date.
    """
    given = given.strip()
    if not given:
        return None
    parsed = _iso(given) or _day_first(given) or _in_words(given)
    if parsed is None or parsed.year < 1990:
        raise ValueError(f"{given[:40]!r} is not a date (write 2026-11-23 or 23/11/2026)")
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=clock.zone(timezone))
    return aware.astimezone(UTC)


def _iso(given: str) -> datetime | None:
    try:
        return datetime.fromisoformat(given.removesuffix(" UTC") + ("+00:00" if given.endswith(" UTC") else ""))
    except ValueError:
        return None


def _day_first(given: str) -> datetime | None:
    if not (match := _DAY_FIRST.match(given)):
        return None
    day, month, year, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 # the caller gives the zone
    except ValueError:
        return None


def _in_words(given: str) -> datetime | None:
    """`23 novembre 2026`, `Nov 23, 2026`, with a weekday or without."""
    words = folded(given).split()
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    numbers = [int(word) for word in words if word.isdigit() and len(word) <= 4]
    days, years = [n for n in numbers if n <= 31], [n for n in numbers if n > 1_900]
    if len(months) != 1 or len(days) != 1 or len(years) != 1:
        return None
    try:
        return datetime(years[0], months[0], days[0])  # noqa: DTZ001 # the caller gives the zone
    except ValueError:
        return None
