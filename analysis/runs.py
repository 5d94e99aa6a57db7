"""Runs of characters of many words at once, each by its CRC-32 (the one of zlib; ISO 3309)."""

from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from analysis.columns import Ints

Sums = npt.NDArray[np.uint32]

_FULL = np.uint32(0xFFFFFFFF)
# What a byte adds to a sum, recovered from the sums of single bytes.
_TABLE = np.array([crc32(bytes([byte ^ 0xFF])) ^ 0xFF000000 for byte in range(256)], np.uint32)


def runs(words: Sequence[str], sizes: Sequence[int], *, of_bytes: bool = False) -> tuple[Ints, Sums]:
    """Of each run of so many characters of each word (or bytes of its UTF-8): the word it is of, and its CRC-32."""
    written = [word.encode("utf-8", "surrogatepass") for word in words]
    data = np.frombuffer(b"".join(written), np.uint8)
    begins = np.arange(len(data)) if of_bytes else np.flatnonzero(data & 0xC0 != 0x80)
    owners = np.repeat(np.arange(len(words)), [len(one) for one in written])[begins]
    found = list(_runs(data, np.append(begins, len(data)), owners, sizes))
    return np.concatenate([of for of, _ in found]), np.concatenate([sums for _, sums in found])


def _runs(data: npt.NDArray[np.uint8], edges: Ints, owners: Ints, sizes: Sequence[int]) -> Iterator[tuple[Ints, Sums]]:
    for size in sizes:
        first = np.flatnonzero(owners[size - 1 :] == owners[: max(0, len(owners) - size + 1)])
        yield owners[first], _sums(data, edges[first], edges[first + size])


def _sums(data: npt.NDArray[np.uint8], starts: Ints, stops: Ints) -> Sums:
    """The CRC-32 of each slice, a byte of all of them at a time."""
    sums = np.full(len(starts), _FULL)
    lengths = stops - starts
    for step in range(int(lengths.max(initial=0))):
        left = np.flatnonzero(lengths > step)
        before = sums.take(left)
        sums[left] = _TABLE.take((before ^ data.take(starts.take(left) + step)) & 0xFF) ^ (before >> np.uint32(8))
    return sums ^ _FULL
