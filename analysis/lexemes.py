"""Words and the pieces of text that hold them, numbered once; what is known of each is worked out when a text first
holds it, for all new words of a lot together, and texts are read by whole arrays from then on."""

import threading
import unicodedata
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from analysis.columns import Bools, Ints, Records, Rows, Table, present
from analysis.phrases import Phrases, hashed
from analysis.pieces import Pieces
from analysis.words import CONCESSIONS, CONTRASTS, NO_CONTRASTS, OPENING_CONCESSIONS, bare, folded

# Pieces of text, or tokens, with what is known of them: beyond so many, or so many characters, all are forgotten but
# what came again.
_MOST_KNOWN, _MOST_CHARACTERS = 100_000, 2_000_000

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
        ("closes", "?"), ("opens", "?"), ("turn", "u1"), ("word", "u8"), ("title", "?"), ("naming", "?"),
        ("joining", "?"), ("blank", "?"), ("white", "?"), ("begins", "?"), ("follows", "?"),
    ]
)  # fmt: skip
NO_TURN, CONTRAST, CONCESSION, OPENING_CONCESSION = range(4)
_TURNS = {
    folded(one): turn
    for turn, words in enumerate((NO_CONTRASTS, CONTRASTS, CONCESSIONS, OPENING_CONCESSIONS))
    for one in words
}
TURNS = Phrases({tuple(map(hashed, said.split())): turn for said, turn in _TURNS.items() if " " in said})


class Says(Protocol):
    """What is to be known of lexemes: a record of `dtype` each."""

    dtype: np.dtype[Any]

    def of(self, words: Sequence[str]) -> Records:
        """The records of words in lower case, without the space after them."""


class Column:
    """What `Says` tells of each lexeme, worked out when a text first holds it."""

    def __init__(self, says: Says, words: Sequence[str]) -> None:
        self._says, self._words = says, words
        self._table = Table(says.dtype)
        self._known = np.zeros(0, bool)

    def at(self, lexemes: Ints) -> Rows:
        known = self._is_known(lexemes)
        if not known.all():
            new = np.unique(lexemes[~known])
            self._table.put(new, self._says.of([self._words[one] for one in new.tolist()]))
            self._known[new] = True
        return self._table.at(lexemes)

    def only(self, lexemes: Ints, words: Sequence[str]) -> "Column":
        """What is known of these, as a column of their own; they are `words`."""
        kept = Column(self._says, words)
        kept._known = self._is_known(lexemes)
        there = np.flatnonzero(kept._known)
        kept._table.put(there, self._table.at(lexemes[there]))
        return kept

    def _is_known(self, lexemes: Ints) -> Bools:
        if len(self._known) < len(self._words):
            self._known = np.append(self._known, np.zeros(len(self._words), bool))
        return self._known.take(lexemes)


class _Words(dict[str, int]):
    """Words in lower case, numbered when first met; `written` has them in order."""

    def __init__(self, written: Sequence[str] = ()) -> None:
        super().__init__(zip(written, range(len(written)), strict=True))
        self.written = list(written)

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self.written)
        self.written.append(word)
        return number


class _Tokens(dict[str, int]):
    """Words as they stand, with the space after them, numbered when first met; `shapes` has what they look like."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        self.words = _Words(words)
        self.shapes = Table(_SHAPE)

    def __missing__(self, token: str) -> int:
        shown = token.rstrip()
        number = self[token] = self.shapes.append(*_shape(token, shown, self.words[_word(shown)]))
        return number

    def only(self, numbers: Ints) -> tuple["_Tokens", Ints]:
        """These, numbered anew, and the numbers that their words had."""
        tokens, shapes = list(self), self.shapes.at(numbers)
        lexemes, renumbered = np.unique(shapes["lexeme"], return_inverse=True)
        kept = _Tokens([self.words.written[one] for one in lexemes.tolist()])
        kept.update((tokens[one], number) for number, one in enumerate(numbers.tolist()))
        rows = {name: shapes[name] for name in _SHAPE.names or ()} | {"lexeme": renumbered}
        kept.shapes.put(np.arange(len(numbers)), rows)
        return kept, lexemes


class Lexemes:
    """Words, tokens and pieces of text, each looked into once, with the columns of what is known of words: a text is
    cut by its spaces alone, which is quick, and each piece the first time. For any thread.

    None of these knows who holds it, so all are gone as soon as the last text that was cut with them."""

    def __init__(self, tokens: _Tokens | None = None) -> None:
        self._tokens = _Tokens() if tokens is None else tokens
        self.words: Sequence[str] = self._tokens.words.written
        self._pieces = Pieces(self._tokens)
        self._columns: dict[Says, Column] = {}
        self._came_again = np.zeros(0, bool)  # tokens that were known before a lot of texts held them
        self._lock = threading.RLock()

    @property
    def is_full(self) -> bool:
        pieces = self._pieces
        return max(pieces.size, len(self._tokens)) > _MOST_KNOWN or pieces.characters > _MOST_CHARACTERS

    def shapes(self, texts: Sequence[str]) -> tuple[Rows, Ints]:
        """The shapes of the tokens of all texts, in order, and how many tokens each text has."""
        with self._lock:
            before = len(self._tokens)
            numbers, sizes = self._pieces.tokens(texts)
            again = present(numbers[numbers < before], len(self._tokens))
            again[: len(self._came_again)] |= self._came_again
            self._came_again = again
            return self._tokens.shapes.at(numbers), sizes

    def renewed(self) -> "Lexemes":
        """Others, which know what came again, unless that is too much to begin with."""
        with self._lock:
            often = np.flatnonzero(self._came_again)
            tokens, lexemes = self._tokens.only(often if len(often) < _MOST_KNOWN // 2 else often[:0])
            new = Lexemes(tokens)
            new._columns = {says: column.only(lexemes, new.words) for says, column in self._columns.items()}
        return new

    def known(self, says: Says, numbers: Ints) -> Rows:
        """What `says` tells of each."""
        with self._lock:
            column = self._columns.get(says)
            if column is None:
                column = self._columns[says] = Column(says, self.words)
            return column.at(numbers)


def _word(shown: str) -> str:
    """In lower case; and in letters, where somebody took the bold or slanted ones of mathematics for show."""
    is_styled = "\U0001d400" <= shown[:1] <= "\U0001d7ff"
    return (unicodedata.normalize("NFKC", shown) if is_styled else shown).lower()


def _shape(token: str, shown: str, lexeme: int) -> tuple[int | bool, ...]:
    first, word = shown[:1], folded(shown)
    ends = shown != "" and first in _ENDING
    key = hashed(word) if first.isalnum() else 0
    opens = first.isupper() or first.isdigit() or first in _OPENING or first >= "\U0001f300"
    return (
        lexeme, len(token), "\n" in token[len(shown) :], len(token) > len(shown), ends, ends and len(shown) > 1,
        len(shown) == 1 and first in _CLOSING, shown != "" and opens, _TURNS.get(word, NO_TURN),
        key, shown.istitle(), bare(word, "fr") in _NAMING, word in _JOINING,
        not shown.strip(",;"), not shown, *TURNS.roles(key),
    )  # fmt: skip


_known = Lexemes()


def current() -> Lexemes:
    """This process's; texts that were cut before keep theirs."""
    global _known
    if _known.is_full:
        _known = _known.renewed()
    return _known
