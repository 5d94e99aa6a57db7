"""Phrases, found in many texts at once by the hashes of their words."""

from collections.abc import Iterator
from functools import reduce
from hashlib import blake2b
from itertools import groupby
from typing import Any

import numpy as np

from analysis.columns import Bools, Hashes, Ints

_BITS = 17  # of a hash, where phrases are looked for


class Phrases:
    """Finds runs of words in a sequence of hashes, the longest first, each word in one phrase at most.

    `entries`: hashes of the words → value. A phrase is known by its length and one hash of theirs, of 64 bits.
    """

    def __init__(self, entries: dict[tuple[int, ...], Any]) -> None:
        self._firsts, self._seconds = ({key[at] for key in entries} for at in (0, 1))
        self._longest = max(map(len, entries), default=0)
        self._values: dict[tuple[int, int], Any] = {}  # by length and hash
        # Of what begins with these two words (in as many bits), how long the longest is; and what is whole.
        self._reach = np.zeros(1 << _BITS, np.uint8)
        self._whole = np.zeros(1 << _BITS, bool)
        for length, keys in groupby(sorted(entries, key=len), key=len):
            ours = list(keys)
            words = np.array(ours, np.uint64).T
            whole = reduce(_joined, words)
            self._reach[_bucket(_joined(words[0], words[1]))] = length
            self._whole[_bucket(whole)] = True
            self._values |= {(length, key): entries[one] for key, one in zip(whole.tolist(), ours, strict=True)}

    def roles(self, key: int) -> tuple[bool, bool]:
        """Whether a word may be the first of a phrase, and whether the second; kept as `begins` and `follows`."""
        return key in self._firsts, key in self._seconds

    def found(self, hashes: Hashes, part: Ints, begins: Bools, follows: Bools) -> list[tuple[int, int, Any]]:
        """(place, length, value) of each phrase that lies in one `part`; the `roles` of each word are given."""
        met, free = [], 0
        for place, shorter, key in sorted(self._likely(hashes, part, np.flatnonzero(begins[:-1] & follows[1:]))):
            if place >= free and (-shorter, key) in self._values:
                met.append((place, -shorter, self._values[-shorter, key]))
                free = place - shorter
        return met

    def _likely(self, hashes: Hashes, part: Ints, places: Ints) -> Iterator[tuple[int, int, int]]:
        """Where a phrase may lie: its place, its length below zero, and its hash; a few lie there by chance."""
        joined = _joined(hashes.take(places), hashes.take(places + 1))
        reach = self._reach.take(_bucket(joined))
        for length in range(2, self._longest + 1):
            if not len(places):
                return
            last = places + (length - 1)
            kept = np.flatnonzero((reach >= length) & (last < len(part)))
            kept = kept[part.take(last.take(kept)) == part.take(places.take(kept))]
            places, joined, reach = places.take(kept), joined.take(kept), reach.take(kept)
            if length > 2:
                joined = _joined(joined, hashes.take(last.take(kept)))
            whole = np.flatnonzero(self._whole.take(_bucket(joined)))
            yield from zip(places[whole].tolist(), [-length] * len(whole), joined[whole].tolist(), strict=True)


def _joined(first: Hashes, second: Hashes) -> Hashes:
    return first * np.uint64(31) + second


def _bucket(joined: Hashes) -> Ints:
    return (joined >> np.uint64(64 - _BITS)).view(np.int64)


def hashed(word: str) -> int:
    """A number of 64 bits for a word, the same in every process; never 0."""
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") | 1
