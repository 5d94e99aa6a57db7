"""What customers ask for is told apart from what they complain of and praise."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from analysis import wishes as module
from analysis.reading import read
from analysis.tokens import cut
from analysis.wishes import REQUESTS, Wish, cues, each_once, wishes

CASES = [
    [part.strip() for part in line.split("|")]
    for line in (Path(__file__).parent / "wishes.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def _made(text: str, language: str) -> tuple[Wish, ...]:
    tokens = cut([text])
    clauses = tokens.clauses()
    return each_once(chain.from_iterable(wishes(tokens, clauses, np.arange(len(clauses)), language).values()))


@pytest.mark.parametrize(("request_meant", "language", "text"), CASES)
def test_a_request_is_heard_and_nothing_else_is(request_meant, language, text):
    assert [one.request for one in _made(text, language)] == ([] if request_meant == "-" else [request_meant])


def test_a_request_keeps_the_customers_words_without_the_word_that_turns():
    (wish,) = _made("Pain délicieux, mais il faudrait accepter la carte bleue !", "fr")
    assert wish.quote == "il faudrait accepter la carte bleue !"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_phrase_is_passed_over(language):
    """Clauses are looked at for single words first; those must let every phrase through."""
    given = module._given(language)
    asking = [*given["wishing"], *(phrase for request in REQUESTS for phrase in given[request].get("asks", []))]
    about = given["telephone"]["about"][0]
    lacking = [f"{phrase} {about}" for phrase in (*given["hinting"], *given["lacking"])]
    texts = [phrase.replace("*", "zut ").replace("+", "") for phrase in (*asking, *lacking)]
    assert [text for text in texts if not any(cues(language).held(cut([text])))] == []


def test_a_wish_is_heard_in_a_whole_text():
    (wish,) = read("Lovely cakes. It would be great if they took cards.", default="en").wishes
    assert wish.request == "card_payment"
