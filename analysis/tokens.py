"""Texts cut into words, signs and emoji, once for all who read them: columns, one row a token.

Clauses are runs of tokens, so a clause costs nothing beside the text that holds it.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import lexemes
from analysis.columns import Bools, Floats, Ints, Rows, Values, heads, present, summed
from analysis.lexemes import CONCESSION, CONTRAST, NO_TURN, OPENING_CONCESSION, TURNS, Lexemes, Says
from analysis.words import shortened, without_turn

MOST_TEXT = 20_000  # characters of one text that are read


@dataclass(slots=True)
class Tokens:
    """The tokens of `texts`, in order: the lexeme of each, and which text and clause hold it.

    Clauses are counted through all texts: `clause_text` says of which text each is, `starts` and `stops` where it lies
    in that text, `turned` whether it begins with a word of contrast, `concedes` whether with one of concession,
    `resumes` whether it follows what its sentence conceded first, `begins` whether a sentence begins with it,
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
    concedes: Bools
    resumes: Bools
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
        """The first token of each text; an empty one has a token too."""
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
            self.turned[clauses], self.concedes[clauses], self.resumes[clauses], self.begins[clauses],
            self.blank[clauses], heads(self.clause[tokens]),
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
    known = lexemes.current()
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
    begins = _begins(shapes, newline, of)
    turn = _turns(shapes, of, begins)
    resumes = _resumes(shapes, begins, turn >= CONCESSION)
    first = np.flatnonzero(begins | resumes | (turn > NO_TURN))
    clause_text = of[first]
    after = np.cumsum(size)
    before = after - size
    base = before[heads(of)]
    stops = np.append(before[first[1:]], after[-1:])
    clause = np.repeat(np.arange(len(first)), np.diff(first, append=len(of)))
    blank = np.logical_and.reduceat(shapes["blank"], first)
    return Tokens(
        texts, known, shapes["lexeme"], of, clause, _named(shapes, clause), clause_text,
        before[first] - base[clause_text], stops - base[clause_text], turn[first] == CONTRAST,
        turn[first] >= CONCESSION, resumes[first], begins[first], blank, first,
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


def _composed(text: str) -> str:
    return text if text.isascii() or unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def _begins(shapes: Rows, newline: Bools, of: Ints) -> Bools:
    """With which tokens a sentence begins."""
    begins = np.ones(len(of), bool)
    begins[1:] = of[1:] != of[:-1]
    ends, surely, spaced = shapes["ends"], shapes["surely"], shapes["spaced"][:-1]
    closed = shapes["closes"][1:] & ~spaced
    for _ in range(2):  # "Merci !")
        ends[1:] |= closed & ends[:-1]
        surely[1:] |= closed & surely[:-1]
    begins[1:] |= newline[:-1] | (spaced & ends[:-1] & (shapes["opens"][1:] | surely[:-1]))
    return begins


def _turns(shapes: Rows, of: Ints, begins: Bools) -> Values:
    """Which tokens are words of contrast or concession, or begin several that are one together, after a space."""
    turn: Values = shapes["turn"]
    for place, length, ours in TURNS.found(shapes["word"], of, shapes["begins"], shapes["follows"]):
        turn[place : place + length] = NO_TURN
        turn[place] = ours
    after_space = np.append(True, shapes["spaced"][:-1])
    turn[~begins & (~after_space | (turn == OPENING_CONCESSION))] = NO_TURN
    return turn


def _resumes(shapes: Rows, begins: Bools, concedes: Bools) -> Bools:
    """The tokens after the comma that ends what a sentence concedes first: "Malgré l'attente, un régal"."""
    resumes = np.zeros(len(begins), bool)
    conceding = np.flatnonzero(begins & concedes)
    if len(conceding):
        commas, sentences = np.flatnonzero(shapes["blank"] & shapes["spaced"]), np.flatnonzero(begins)
        comma, following = (_next(places, conceding, len(begins)) for places in (commas, sentences))
        resumes[1 + comma[comma + 1 < following]] = True
    return resumes


def _next(places: Ints, after: Ints, last: int) -> Ints:
    """The first of `places` after each; `last` where there is none."""
    return np.append(places, last)[np.searchsorted(places, after, "right")]


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
    within = present(clause.take(places), int(clause[-1]) + 1)
    words = np.flatnonzero(within.take(clause) & (shapes["word"] > 0))
    last = words[np.diff(clause.take(words), append=-1) != 0]
    within = present(clause[last[named[last]]], len(within))
    named[places[within.take(clause.take(places))]] = False
    return named


def in_pieces(rows: Sequence[Values], part: Ints, tokens: Tokens, weight: Values | None = None) -> Floats:
    """Rows of values of tokens, whose clauses are `part`, summed by clause, then by text, side by side; a clause has
    `weight` in its text, alike in all rows or its own in each."""
    by_clause = summed(rows, part, len(tokens.clause_text))
    weighed = by_clause if weight is None else by_clause * weight
    by_text = summed(list(weighed), tokens.clause_text, len(tokens.texts))
    return np.concatenate((by_clause, by_text), axis=1)
