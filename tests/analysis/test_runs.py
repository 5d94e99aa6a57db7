"""Runs of characters of many words at once are those of each word alone."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.runs import runs

SIZES = (1, 2, 4)


@given(st.lists(st.text(max_size=12), max_size=8))
@pytest.mark.parametrize("of_bytes", [False, True])
def test_each_run_has_the_sum_that_zlib_gives_it(of_bytes, words):
    owners, sums = runs(words, SIZES, of_bytes=of_bytes)
    letters = [word.encode("utf-8", "surrogatepass") if of_bytes else word for word in words]
    expected = [
        (number, crc32(run if isinstance(run, bytes) else run.encode("utf-8", "surrogatepass")))
        for size in SIZES
        for number, word in enumerate(letters)
        for run in (word[start : start + size] for start in range(len(word) - size + 1))
    ]
    assert list(zip(owners.tolist(), sums.tolist(), strict=True)) == expected
