"""What the learnt model sees of a text: runs of one to three words, words denied, and runs of three to five characters.

A run of words lies in one clause, a run of characters in one word with the space around it: so what characters say is
known once for each word, and a text is the sum of its clauses.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.columns import Bools, Hashes, Ints
from analysis.runs import runs as runs_of
from analysis.words import DRAWN_OUT, HASTY_NOTS, PLAIN, bare

WORD_BITS, CHARACTER_BITS = 20, 19
_RUNS = (3, 4, 5)
_LONGEST = 40  # letters of one word
_REACH = 3  # words that a negation reaches over
DENYING = {
    "fr": frozenset("pas pa po jms jame jamai jamais rien aucun aucune sans ni guere nullement".split()),
    "en": HASTY_NOTS | frozenset("not never no nobody nothing none cannot without hardly nor neither".split()),
}

_PAIRED, _TRIPLED, _DENIED = (np.uint64(one) for one in (0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5))
_PLAIN = PLAIN | {0xFE0F: None, 0x2026: ".."}
_DROPPED = frozenset(",;:\"()«»-'/*.")


def normal(word: str, language: str) -> str:
    """A word without accents, elision and apostrophes, a letter repeated twice at most; empty for what says nothing."""
    word = bare(word, language).translate(_PLAIN)
    return "" if word in _DROPPED else DRAWN_OUT.sub(r"\1\1", word[:_LONGEST])


def runs(forms: Sequence[str]) -> tuple[Ints, Ints]:
    """Of each run of characters of words: which word it is of, and its bucket."""
    owners, sums = runs_of([f" {form} " for form in forms], _RUNS, of_bytes=True)
    return owners, (sums >> np.uint32(32 - CHARACTER_BITS)).astype(np.int64)


def sequences(hashes: Hashes, part: Ints) -> Iterator[tuple[Bools, Ints]]:
    """Sequences of two and three words, each time from every word on: which lie in one `part`, and the buckets."""
    near = part[1:] == part[:-1]
    pairs = _mixed(hashes[:-1] * _PAIRED + hashes[1:])
    yield near, bucket(pairs)
    pairs = pairs[:-1]
    pairs *= _TRIPLED
    pairs += hashes[2:]
    yield near[1:] & near[:-1], bucket(_mixed(pairs))


def denied(hashes: Hashes, denies: Bools, part: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Words one, two and three places after a negation (Pang, Lee & Vaithyanathan 2002): their places and buckets."""
    denying = np.flatnonzero(denies)
    for step in range(1, _REACH + 1):
        after = denying[denying + step < len(part)] + step
        reached = after[part[after] == part[after - step]]
        yield reached, bucket(_mixed(hashes[reached] + _DENIED))


def bucket(hashes: Hashes) -> Ints:
    """Where the weights of words are kept, or of their sequences, by their hashes."""
    return (hashes >> np.uint64(64 - WORD_BITS)).view(np.int64)


def _mixed(hashes: Hashes) -> Hashes:
    """The same array, spread over all 64 bits (the finaliser of SplitMix64; Steele, Lea & Flood 2014)."""
    hashes ^= hashes >> np.uint64(30)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(27)
    hashes *= np.uint64(0x94D049BB133111EB)
    hashes ^= hashes >> np.uint64(31)
    return hashes
