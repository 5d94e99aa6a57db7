"""A table of reviews: the usual French and English headers are recognised, dates as people write them.

A row that cannot be used is told with its line and why; the others count.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ingest import moments
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
    best, month_first = _scale(header, kept, columns), _is_month_first(kept, columns)
    for line, row in kept:
        try:
            result.found.append(_found(row, len(header), columns, how.timezone, best, month_first))
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


def _is_month_first(rows: Sequence[Row], columns: Mapping[str, int]) -> bool:
    places = [columns[name] for name in ("date", "experienced") if name in columns]
    return moments.is_month_first(row[at] for _, row in rows for at in places if at < len(row))


def _found(
    row: Sequence[str], width: int, columns: Mapping[str, int], timezone: str, best: float, month_first: bool
) -> Found:
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
        published_at=_moment(cells.get("date", ""), timezone, month_first),
        experienced_at=_moment(cells.get("experienced", ""), timezone, month_first),
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


def _moment(given: str, timezone: str, month_first: bool) -> datetime | None:
    """A date, in the firm's time zone unless it names its own; None when nothing is given."""
    if not given.strip():
        return None
    found = moments.written(given, clock.zone(timezone), month_first=month_first)
    if found is None or found.year < 1990:
        raise ValueError(f"{given.strip()[:40]!r} is not a date (write 2026-11-23 or 23/11/2026)")
    return found
