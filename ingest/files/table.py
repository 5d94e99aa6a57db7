"""A table of reviews: the usual French and English headers are recognised, dates as people write them.

A row that cannot be used is told with its line and why; the others count.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ingest.clean import plain, repaired, text_of
from ingest.found import Found
from ingest.rating import on_five
from vigie import clock, ids
from vigie.errors import InvalidInputError

FIELDS: dict[str, tuple[str, ...]] = {
    "id": ("id", "identifiant", "review id", "id avis", "reference"),
    "date": (
        "date",
        "date de publication",
        "publie le",
        "date avis",
        "created at",
        "created",
        "published",
        "published at",
        "review date",
        "date de l avis",
        "jour",
    ),
    "rating": ("rating", "note", "stars", "etoiles", "score", "star rating", "note sur 5", "nb etoiles"),
    "best": ("best", "rating max", "note max", "sur"),
    "author": ("author", "auteur", "nom", "name", "client", "reviewer", "pseudo", "reviewer name", "prenom"),
    "title": ("title", "titre", "review title", "objet", "sujet"),
    "text": (
        "text",
        "texte",
        "avis",
        "comment",
        "commentaire",
        "review",
        "review text",
        "content",
        "contenu",
        "message",
        "verbatim",
    ),
    "url": ("url", "lien", "link", "adresse"),
    "reply": ("reply", "reponse", "owner reply", "response", "reponse du proprietaire"),
    "language": ("language", "langue", "lang"),
    "experienced": (
        "date experience",
        "date de l experience",
        "date of experience",
        "date de visite",
        "date du sejour",
    ),
}
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
    rows: Iterable[tuple[int, Sequence[str]]],
    how: How,
) -> Read:
    """Read rows (each with its line) under `header`; without a mapping, that of an earlier such file is used.

    Raises `InvalidInputError` when the table as a whole cannot be used.
    """
    shape = shape_of(header)
    columns = recognised(header, how.mapping or how.learnt.get(shape, {}))
    if "text" not in columns and "rating" not in columns:
        shown = ", ".join(name.strip()[:40] for name in header[:12])
        raise InvalidInputError(
            f"no column holds a text or a rating (columns: {shown}). Say which one does: --map text=COLUMN"
        )
    result = Read(columns={name: header[at].strip() for name, at in columns.items()}, shape=shape)
    for line, row in rows:
        if any(cell.strip() for cell in row):
            try:
                result.found.append(_found(row, len(header), columns, how.timezone))
            except ValueError as error:
                result.bad.append(BadRow(line, str(error)))
    return result


def shape_of(header: Sequence[str]) -> str:
    """By what a header is known again, whatever the order of its columns."""
    return ids.derived("columns", *sorted(map(_folded, header)))


def recognised(header: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int]:
    """Which column holds which field; raises `InvalidInputError` for a mapping that names none."""
    names = [_folded(name) for name in header]
    columns: dict[str, int] = {}
    for field_name, column in mapping.items():
        if field_name not in FIELDS:
            raise InvalidInputError(f"unknown field {field_name!r}: one of {', '.join(FIELDS)}")
        if _folded(column) not in names:
            raise InvalidInputError(f"the file has no column {column!r}")
        columns[field_name] = names.index(_folded(column))
    for field_name, known in FIELDS.items():
        for name in known:
            if field_name not in columns and name in names and names.index(name) not in columns.values():
                columns[field_name] = names.index(name)
    return columns


def _found(row: Sequence[str], width: int, columns: dict[str, int], timezone: str) -> Found:
    if len(row) != width and any(cell.strip() for cell in row[width:]):
        raise ValueError(f"it has {len(row)} columns where the header has {width}")
    cells = {name: _unguarded(repaired(row[at])) if at < len(row) else "" for name, at in columns.items()}
    given = cells.get("rating", "").strip()
    one = Found(
        external_id=cells.get("id", "").strip() or None,
        url=cells.get("url", "").strip() or None,
        author=plain(cells.get("author"), most=500) or None,
        title=plain(cells.get("title"), most=2_000) or None,
        text=text_of(cells.get("text")),
        rating=on_five(given, best=_best(cells.get("best", ""))),
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


def _best(given: str) -> float:
    return float(given.replace(",", ".")) if given.strip() else 5.0


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
    words = _folded(given).split()
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    numbers = [int(word) for word in words if word.isdigit() and len(word) <= 4]
    days, years = [n for n in numbers if n <= 31], [n for n in numbers if n > 1_900]
    if len(months) != 1 or len(days) != 1 or len(years) != 1:
        return None
    try:
        return datetime(years[0], months[0], days[0])  # noqa: DTZ001 # the caller gives the zone
    except ValueError:
        return None


def _folded(name: str) -> str:
    """Lower case, without accents; anything but letters and digits is a space."""
    bare = unicodedata.normalize("NFKD", name.strip().lower()).encode("ascii", "ignore").decode()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", bare).split())
