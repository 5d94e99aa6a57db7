"""What customers ask for is told apart from what they complain of and praise."""

from pathlib import Path

import pytest

from analysis.tokens import cut
from analysis.wishes import wishes

CASES = [
    [part.strip() for part in line.split("|")]
    for line in (Path(__file__).parent / "wishes.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize(("request_meant", "language", "text"), CASES)
def test_a_request_is_heard_and_nothing_else_is(request_meant, language, text):
    assert [one.request for one in wishes(cut([text]).clauses(), language)] == (
        [] if request_meant == "-" else [request_meant]
    )


def test_a_request_keeps_the_customers_words_without_the_word_that_turns():
    (wish,) = wishes(cut(["Pain délicieux, mais il faudrait accepter la carte bleue !"]).clauses(), "fr")
    assert wish.quote == "il faudrait accepter la carte bleue !"
