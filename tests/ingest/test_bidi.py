"""No stranger's name turns the order of what stands beside it on a page; words stand in a paragraph of their own."""

import pytest

from ingest.found import Found, mentions
from vigie.names import BIDI_CONTROLS


@pytest.mark.parametrize("control", sorted(BIDI_CONTROLS), ids=lambda letter: f"U+{ord(letter):04X}")
def test_marks_that_turn_words_are_not_kept_in_names(control):
    words = f"Paul{control}trop fort{control}"
    (mention,) = mentions("co_1", "so_1", [Found(text=words, author=words, title=words)])
    assert (mention.author, mention.title) == ("Paultrop fort", "Paultrop fort")
    assert mention.text == words


def test_right_to_left_words_stay_as_they_were_written():
    words = "مخبز ممتاز\u200f! שלום"
    (mention,) = mentions("co_1", "so_1", [Found(text=words, author=words)])
    assert (mention.text, mention.author) == (words, words)
