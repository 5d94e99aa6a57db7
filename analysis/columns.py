"""Tables by column: what is read of very many rows is a field or two."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]
Values = npt.NDArray[Any]
Records = npt.NDArray[Any]  # rows of a structured type


class Rows:
    """Some rows of a table, a column each time one asks; shape (rows,)."""

    def __init__(self, columns: Mapping[str, Values], numbers: Ints) -> None:
        self._columns, self._numbers = columns, numbers

    def __getitem__(self, name: str) -> Any:
        return self._columns[name].take(self._numbers)

    def take(self, places: Ints) -> "Rows":
        """Those at `places`."""
        return Rows(self._columns, self._numbers.take(places))


class Table:
    """Rows by their number, kept by column: what is read of many rows is a field or two."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._columns = {name: np.zeros(0, dtype[name]) for name in dtype.names or ()}
        self._new: list[tuple[Any, ...]] = []
        self.size = 0

    def at(self, numbers: Ints) -> Rows:
        """The rows of these numbers."""
        if self._new:
            first, self._new, new = self.size - len(self._new), [], np.array(self._new, self._dtype)
            self.put(np.arange(first, self.size), new)
        return Rows(self._columns, numbers)

    def append(self, *row: Any) -> int:
        """The number of the new row; it is written with others, when one asks."""
        self._new.append(row)
        self.size += 1
        return self.size - 1

    def put(self, numbers: Ints, records: Records | Rows | Mapping[str, Values]) -> None:
        """Write `records` as the rows of these numbers; what lies between is zero."""
        if not len(numbers):
            return
        size = int(numbers.max()) + 1
        self.size = max(self.size, size)
        for name, column in self._columns.items():
            if size > len(column):
                column = self._columns[name] = np.append(column, np.zeros(size + size // 2 - len(column), column.dtype))
            column[numbers] = records[name]


def summed(rows: Sequence[Values], part: Ints, count: int, first: Ints | None = None) -> Floats:
    """The sums of the values of each row that lie in the same of `count` parts, the parts in order; shape (rows,
    count). `first` is where each part begins, if known."""
    sums = np.zeros((len(rows), count))
    first = heads(part) if first is None else first
    of = part[first]
    for row, ours in zip(rows, sums, strict=True):
        ours[of] = np.add.reduceat(row.astype(np.float64), first)
    return sums


def present(numbers: Ints, count: int) -> Bools:
    """Which of the first `count` whole numbers are among `numbers`."""
    found = np.zeros(count, bool)
    found[numbers] = True
    return found


def heads(part: Ints) -> Ints:
    """Where each part begins."""
    return np.flatnonzero(np.append(len(part) > 0, part[1:] != part[:-1]))
