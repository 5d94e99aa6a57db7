"""Pieces of text, from space to space: each is cut into tokens when first met, and known again by its hash. Those of
many texts are looked up at once, as a loop over them takes longer than most of what is then read of them."""

import re
import secrets
from collections.abc import Mapping, Sequence
from itertools import chain, pairwise

import numpy as np

from analysis.columns import Hashes, Ints, Table

# Every character belongs to one token, and white space to the token before it. Addresses and @names are no words.
_TOKEN = re.compile(
    r"(?:\w+(?:[-'’]\w+)*['’]?|[.!?…]+|[<>]?[:;=]['-]?[)(dDpP/](?!\w)|<3|\^\^|[^\w\s])\s*|\s+",
)
_ADDRESS = re.compile(r"(?:https?://|www\.|(?<!\w)@\w)\S*")
_SPACE = ord(" ")

# The hash of Karp and Rabin (1987), c[0]·b + c[1]·b² + … modulo 2⁶⁴, of a base that nobody outside knows. Long pieces
# have Python's: such a sum is the same for some texts that repeat themselves at length, whatever the base.
_LONG = 64
_RUN = 1 << 16  # characters that are summed at once, and what the last piece of them has beyond
_BASE = secrets.randbits(64) & ~7 | 5
_POWERS, _INVERSES = (
    np.multiply.accumulate(np.full(2 * _RUN, base, np.uint64)) for base in (_BASE, pow(_BASE, -1, 1 << 64))
)


class Pieces:
    """The pieces that texts held, of so many `characters`. `numbers` gives each token its number, a new one too."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self.characters = 0
        self._numbers = numbers
        self._index = _Index()
        self._spans = Table(np.dtype([("first", "i8"), ("count", "i8")]))
        self._tokens = Table(np.dtype([("number", "i8")]))

    @property
    def size(self) -> int:
        return self._spans.size

    def tokens(self, texts: Sequence[str]) -> tuple[Ints, Ints]:
        """The numbers of the tokens of all texts, in order, and how many tokens each text has."""
        whole = "".join([f"{text} " for text in texts])
        keys, starts, stops = _hashed(whole)
        pieces = self._index.numbers(keys)
        new = np.flatnonzero(pieces < 0)
        if len(new):
            places = new[np.sort(np.unique(keys[new], return_index=True)[1])]
            self._add(keys[places], [whole[starts[at] : stops[at]] for at in places.tolist()])
            pieces[new] = self._index.numbers(keys[new])
        spans = self._spans.at(pieces)
        first, count = spans["first"], spans["count"]
        after = np.cumsum(count)
        places = np.repeat(first - (after - count), count) + np.arange(count.sum())
        of_text = np.searchsorted(starts, np.cumsum([0, *[len(text) + 1 for text in texts]])[:-1])
        return self._tokens.at(places)["number"], np.add.reduceat(count, of_text)

    def _add(self, keys: Hashes, pieces: Sequence[str]) -> None:
        tokens = [_cut(piece) for piece in pieces]
        count = np.array([len(one) for one in tokens])
        numbers = np.array([self._numbers[token] for token in chain.from_iterable(tokens)])
        ours, met = np.arange(self.size, self.size + len(pieces)), self._tokens.size
        self._spans.put(ours, {"first": met + np.cumsum(count) - count, "count": count})
        self._tokens.put(np.arange(met, met + len(numbers)), {"number": numbers})
        self._index.put(keys, ours)
        self.characters += sum(map(len, pieces))


class _Index:
    """Numbers by hashes: a table with open addressing and linear probing (Knuth 6.4), never more than half full."""

    def __init__(self) -> None:
        self._size = 0
        self._make(1 << 12)

    def numbers(self, keys: Hashes) -> Ints:
        """The number of each key, -1 for one that is not known."""
        slots = self._slots(keys)
        met, numbers = self._keys.take(slots), self._values.take(slots)
        others = np.flatnonzero((met != keys) & (met > 0))
        while len(others):
            slots[others] = ours = self._after(slots[others])
            met, numbers[others] = self._keys.take(ours), self._values.take(ours)
            others = others[(met != keys[others]) & (met > 0)]
        return numbers

    def put(self, keys: Hashes, values: Ints) -> None:
        """Give new keys, each other than the rest, their numbers."""
        self._size += len(keys)
        if 2 * self._size > len(self._keys):
            known = np.flatnonzero(self._keys)
            keys, values = np.append(self._keys[known], keys), np.append(self._values[known], values)
            self._make(4 << self._size.bit_length())
        slots = self._slots(keys)
        while len(keys):
            free = self._keys[slots] == 0
            self._keys[slots[free]] = keys[free]  # of several that want one slot, the last has it
            ours = self._keys[slots] == keys
            self._values[slots[ours]] = values[ours]
            keys, values, slots = keys[~ours], values[~ours], self._after(slots[~ours])

    def _make(self, count: int) -> None:
        self._keys: Hashes = np.zeros(count, np.uint64)
        self._values: Ints = np.full(count, -1)
        self._shift = np.uint64(65 - count.bit_length())

    def _slots(self, keys: Hashes) -> Ints:
        return (keys >> self._shift).view(np.int64)

    def _after(self, slots: Ints) -> Ints:
        return (slots + 1) % len(self._keys)


def _hashed(whole: str) -> tuple[Hashes, Ints, Ints]:
    """The pieces that a text consists of, the space after each among its characters: their hashes, never 0, and where
    they start and stop."""
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), np.uint32)
    stops = np.flatnonzero(codes == _SPACE) + 1
    starts = np.append(0, stops)[:-1]
    keys = np.zeros(len(stops), np.uint64)
    edges = np.unique(np.append(np.searchsorted(starts, np.arange(0, len(codes), _RUN)), len(starts)))
    for first, last in pairwise(edges.tolist()):
        begins, ends = starts[first:last], stops[first:last]
        run = codes[begins[0] : ends[-1]]
        upto = np.cumsum(run * _POWERS[: len(run)]).take(ends - begins[0] - 1)
        sums = np.diff(upto, prepend=np.uint64(0))
        keys[first:last] = sums * _INVERSES.take(begins - begins[0]) * np.uint64(_BASE)
    for at in np.flatnonzero(stops - starts > _LONG).tolist():
        keys[at] = hash(whole[starts[at] : stops[at]]) & (1 << 64) - 1
    return keys | np.uint64(1), starts, stops


def _cut(piece: str) -> list[str]:
    """Its tokens, each with the space after it."""
    if "@" in piece or "://" in piece or "www." in piece:
        piece = _ADDRESS.sub(lambda address: " " * len(address[0]), piece)
    return _TOKEN.findall(piece)
