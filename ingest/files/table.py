"""A table of reviews: the usual French and English headers are recognised, dates as people write them.

A row that cannot be used is reported with its line and why; the others count. A rating or date that cannot be read
leaves the words, and is counted.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from ingest import moments
from ingest.clean import plain, repaired, text_of
from ingest.files import columns as headers
from ingest.files import values
from ingest.files.bounds import MAX_COLUMNS, bounded_rows
from ingest.files.columns import TEXTS, UnknownColumnsError, folded, recognised, scale_of
from ingest.found import Found
from ingest.rating import is_no_rating, on_five
from vigie import clock, ids
from vigie.errors import InvalidInputError

MAX_BAD_ROWS = 1_000  # that a file may have before it is refused as a whole
_SAMPLE_ROWS = 3  # where somebody must say which column is which
_MAX_TITLE_ROWS = 15  # that may stand above a header
_MAX_NAME_CHARS = 200  # of a header's cell: forms put a whole question there
SAMPLE_ROWS = 200  # by which a table's columns are known
# A second header of survey tools, below the questions.
_ANSWER_KINDS = frozenset(
    "response|open ended response|reponse|reponse ouverte|texte libre|commentaire ouvert".split("|")
)
# Values of a status column, folded, by which a platform says that a review does not stand.
_REFUSED = frozenset(
    (
        "spam|rejected|rejete|rejetee|refuse|refusee|refused|unapproved|not approved|non approuve|trash|corbeille|"
        "deleted|supprime|supprimee|removed|declined|disapproved|unpublished|non publie"
    ).split("|")
)
_YES, _NO = frozenset("1 true yes oui vrai y".split()), frozenset("0 false no non faux n".split())
# Line breaks that CSV does not split at: vertical tab, form feed, NEL, line and paragraph separators.
_LINE_BREAKS = re.compile("[\x0b\x0c\x85\u2028\u2029]|_x000D_\n?")
_PLATFORMS = {
    "google": "google", "google maps": "google", "google business": "google", "gmb": "google", "booking": "booking",
    "booking com": "booking", "tripadvisor": "tripadvisor", "trip advisor": "tripadvisor", "trustpilot": "trustpilot",
    "facebook": "facebook", "yelp": "yelp", "thefork": "thefork", "lafourchette": "thefork", "airbnb": "airbnb",
    "expedia": "expedia", "pages jaunes": "pagesjaunes", "pagesjaunes": "pagesjaunes", "amazon": "amazon",
    "avis verifies": "avis_verifies", "verified reviews": "avis_verifies", "app store": "app_store",
    "google play": "google_play", "feefo": "feefo", "judge me": "judge_me", "yotpo": "yotpo",
}  # fmt: skip
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
    platform: str | None = None  # of all rows, where their file names none


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: its line in the file, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Read:
    """The content of a file: its mentions, the rows that cannot be used, and the column of each field.

    `counts` says how many rows were read with something less: `undated`, `approximate`, `unrated`, `no_visit`; and how
    many their platform has `refused`. `unread` names the columns that hold something else.
    """

    found: list[Found] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    shape: str | None = None
    counts: Counter[str] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)

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


def platform_of(name: str | None) -> str | None:
    """Return a platform's own name, as mentions bear it; raises `InvalidInputError` for one that is not known."""
    if name is None:
        return None
    platform = _PLATFORMS.get(folded(name.replace("_", " ")))
    if platform is None:
        raise InvalidInputError(f"unknown platform {name!r}: one of {', '.join(sorted(set(_PLATFORMS.values())))}")
    return platform


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
    has_names = not _is_first_review(header)
    if not has_names:
        filled_rows.insert(0, (1, header))
        header = [_letter(at) for at in range(len(header))]
    shape = shape_of(header) if has_names else None
    mapping = how.mapping or how.learnt.get(shape or "", {})
    sample = [row for _, row in filled_rows[:SAMPLE_ROWS]]
    columns = recognised(header, mapping, sample) if has_names or mapping else _guessed(sample, len(header))
    joined = [] if mapping else headers.joined_texts(header, columns, sample)
    names = {name: header[at].strip() for name, at in columns.items()}
    unread = headers.unread(header, {*columns.values(), *joined}, sample)
    if _must_ask(header, columns, unread, sample, is_told=bool(mapping)) or not (has_names or mapping):
        raise UnknownColumnsError(header, [row for _, row in filled_rows[:_SAMPLE_ROWS]], names)
    layout = _Layout(
        len(header),
        columns,
        joined,
        how.timezone,
        _scale(header, filled_rows, columns),
        _is_month_first(filled_rows, columns),
        {name for name, at in columns.items() if {"utc", "gmt"} & set(folded(header[at]).split())},
        folded(names.get("status", "")),
        how.platform,
    )
    if joined:
        names["text"] = " + ".join(header[at].strip() for at in (columns["text"], *joined))
    return _read_rows(filled_rows, layout, Read(columns=names, shape=shape, unread=[header[at] for at in unread]))


def score_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how many fields of a review a table has, by its header and the first rows below it; 0 for another."""
    below, sample = _below_its_title(header, [(0, row) for row in rows])
    columns = recognised(below, {}, [row for _, row in sample])
    return len(columns) + bool(sample) if TEXTS & columns.keys() else 0


def _must_ask(
    header: Sequence[str], columns: Mapping[str, int], unread: list[int], sample: list[Sequence[str]], *, is_told: bool
) -> bool:
    """Return whether the words of a table's reviews were not found, though it may have some."""
    if not TEXTS & columns.keys():
        return True
    has_words = bool({"text", "liked", "disliked"} & columns.keys())
    return not is_told and not has_words and headers.may_hold_words(header, unread, sample)


def _is_first_review(header: Sequence[str]) -> bool:
    """Return whether a first row is a review already, since nobody names a column by a date or a number."""
    return values.is_data(header[:MAX_COLUMNS]) and not recognised(header, {})


def _letter(at: int) -> str:
    """Return the name that a spreadsheet gives to a column: A to Z, then AA."""
    return (chr(64 + at // 26) if at >= 26 else "") + chr(65 + at % 26)


def _guessed(sample: list[Sequence[str]], width: int) -> dict[str, int]:
    """Return the columns of a table without a header, as its cells suggest them, to be confirmed."""
    guessed: dict[str, int] = {}
    lengths: dict[int, float] = {}
    for at in range(width):
        cells = values.cells_of(sample, at)
        if cells and values.worth_of("date", cells) > 0.5 and "date" not in guessed:
            guessed["date"] = at
        elif cells and values.worth_of("rating", cells) > 0.8 and "rating" not in guessed:
            guessed["rating"] = at
        elif values.is_prose(cells):
            lengths[at] = sum(map(len, cells)) / len(cells)
    if lengths:
        guessed["text"] = max(lengths, key=lambda at: lengths[at])
    return guessed


@dataclass(frozen=True, slots=True)
class _Layout:
    """The facts by which each row of a table is read."""

    width: int
    columns: Mapping[str, int]
    joined: Sequence[int]  # further columns of text
    timezone: str
    best_rating: float
    is_month_first: bool
    utc_fields: Collection[str]  # whose header names the zone
    status_name: str
    platform: str | None


def _read_rows(rows: list[Row], layout: _Layout, result: Read) -> Read:
    """Add each row to `result`; `rows` is emptied on the way."""
    for line, row in drained(rows):
        if _is_refused(row, layout):
            result.counts["refused"] += 1
        else:
            result.add(line, partial(_mention, row, layout, result.counts))
    return result


def _is_refused(row: Sequence[str], layout: _Layout) -> bool:
    """Return whether the platform says that the review does not stand, as spam does not."""
    at = layout.columns.get("status")
    if at is None or at >= len(row):
        return False
    status = folded(row[at])
    if "spam" in layout.status_name.split():
        return status in _YES
    is_yes_or_no = layout.status_name in {"comment approved", "approved", "approuve", "published", "publie"}
    is_yes_or_no = is_yes_or_no or layout.status_name.startswith("is ")
    return status in _REFUSED or (is_yes_or_no and status in _NO)


def _below_its_title(header: Sequence[str], rows: list[Row]) -> tuple[Sequence[str], list[Row]]:
    """Return the header and the rows below it; some exports put a title, facts or groups of columns above it."""
    best, below = _count_known(header), -1
    for at, (_, row) in enumerate(rows[:_MAX_TITLE_ROWS] if best < 3 else []):
        if (known := _count_known(row)) > max(best, 1):
            best, below = known, at
    if below >= 0:
        header, rows = rows[below][1], rows[below + 1 :]
    if rows and all(folded(cell) in _ANSWER_KINDS for cell in rows[0][1] if cell.strip()):
        rows = rows[1:]
    return header, rows


def _count_known(row: Sequence[str]) -> int:
    """Return how many fields a row names; 0 for one that is no header of reviews."""
    if len(row) > MAX_COLUMNS or values.is_data(row) or any(len(cell) > _MAX_NAME_CHARS for cell in row):
        return 0
    columns = recognised(row, {})
    return len(columns) if TEXTS & columns.keys() else 0


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


def _mention(row: Sequence[str], layout: _Layout, counts: Counter[str]) -> Found:
    """Return the mention of a row, and count what of it cannot be read; raises ValueError when it holds none."""
    cells = _cells(row, layout)
    rating = _rating(cells, layout)
    published_at, is_approximate = _date(cells.get("date", ""), layout, "date")
    experienced_at, _ = _date(cells.get("experienced", ""), layout, "experienced")
    mention = Found(
        external_id=cells.get("id", "").strip() or None,
        url=cells.get("url", "").strip() or None,
        author=plain(cells.get("author"), most=500) or None,
        title=plain(cells.get("title"), most=2_000) or None,
        text=_text(row, cells, layout),
        rating=rating,
        rating_given=(cells.get("rating", "").strip() or None) if rating is not None else None,
        published_at=published_at,
        is_date_approximate=is_approximate,
        experienced_at=experienced_at,
        reply=text_of(cells.get("reply")) or None,
        language=cells.get("language", "").strip().lower()[:2] or None,
        told_platform=_PLATFORMS.get(folded(cells.get("platform", ""))) or layout.platform,
    )
    if not mention.text and not mention.title and mention.rating is None:
        raise ValueError("it has neither text nor rating")
    counts["unrated"] += rating is None and not is_no_rating(cells.get("rating", ""))
    counts["undated"] += published_at is None and bool(cells.get("date", "").strip())
    counts["approximate"] += is_approximate
    counts["no_visit"] += experienced_at is None and bool(cells.get("experienced", "").strip())
    return mention


def _text(row: Sequence[str], cells: Mapping[str, str], layout: _Layout) -> str:
    """Return the words of a row, one column below the other; a column that repeats another is not told twice."""
    texts = [text_of(cells.get(name)) for name in ("text", "liked", "disliked")]
    texts += [text_of(_cleaned(row[at])) for at in layout.joined if at < len(row)]
    return "\n".join(filter(None, dict.fromkeys(texts)))


def _cells(row: Sequence[str], layout: _Layout) -> dict[str, str]:
    """Return the row's cells by field; raises ValueError for a row that is wider than the header."""
    if any(cell.strip() for cell in row[layout.width :]):
        raise ValueError(f"it has {len(row)} columns where the header has {layout.width}")
    return {name: _cleaned(row[at]) if at < len(row) else "" for name, at in layout.columns.items()}


def _cleaned(cell: str) -> str:
    """Return the cell as it was written, without the apostrophe that our own exports put before a formula."""
    cell = _LINE_BREAKS.sub("\n", repaired(cell))
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in set(FORMULA) else cell


def _rating(cells: Mapping[str, str], layout: _Layout) -> float | None:
    """Return the rating on five; None for none and for one that cannot be read."""
    best = cells.get("best", "").strip()
    try:
        best_rating = float(best.replace(",", ".")) if best else layout.best_rating
        return on_five(cells.get("rating", ""), best=best_rating)
    except ValueError:
        return None


def _date(cell: str, layout: _Layout, field_name: str) -> tuple[datetime | None, bool]:
    """Return a date and whether it is approximate, in the company's time zone unless it or its header names one.

    None for an empty cell and for what is no date.
    """
    if not cell.strip():
        return None, False
    zone = UTC if field_name in layout.utc_fields else clock.zone(layout.timezone)
    moment = moments.written(cell, zone, month_first=layout.is_month_first) or moments.of_serial(cell, zone)
    is_approximate = moment is None
    moment = moment or moments.approximate(cell, clock.now(), zone)
    if moment is None or moment.year < 1990:
        return None, False
    return moment, is_approximate
