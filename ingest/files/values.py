"""What the cells of a column look like, judged on a sample: a header alone is often wrong."""

import re
from collections.abc import Callable, Sequence

from ingest import moments
from ingest.rating import is_no_rating, on_five
from vigie import clock

EMPTY_WORTH, WRONG_WORTH = 0.1, 0.0
_LEAST_SHARE = 0.1  # of cells that must fit a field
_MAX_JUDGED_CELLS, _MAX_JUDGED_CHARS = 60, 400
_NUMBER = re.compile(r"^[+-]?\d[\d\s.,:/%-]{0,40}$")
_ADDRESS = re.compile(r"^(?:https?://|www\.)\S{1,2000}$|^[^\s@]{1,64}@[^\s@]{1,255}$", re.I)
_LETTERS = re.compile(r"[^\W\d_]{2}")


def cells_of(rows: Sequence[Sequence[str]], column: int) -> list[str]:
    """Return the filled cells of a column, cut and at most sixty."""
    cells = [row[column].strip()[:_MAX_JUDGED_CHARS] for row in rows if column < len(row) and row[column].strip()]
    return cells[:_MAX_JUDGED_CELLS]


def worth_of(field: str, cells: Sequence[str]) -> float:
    """Return how well a column's filled cells fit a field, from 0 (another thing) to 1."""
    if not cells:
        return EMPTY_WORTH
    if field == "rating":
        share = _share(cells, _is_rating)
    elif field in {"date", "experienced"}:
        share = _share(cells, is_date) + 0.5 * _share(cells, _is_approximate)
    elif field in {"text", "liked", "disliked", "reply", "title", "author"}:
        share = 1 - _share(cells, _is_address_or_number)
    else:
        return 1.0
    return share if share >= _LEAST_SHARE else WRONG_WORTH


def is_prose(cells: Sequence[str]) -> bool:
    """Whether cells hold words that somebody may have written: no addresses, numbers, dates, or one code repeated."""
    worded = [cell for cell in cells if not _is_no_words(cell) and not is_date(cell)]
    has_many = len(worded) * 2 >= len(cells) > 0
    return has_many and (len(set(worded)) > 1 or len(worded) < 3 or any(len(cell.split()) > 3 for cell in worded))


def is_data(cells: Sequence[str]) -> bool:
    """Whether a row holds a number or a date where a header would have names."""
    return any(is_date(cell) or _NUMBER.match(cell.strip()[:50]) for cell in cells if cell.strip())


def is_date(cell: str) -> bool:
    """Whether a cell is a date or a serial number of one."""
    is_american = moments.written(cell, month_first=True) is not None
    return is_american or moments.written(cell) is not None or moments.of_serial(cell) is not None


def _is_approximate(cell: str) -> bool:
    return moments.approximate(cell, clock.now()) is not None


def _is_rating(cell: str) -> bool:
    try:
        return is_no_rating(cell) or on_five(cell, best=100.0) is not None
    except ValueError:
        return False


def _is_address_or_number(cell: str) -> bool:
    return bool(_ADDRESS.match(cell) or _NUMBER.match(cell))


def _is_no_words(cell: str) -> bool:
    return _is_address_or_number(cell) or not _LETTERS.search(cell)


def _share(cells: Sequence[str], fits: Callable[[str], bool]) -> float:
    return sum(map(fits, cells)) / len(cells)
