"""What the learnt model sees of a text: runs of one to three words and of three to five characters, as hashes.

A whole batch is one array of code points, and every step is numpy's: the sum of `c_i * P^i` over a word, brought back
by `P^-start`, is a polynomial hash that costs the same for any number of words (Karp & Rabin 1987).
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

WORD_BITS, CHARACTER_BITS = 20, 19
MOST_TEXT = 20_000  # characters of one text
_BATCH = 400_000  # characters of one array
_RUNS = (3, 4, 5)
_REACH = 3  # words that a negation reaches over
_DENYING = {
    "fr": "pas jamais rien aucun aucune sans ni guere nullement",
    "en": "not never no nobody nothing none cannot cant dont doesnt didnt isnt wasnt arent werent wont wouldnt couldnt "
    "shouldnt hasnt havent hadnt without hardly nor neither",
}
_SPACE, _WORD, _SIGN, _ALONE = range(4)

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

_PRIME = 0x9E3779B97F4A7C15
_TIMES = tuple(
    np.uint64(one) for one in (_PRIME, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5, 0x85EBCA77C2B2AE63)
)
_ADDRESS = re.compile(r"https?://\S+|www\.\S+|@\w+")
_REPEATED = re.compile(r"(.)\1{2,}")
_DROPPED = np.array([ord(sign) for sign in ",.;:\"()«»-'/*"], np.uint32)


@dataclass(frozen=True, slots=True)
class Batch:
    """Features of texts: for words and for characters, the buckets, whose text they are, and of which word of it.

    `words` names each word's place in the batch: (start, stop) in `text`.
    """

    count: int
    text: str
    words: Ints
    word_bucket: Ints
    word_text: Ints
    word_at: Ints
    run_bucket: Ints
    run_text: Ints
    run_at: Ints


def batches(texts: Sequence[str], language: str) -> Iterator[Batch]:
    """The features of `texts`, in order, in batches that fit in a processor's memory."""
    kept: list[str] = []
    size = 0
    for text in texts:
        kept.append(normal(text, language))
        size += len(kept[-1])
        if size > _BATCH:
            yield _batch(kept, language)
            kept, size = [], 0
    if kept:
        yield _batch(kept, language)


def normal(text: str, language: str) -> str:
    """Lower case without accents, addresses and names; a letter is repeated twice at most."""
    text = _ADDRESS.sub(" ", text[:MOST_TEXT].lower()).translate(_PLAIN)
    return _REPEATED.sub(r"\1\1", text.replace("'", " " if language == "fr" else "")) + " "


def _batch(texts: Sequence[str], language: str) -> Batch:
    text = " " + "".join(texts)
    letters = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)
    ends = np.cumsum([len(one) for one in texts]) + 1
    with np.errstate(over="ignore"):
        words, hashes = _words(letters)
        of = np.searchsorted(ends, words[:, 0], side="right")
        word_bucket, word_text, word_at = _sequences(hashes, of, _negations(language))
        run_bucket, run_start = _runs(letters)
    # The space before a word is the one that ends the text before it: a run is where its second character is.
    run_text = np.searchsorted(ends, run_start + 1, side="right")
    run_at = np.clip(np.searchsorted(words[:, 0], run_start + 1, side="right") - 1, 0, max(0, len(words) - 1))
    return Batch(len(texts), text, words, word_bucket, word_text, word_at, run_bucket, run_text, run_at)


def _words(letters: npt.NDArray[np.uint32]) -> tuple[Ints, Hashes]:
    """Where each word, emoticon or emoji begins and ends, and its hash."""
    kind = _KINDS[letters]
    before = np.concatenate(([0], kind[:-1]))
    begins = np.flatnonzero((kind != _SPACE) & ((kind != before) | (kind == _ALONE)))
    after = np.concatenate((kind[1:], [0]))
    stops = np.flatnonzero((kind != _SPACE) & ((kind != after) | (kind == _ALONE))) + 1
    telling = ~((stops - begins == 1) & np.isin(letters[begins], _DROPPED))
    begins, stops = begins[telling], stops[telling]
    sums = np.zeros(len(letters) + 1, np.uint64)
    np.cumsum(letters * _powers(_PRIME, len(letters)), out=sums[1:])
    inverse = _powers(pow(_PRIME, -1, 1 << 64), len(letters))
    return np.stack((begins, stops), axis=1), _mixed((sums[stops] - sums[begins]) * inverse[begins])


def _sequences(hashes: Hashes, of: Ints, negations: Hashes) -> tuple[Ints, Ints, Ints]:
    """Sequences of one, two and three words that lie in one text, each where its last word is; and words denied."""
    at = np.arange(len(hashes))
    pairs = _mixed(hashes[:-1] * _TIMES[1] + hashes[1:])
    threes = _mixed(pairs[:-1] * _TIMES[2] + hashes[2:])
    in_one, in_two = of[1:] == of[:-1], of[2:] == of[:-2]
    denied = _denied(np.isin(hashes, negations), of)
    every = np.concatenate((hashes, pairs[in_one], threes[in_two], _mixed(hashes[denied] + _TIMES[3])))
    places = np.concatenate((at, at[1:][in_one], at[2:][in_two], denied))
    return (every >> np.uint64(64 - WORD_BITS)).astype(np.int64), of[places], places


def _denied(negations: npt.NDArray[np.bool_], of: Ints) -> Ints:
    """The words within reach after a negation, in the same text (as Pang, Lee & Vaithyanathan 2002 mark them)."""
    places = np.flatnonzero(negations)
    reached = [places[places + step < len(of)] + step for step in range(1, _REACH + 1)]
    return np.concatenate([after[of[after] == of[after - step]] for step, after in enumerate(reached, start=1)])


@lru_cache(maxsize=4)
def _negations(language: str) -> Hashes:
    """The hashes of the words that deny."""
    letters = np.frombuffer(f" {_DENYING[language]} ".encode("utf-32-le"), np.uint32)
    return _words(letters)[1]


def _runs(letters: npt.NDArray[np.uint32]) -> tuple[Ints, Ints]:
    """Runs of three to five characters within a word, the space before and after it counted in."""
    spaces = _KINDS[letters] == _SPACE
    plain = np.where(spaces, np.uint32(32), letters).astype(np.uint64)
    buckets, starts = [], []
    for length in _RUNS:
        size = max(0, len(letters) - length + 1)
        hashes = np.zeros(size, np.uint64)
        broken = np.zeros(size, bool)
        for offset in range(length):
            hashes += plain[offset : size + offset] * _TIMES[offset]
            if 0 < offset < length - 1:
                broken |= spaces[offset : size + offset]
        whole = np.flatnonzero(~broken)
        buckets.append((_mixed(hashes[whole] + np.uint64(length)) >> np.uint64(64 - CHARACTER_BITS)).astype(np.int64))
        starts.append(whole)
    return np.concatenate(buckets), np.concatenate(starts)


def _mixed(hashes: Hashes) -> Hashes:
    """Spread over all 64 bits (the finaliser of SplitMix64; Steele, Lea & Flood 2014)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


_known_powers: dict[int, Hashes] = {}


def _powers(base: int, count: int) -> Hashes:
    known = _known_powers.get(base)
    if known is None or len(known) < count:
        powers = np.full(max(count, _BATCH + 3 * MOST_TEXT), base, np.uint64)
        powers[0] = 1
        known = _known_powers[base] = np.cumprod(powers, dtype=np.uint64)
    return known[:count]


def _plain_letters() -> dict[int, Any]:
    plain: dict[int, Any] = {0x153: "oe", 0xE6: "ae", 0x2019: "'", 0x2018: "'", 0xB4: "'", 0xFE0F: None, 0x2026: ".."}
    for point in range(0xC0, 0x250):
        bare = "".join(one for one in unicodedata.normalize("NFKD", chr(point)) if not unicodedata.combining(one))
        if bare != chr(point):
            plain.setdefault(point, bare.lower())
    return plain | dict.fromkeys(range(768, 880))


def _kinds() -> npt.NDArray[np.uint8]:
    kinds = np.full(0x110000, _SIGN, np.uint8)
    for point in range(0x110000):
        letter = chr(point)
        if letter.isspace() or unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Cn", "Co"}:
            kinds[point] = _SPACE
        elif letter.isalnum() or letter == "_":
            kinds[point] = _WORD
        elif point > 0x2190:
            kinds[point] = _ALONE
    return kinds


_PLAIN = _plain_letters()
_KINDS = _kinds()
