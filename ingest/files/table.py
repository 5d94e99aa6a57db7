"""A table of reviews: the usual French and English headers are recognised, dates as people write them.

A row that cannot be used is reported with its line and why; the others count.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from ingest import moments
from ingest.clean import plain, repaired, text_of
from ingest.files.bounds import MAX_COLUMNS, bounded_rows
from ingest.files.columns import TEXTS, UnknownColumnsError, folded, recognised, scale_of
from ingest.found import Found
from ingest.rating import on_five
from vigie import clock, ids
from vigie.errors import InvalidInputError

MAX_BAD_ROWS = 1_000  # that a file may have before it is refused as a whole
_SAMPLE_ROWS = 3  # where somebody must say which column is which
_MAX_TITLE_ROWS = 10  # that may stand above a header
_LARGE_SHARE = 0.2  # of a column's ratings: one slip of the keyboard must not change the scale of a table
# What a spreadsheet takes for a formula at the beginning of a cell.
FORMULA = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"  # and their full-width forms, which some take alike


Mapped = Mapping[str, str]
Row = tuple[int, Sequence[str]]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class How:
    """Options of reading a file: the company's time zone, the column of each field where a person has chosen it, and
    the mappings of earlier files by the shape of their header."""

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
    """The content of a file: its mentions, the rows that cannot be used, and the column of each field."""

    found: list[Found] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    shape: str | None = None

    def add(self, line: int, make: Callable[[], Found]) -> None:
        """Add the mention that `make` returns for a line, or report the line as one that cannot be used."""
        try:
            self.found.append(make())
        except ValueError as error:
            self.bad.append(BadRow(line, str(error)))
        except MemoryError:
            raise
        except Exception:
            self.bad.append(BadRow(line, "it cannot be read"))


def drained(items: list[Item]) -> Iterator[Item]:
    """Yield `items` in order and forget each, so that a file is in memory once."""
    items.reverse()
    while items:
        yield items.pop()


def read(header: Sequence[str], rows: Iterable[Row], how: How) -> Read:
    """Return the mentions of `rows` (each with its line) under `header`.

    Without a mapping, that of an earlier file of the same shape is used. Raises `InvalidInputError` when the table as a
    whole cannot be used.
    """
    filled_rows = [(line, row) for line, row in bounded_rows(rows) if any(cell.strip() for cell in row)]
    header, filled_rows = _below_its_title(header, filled_rows)
    if _count_filled(header) > MAX_COLUMNS:
        raise InvalidInputError(f"the table has more than {MAX_COLUMNS} columns: keep those that matter")
    shape = shape_of(header)
    columns = recognised(header, how.mapping or how.learnt.get(shape, {}))
    names = {name: header[at].strip() for name, at in columns.items()}
    if not TEXTS & columns.keys():
        raise UnknownColumnsError(header, [row for _, row in filled_rows[:_SAMPLE_ROWS]], names)
    layout = _Layout(
        len(header),
        columns,
        how.timezone,
        _scale(header, filled_rows, columns),
        _is_month_first(filled_rows, columns),
    )
    return _read_rows(filled_rows, layout, Read(columns=names, shape=shape))


@dataclass(frozen=True, slots=True)
class _Layout:
    """The facts by which each row of a table is read."""

    width: int
    columns: Mapping[str, int]
    timezone: str
    best_rating: float
    is_month_first: bool


def _read_rows(rows: list[Row], layout: _Layout, result: Read) -> Read:
    """Add each row to `result`; `rows` is emptied on the way."""
    for line, row in drained(rows):
        result.add(line, partial(_mention, row, layout))
    return result


def _below_its_title(header: Sequence[str], rows: list[Row]) -> tuple[Sequence[str], list[Row]]:
    """Return the header and the rows below it; some exports put a title of one cell above it."""
    if _count_filled(header) > 1:
        return header, rows
    for at, (_, row) in enumerate(rows[:_MAX_TITLE_ROWS]):
        if _count_filled(row) > 1 and TEXTS & recognised(row, {}).keys():
            return row, rows[at + 1 :]
    return header, rows


def _count_filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def shape_of(header: Sequence[str]) -> str:
    """Return the hash by which a header is recognised again, whatever the order of its columns."""
    return ids.derived("columns", *sorted(map(folded, header)))


def _scale(header: Sequence[str], rows: Sequence[Row], columns: Mapping[str, int]) -> float:
    """Return the best rating of the column: by its header; else ten where many ratings are above five; else five."""
    if "rating" not in columns:
        return 5.0
    column = columns["rating"]
    if scale := scale_of(header[column]):
        return scale
    numbers = [_number(row[column]) for _, row in rows if column < len(row)]
    ratings = [number for number in numbers if number is not None]
    if not ratings or max(ratings) > 10:
        return 5.0
    above_five = sum(rating > 5 for rating in ratings)
    has_many = above_five > 1 and above_five >= len(ratings) * _LARGE_SHARE
    return 10.0 if has_many or above_five == len(ratings) else 5.0


def _number(cell: str) -> float | None:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return None


def _is_month_first(rows: Sequence[Row], columns: Mapping[str, int]) -> bool:
    places = [columns[name] for name in ("date", "experienced") if name in columns]
    return moments.is_month_first(row[at] for _, row in rows for at in places if at < len(row))


def _mention(row: Sequence[str], layout: _Layout) -> Found:
    """Return the mention of a row; raises ValueError when it holds none."""
    cells = _cells(row, layout)
    rating = cells.get("rating", "").strip()
    best_rating = _best(cells.get("best", ""), layout.best_rating)
    texts = [text_of(cells.get(name)) for name in ("text", "liked", "disliked")]
    mention = Found(
        external_id=cells.get("id", "").strip() or None,
        url=cells.get("url", "").strip() or None,
        author=plain(cells.get("author"), most=500) or None,
        title=plain(cells.get("title"), most=2_000) or None,
        text="\n".join(filter(None, texts)),
        rating=on_five(rating, best=best_rating),
        rating_given=rating or None,
        published_at=_moment(cells.get("date", ""), layout),
        experienced_at=_moment(cells.get("experienced", ""), layout),
        reply=text_of(cells.get("reply")) or None,
        language=cells.get("language", "").strip().lower()[:2] or None,
    )
    if not mention.text and not mention.title and mention.rating is None:
        raise ValueError("it has neither text nor rating")
    return mention


def _cells(row: Sequence[str], layout: _Layout) -> dict[str, str]:
    """Return the row's cells by field; raises ValueError for a row that is wider than the header."""
    if any(cell.strip() for cell in row[layout.width :]):
        raise ValueError(f"it has {len(row)} columns where the header has {layout.width}")
    cells = {}
    for name, at in layout.columns.items():
        cells[name] = _unguarded(repaired(row[at])) if at < len(row) else ""
    return cells


def _unguarded(cell: str) -> str:
    """Return the cell without the apostrophe that our own exports put before what a spreadsheet would run."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in set(FORMULA) else cell


def _best(cell: str, usual: float) -> float:
    return float(cell.replace(",", ".")) if cell.strip() else usual


def _moment(cell: str, layout: _Layout) -> datetime | None:
    """Return a date, in the company's time zone unless it names its own; None for an empty cell."""
    if not cell.strip():
        return None
    moment = moments.written(cell, clock.zone(layout.timezone), month_first=layout.is_month_first)
    if moment is None or moment.year < 1990:
        raise ValueError(f"{cell.strip()[:40]!r} is not a date (write 2026-11-23 or 23/11/2026)")
    return moment
