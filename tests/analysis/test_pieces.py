"""Pieces of text and the hashes by which they are known again."""

from collections import defaultdict
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import pieces
from analysis.pieces import Pieces

TEXTS = st.lists(st.text(st.sampled_from("ab é.'\n\t@/😀\0\ud800") | st.characters(), max_size=60), max_size=5)


def numbered():
    numbers = defaultdict(count().__next__)
    return numbers, Pieces(numbers)


def split(texts, numbers):
    """What `Pieces.tokens` tells, by a loop."""
    found = [[numbers[token] for piece in text.split(" ") for token in pieces._cut(f"{piece} ")] for text in texts]
    return [number for ours in found for number in ours], [len(ours) for ours in found]


@given(st.lists(TEXTS, max_size=4))
@settings(max_examples=200, deadline=None)
def test_texts_have_the_tokens_of_their_pieces_met_before_or_not(lots):
    numbers, known = numbered()
    for texts in [*lots, *lots]:
        tokens, sizes = known.tokens(texts)
        assert (tokens.tolist(), sizes.tolist()) == split(texts, numbers)


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_piece_has_one_hash_wherever_it_lies(texts):
    whole = "".join(f"{text} " for text in texts)
    keys, starts, stops = pieces._hashed(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_RUN", 7)
        assert pieces._hashed(whole)[0].tolist() == keys.tolist()
    by_piece = dict(zip((whole[a:b] for a, b in zip(starts, stops, strict=True)), keys.tolist(), strict=True))
    assert [by_piece[whole[a:b]] for a, b in zip(starts, stops, strict=True)] == keys.tolist()
    assert len(set(by_piece.values())) == len(by_piece)


def test_what_repeats_itself_at_length_is_not_taken_for_another():
    one, other = "ab", "ba"  # of Thue and Morse: sums of odd powers cannot tell them apart once they are long
    for _ in range(11):
        one, other = one + other, other + one
    a, b = one[:2048], one[:2048].translate(str.maketrans("ab", "ba"))
    keys, _, _ = pieces._hashed(f"{a} {b} {a} ")
    assert keys[0] == keys[2] != keys[1]
    _, known = numbered()
    tokens, _ = known.tokens([a, b, a])
    assert tokens.tolist() == [0, 1, 0]


def test_the_index_grows_and_tells_keys_apart_that_want_one_slot():
    index, chance = pieces._Index(), np.random.default_rng(7)
    alike = np.arange(1, 400, 2, dtype=np.uint64)  # all of them want the first slot
    keys = np.unique(
        np.append(alike, chance.integers(1, 1 << 63, 20_000, dtype=np.uint64) * np.uint64(2) + np.uint64(1))
    )
    chance.shuffle(keys)
    for at in range(0, len(keys), 3_000):
        index.put(keys[at : at + 3_000], np.arange(at, min(at + 3_000, len(keys))))
        assert index.numbers(keys[: at + 3_000]).tolist() == list(range(min(at + 3_000, len(keys))))
        assert (index.numbers(keys[at + 3_000 :]) == -1).all()
