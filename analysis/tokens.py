"""Texts cut into words, signs and emoji, once for all who read them: columns, one row a token.

A word is met many times: what is to be known of it is worked out the first time (`Column`), for all new words of a
batch together, and from then on texts are read by whole arrays. Clauses are runs of tokens, so a clause costs nothing
beside the text that holds it.
"""

import re
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b
from itertools import chain, groupby
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from analysis.words import CONTRASTS, bare, folded, shortened, without_turn

MOST_TEXT = 20_000  # characters of one text that are read
# Pieces of text, or tokens, with what is known of them: beyond so many, or so many characters, all are forgotten.
_MOST_KNOWN, _MOST_CHARACTERS = 100_000, 2_000_000
_BITS = 17  # of a hash, where phrases are looked for

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Records = npt.NDArray[Any]
Values = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]

# Every character belongs to one token, and white space to the token before it. Addresses and @names are no words.
_TOKEN = re.compile(
    r"(?:\w+(?:[-'’]\w+)*['’]?|[.!?…]+|[<>]?[:;=]['-]?[)(dDpP/](?!\w)|<3|\^\^|[^\w\s])\s*|\s+",
)
_ADDRESS = re.compile(r"(?:https?://|www\.|(?<!\w)@\w)\S*")
_ENDING, _CLOSING = frozenset(".!?…"), frozenset("\"»)'”")
_OPENING = frozenset("\"«(-“'")
# What a name follows: "Garage Parfait" is not perfect by that.
_NAMING = frozenset(
    "hotel garage salon restaurant resto chez docteur dr doctor madame mme mlle monsieur mr mrs ms miss boutique "
    "magasin pizzeria brasserie boulangerie patisserie bistrot cafe bar pub auberge camping gite domaine chateau "
    "agence cabinet clinique societe entreprise rue avenue boulevard place street road shop store burger pizza "
    "cocktail salade tarte menu".split()
)
_JOINING = frozenset("et de du des la le les and of the &".split())

_SHAPE = np.dtype(
    [
        ("lexeme", "i8"), ("size", "i8"), ("newline", "?"), ("spaced", "?"), ("ends", "?"), ("surely", "?"),
        ("closes", "?"), ("opens", "?"), ("turns", "?"), ("word", "u8"), ("title", "?"), ("naming", "?"),
        ("joining", "?"), ("blank", "?"), ("white", "?"), ("may_turn", "?"),
    ]
)  # fmt: skip


class Says(Protocol):
    """What is to be known of lexemes: a record of `dtype` each."""

    dtype: np.dtype[Any]

    def of(self, words: Sequence[str]) -> Records:
        """The records of words in lower case, without the space after them."""


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
        if self._new:
            first, self._new, new = self.size - len(self._new), [], np.array(self._new, self._dtype)
            self.put(np.arange(first, self.size), new)
        return Rows(self._columns, numbers)

    def append(self, *row: Any) -> int:
        """The number of the new row; it is written with others, when one asks."""
        self._new.append(row)
        self.size += 1
        return self.size - 1

    def put(self, numbers: Ints, records: Records) -> None:
        size = int(numbers.max()) + 1
        for name, column in self._columns.items():
            if size > len(column):
                column = self._columns[name] = np.concatenate((column, np.zeros(size, column.dtype)))
            column[numbers] = records[name]


class Column:
    """What `Says` tells of each lexeme, worked out when a text first holds it."""

    def __init__(self, says: Says, words: Sequence[str]) -> None:
        self._says, self._words = says, words
        self._table = Table(says.dtype)
        self._known = np.zeros(0, bool)

    def at(self, lexemes: Ints) -> Rows:
        if len(self._known) < len(self._words):
            self._known = np.append(self._known, np.zeros(len(self._words), bool))
        known = self._known.take(lexemes)
        if not known.all():
            new = np.unique(lexemes[~known])
            self._table.put(new, self._says.of([self._words[one] for one in new.tolist()]))
            self._known[new] = True
        return self._table.at(lexemes)


class _Numbers(dict[str, int]):
    def __init__(self, add: Callable[[str], int]) -> None:
        self._add = add

    def __missing__(self, token: str) -> int:
        number = self[token] = self._add(token)
        return number


class Lexemes:
    """Words in lower case, each numbered once, with the columns of what is known of them; the shapes of the tokens that
    are these words as they stand, with the space after them; and the pieces of text, from space to space, that are
    these tokens: a text is cut by its spaces alone, which is quick, and each piece the first time. For any thread."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._characters = 0
        self._lexemes = _Numbers(self._add_word)
        self._tokens = _Numbers(self._add)
        self._pieces = _Numbers(self._add_piece)
        self._columns: dict[Says, Column] = {}
        self._shapes = Table(_SHAPE)
        self._inside = Table(np.dtype([("token", "i8")]))  # the tokens of all pieces, one after the other
        self._spans = Table(np.dtype([("first", "i8"), ("count", "i8")]))
        self._lock = threading.RLock()

    @property
    def is_full(self) -> bool:
        return max(len(self._pieces), len(self._tokens)) > _MOST_KNOWN or self._characters > _MOST_CHARACTERS

    def shapes(self, texts: Sequence[str]) -> tuple[Rows, Ints]:
        """The shapes of the tokens of all texts, and of how many pieces, then of how many tokens each text is."""
        lengths: list[int] = []

        def pieces() -> Iterator[list[str]]:
            for text in texts:  # one at a time: what was just split is quicker to look up
                yield (found := text.split(" "))
                lengths.append(len(found))

        with self._lock:
            every = chain.from_iterable(pieces())
            spans = self._spans.at(np.fromiter(map(self._pieces.__getitem__, every), np.int64))
            counts = spans["count"]
            shapes = self._shapes.at(self._inside.at(_places(spans["first"], counts))["token"])
        edges = np.append(0, np.cumsum(counts))[np.append(0, np.cumsum(lengths, dtype=np.int64))]
        return shapes, np.diff(edges)

    def known(self, says: Says, numbers: Ints) -> Rows:
        """What `says` tells of each."""
        with self._lock:
            column = self._columns.get(says)
            if column is None:
                column = self._columns[says] = Column(says, self.words)
            return column.at(numbers)

    def _add_piece(self, piece: str) -> int:
        self._characters += len(piece)
        tokens = _TOKEN.findall(f"{_without_addresses(piece)} ")
        first = self._inside.size
        for token in tokens:
            self._inside.append(self._tokens[token])
        return self._spans.append(first, len(tokens))

    def _add(self, token: str) -> int:
        shown = token.rstrip()
        return self._shapes.append(*_shape(token, shown, self._lexemes[shown.lower()]))

    def _add_word(self, word: str) -> int:
        self.words.append(word)
        return len(self.words) - 1


def _shape(token: str, shown: str, lexeme: int) -> tuple[int | bool, ...]:
    first, word = shown[:1], folded(shown)
    ends = shown != "" and first in _ENDING
    opens = first.isupper() or first.isdigit() or first in _OPENING or first >= "\U0001f300"
    return (
        lexeme, len(token), "\n" in token[len(shown) :], len(token) > len(shown), ends, ends and len(shown) > 1,
        len(shown) == 1 and first in _CLOSING, shown != "" and opens, word in _TURNING,
        hashed(word) if first.isalnum() else 0, shown.istitle(), bare(word, "fr") in _NAMING, word in _JOINING,
        not shown.strip(",;"), not shown, word in _MAY_TURN,
    )  # fmt: skip


_known = Lexemes()


def _lexemes() -> Lexemes:
    """This process's; texts that were cut before keep theirs."""
    global _known
    if _known.is_full:
        _known = Lexemes()
    return _known


@dataclass(slots=True)
class Tokens:
    """The tokens of `texts`, in order: the lexeme of each, and which text and clause hold it.

    Clauses are counted through all texts: `clause_text` says of which text each is, `starts` and `stops` where it lies
    in that text, `turned` whether it begins with a word of contrast, `begins` whether a sentence begins with it,
    `blank` whether it holds nothing but space and commas, `first` which token is its first. `named`: the tokens that
    belong to a name.
    """

    texts: Sequence[str]
    lexemes: Lexemes
    lexeme: Ints
    text: Ints
    clause: Ints
    named: Bools
    clause_text: Ints
    starts: Ints
    stops: Ints
    turned: Bools
    begins: Bools
    blank: Bools
    first: Ints

    def known(self, says: Says) -> Rows:
        """What `says` tells of each token."""
        return self.lexemes.known(says, self.lexeme)

    def words_of(self, places: Sequence[int], lengths: Mapping[int, int]) -> list[str]:
        """How the tokens at `places` are written, each with those that follow it up to its length, if it has one; in
        lower case."""
        words = self.lexemes.words
        written = [words[one] for one in self.lexeme[places].tolist()]
        for at, first in enumerate(places):
            if first in lengths:
                ours = self.lexeme[first : first + lengths[first]].tolist()
                written[at] = " ".join([words[one] for one in ours])
        return written

    @property
    def first_of_text(self) -> Ints:
        """The first token of each text that has one."""
        return self.first[heads(self.clause_text)]

    def clauses(self) -> "Clauses":
        """Each clause as it stands."""
        return Clauses(self)

    def only(self, kept: Bools) -> "Tokens":
        """The same of some of the texts: of those where `kept` is true."""
        if kept.all():
            return self
        clauses = kept[self.clause_text]
        tokens = clauses[self.clause]
        text_number, clause_number = np.cumsum(kept) - 1, np.cumsum(clauses) - 1
        return Tokens(
            [text for text, is_kept in zip(self.texts, kept.tolist(), strict=True) if is_kept],
            self.lexemes, self.lexeme[tokens], text_number[self.text[tokens]], clause_number[self.clause[tokens]],
            self.named[tokens], text_number[self.clause_text[clauses]], self.starts[clauses], self.stops[clauses],
            self.turned[clauses], self.begins[clauses], self.blank[clauses], heads(self.clause[tokens]),
        )  # fmt: skip


class Clauses(Sequence[str]):
    """Clauses, without the space around them and the comma before the turn; cut when one asks, as few do."""

    def __init__(self, tokens: Tokens) -> None:
        spans = (tokens.clause_text, tokens.starts, tokens.stops, tokens.turned)
        self._spans = list(zip(*(one.tolist() for one in spans), strict=True))
        self._texts = tokens.texts

    def __len__(self) -> int:
        return len(self._spans)

    def __getitem__(self, number: Any) -> Any:
        text, start, stop, _ = self._spans[number]
        return self._texts[text][start:stop].strip().rstrip(",;").rstrip()

    def quoted(self, number: int) -> str:
        """One as one would quote it: without the word that turns it, and not too long."""
        words: str = self[number]
        is_turned = self._spans[number][3]
        return shortened(without_turn(words) if is_turned else words)


def cut(texts: Sequence[str]) -> Tokens:
    """The tokens of `texts`; of each, its first 20,000 characters."""
    texts = [_composed(text[:MOST_TEXT]) for text in texts]
    known = _lexemes()
    shapes, sizes = known.shapes(texts)
    of = np.repeat(np.arange(len(texts)), sizes)
    # White space at the beginning of a piece, and the blank left by an address, belong to the token before them.
    size, newline = shapes["size"], shapes["newline"]
    loose = shapes["white"]
    loose[heads(of)] = False
    if loose.any():
        own = np.flatnonzero(~loose)
        shapes, of = shapes.take(own), of.take(own)
        size, newline = np.add.reduceat(size, own), np.logical_or.reduceat(newline, own)
    turning = _turning(shapes, of)
    begins, turns = _boundaries(shapes, newline, of, turning)
    starts = begins | turns
    first = np.flatnonzero(starts)
    clause_text = of[first]
    after = np.cumsum(size)
    before = after - size
    base = before[heads(of)]
    stops = np.append(before[first[1:]], after[-1:])
    clause = np.repeat(np.arange(len(first)), np.diff(first, append=len(of)))
    blank = np.logical_and.reduceat(shapes["blank"], first) if len(first) else np.zeros(0, bool)
    return Tokens(
        texts, known, shapes["lexeme"], of, clause, _named(shapes, clause), clause_text,
        before[first] - base[clause_text], stops - base[clause_text], turning[first], begins[first], blank, first,
    )  # fmt: skip


def sentences(text: str) -> list[str]:
    """The sentences of `text`, in order; at least one, unless it is blank."""
    return sentences_of([text])[0]


def sentences_of(texts: Sequence[str]) -> list[list[str]]:
    """The sentences of each text, cut together."""
    tokens = cut(texts)
    begins = np.flatnonzero(tokens.begins)
    stops = tokens.stops[np.append(begins[1:], len(tokens.begins)) - 1]
    found: list[list[str]] = [[] for _ in texts]
    spans = (tokens.clause_text[begins], tokens.starts[begins], stops)
    for text, start, stop in zip(*(one.tolist() for one in spans), strict=True):
        sentence = tokens.texts[text][start:stop].strip()
        if sentence:
            found[text].append(sentence)
    return found


def _without_addresses(text: str) -> str:
    if "@" in text or "://" in text or "www." in text:
        return _ADDRESS.sub(lambda address: " " * len(address[0]), text)
    return text


def _composed(text: str) -> str:
    return text if text.isascii() or unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def _places(first: Ints, count: Ints) -> Ints:
    """Where the tokens of all pieces lie, in order: one after the other in a piece, then a leap to the next."""
    steps = np.ones(count.sum(), np.int64)
    begins = np.cumsum(count) - count
    steps[begins[1:]] = first[1:] - (first[:-1] + count[:-1] - 1)
    steps[begins[:1]] = first[:1]
    return np.cumsum(steps)


def _boundaries(shapes: Rows, newline: Bools, of: Ints, turning: Bools) -> tuple[Bools, Bools]:
    """Before which tokens a sentence begins, and before which a sentence turns."""
    begins = np.ones(len(of), bool)
    begins[1:] = of[1:] != of[:-1]
    ends, surely, spaced = shapes["ends"], shapes["surely"], shapes["spaced"][:-1]
    closed = shapes["closes"][1:] & ~spaced
    for _ in range(2):  # "Merci !")
        ends[1:] |= closed & ends[:-1]
        surely[1:] |= closed & surely[:-1]
    ended = newline[:-1] | (spaced & ends[:-1] & (shapes["opens"][1:] | surely[:-1]))
    turns = np.zeros(len(of), bool)
    turns[1:] = spaced & turning[1:] & ~begins[1:]
    begins[1:] |= ended
    return begins, turns & ~begins


def _turning(shapes: Rows, of: Ints) -> Bools:
    """Which tokens are words of contrast, or begin several that are one together."""
    turning: Bools = shapes["turns"]
    begins = shapes["may_turn"][:-1]
    if begins.any():
        turning[[place for place, _, _ in _TURNS.found(shapes["word"], of, begins)]] = True
    return turning


def _named(shapes: Rows, clause: Ints) -> Bools:
    """The words in capitals that follow what a name follows: "le salon Belle et Zen". Not at the end of a clause, where
    "Hôtel Superbe" is a judgement."""
    named = np.zeros(len(clause), bool)
    title, same = shapes["title"], clause[1:] == clause[:-1]
    named[1:] = title[1:] & shapes["naming"][:-1] & same
    if not named.any():
        return named
    joined = shapes["joining"][1:-1] & same[1:] & same[:-1]
    for _ in range(3):
        named[1:] |= title[1:] & named[:-1] & same
        named[2:] |= title[2:] & joined & named[:-2]
    places = np.flatnonzero(named)
    within = np.zeros(int(clause[-1]) + 1, bool)
    within[clause.take(places)] = True
    words = np.flatnonzero(within.take(clause) & (shapes["word"] > 0))
    last = words[np.diff(clause.take(words), append=-1) != 0]
    within[:] = False
    within[clause[last[named[last]]]] = True
    named[places[within.take(clause.take(places))]] = False
    return named


def in_pieces(rows: Sequence[Values], part: Ints, tokens: Tokens, weight: Values | None = None) -> Floats:
    """Rows of values of tokens, whose clauses are `part`, summed by clause, then by text, side by side; a clause has
    `weight` in its text, alike in all rows or its own in each."""
    by_clause = summed(rows, part, len(tokens.clause_text))
    weighed = by_clause if weight is None else by_clause * weight
    by_text = summed(list(weighed), tokens.clause_text, len(tokens.texts))
    return np.concatenate((by_clause, by_text), axis=1)


def summed(rows: Sequence[Values], part: Ints, count: int, first: Ints | None = None) -> Floats:
    """The sums of the values of each row that lie in the same of `count` parts, the parts in order; shape (rows,
    count). `first` is where each part begins, if known."""
    sums = np.zeros((len(rows), count))
    first = heads(part) if first is None else first
    if len(first):
        of = part[first]
        for row, ours in zip(rows, sums, strict=True):
            ours[of] = np.add.reduceat(row.astype(np.float64), first)
    return sums


def heads(part: Ints) -> Ints:
    """Where each part begins."""
    return np.flatnonzero(np.append(len(part) > 0, part[1:] != part[:-1]))


class Phrases:
    """Finds runs of words in a sequence of hashes, the longest first, each word in one phrase at most.

    `entries`: hashes of the words → value. A phrase is known by its length and one hash of theirs, of 64 bits.
    """

    def __init__(self, entries: dict[tuple[int, ...], Any]) -> None:
        self.firsts, self.seconds = ({key[at] for key in entries} for at in (0, 1))
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

    def found(self, hashes: Hashes, part: Ints, begins: Bools) -> list[tuple[int, int, Any]]:
        """(place, length, value) of each phrase that lies in one `part`. `begins` tells for all places but the last
        whether one may begin there: it must do so where a word of `firsts` stands before one of `seconds`."""
        met, free = [], 0
        for place, shorter, key in sorted(self._likely(hashes, part, np.flatnonzero(begins))):
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


_TURNING = frozenset(folded(one) for one in CONTRASTS if " " not in one)
_MAY_TURN = frozenset(folded(one).split()[0] for one in CONTRASTS if " " in one)
_TURNS = Phrases({tuple(map(hashed, folded(one).split())): True for one in CONTRASTS if " " in one})
