"""The words shown as the reason of a score: where a reader sees it too, and such that without them the score moves."""

import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import pytest

from analysis import sentiment
from analysis.learned import labelled
from tests.pipeline import SHARED

pytestmark = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="needs the labelled texts of ../shared/data")

Spans = Sequence[tuple[int, int]]
_WORD = re.compile(r"[\w'’]+")
_DRAWS = 10


class Marked(NamedTuple):
    text: str
    spans: Spans


@cache
def marked(language: str) -> list[Marked]:
    """The sentences of `marked_spans.txt`, found again by their source and checksum."""
    texts = {
        (row["source"], f"{crc32(row['text'].encode()):08x}"): row["text"]
        for row in labelled.rows_of(SHARED / "data", language)
        if row["split"] == "test"
    }
    lines = Path(__file__).with_name("marked_spans.txt").read_text(encoding="utf-8").splitlines()
    cells = [line.split() for line in lines if line.startswith(f"{language} ")]
    return [
        Marked(texts[source, checksum], [tuple(map(int, span.split("-"))) for span in spans])
        for _, source, checksum, *spans in cells
    ]


def strongest(heard: sentiment.Heard) -> list[str]:
    return [word for word, _ in sorted(heard.because, key=lambda pair: -abs(pair[1]))[:2]]


def places(word: str, text: str) -> Spans:
    joined = r"\W+".join(map(re.escape, word.split()))
    found = [one.span() for one in re.finditer(rf"(?<!\w){joined}(?!\w)", text, re.I)]
    return found or [one.span() for one in re.finditer(joined, text, re.I)]


def without(text: str, spans: Spans) -> str:
    for start, stop in sorted(set(spans), reverse=True):
        text = text[:start] + text[stop:]
    return text


def judged(language: str, texts: Sequence[str]) -> list[sentiment.Heard]:
    return sentiment.judge(sentiment.engine_for(language), texts)


def test_the_strongest_words_stand_where_a_reader_sees_the_judgement():
    found = [
        any(start < last and first < stop for first, last in places(word, one.text) for start, stop in one.spans)
        for language in ("fr", "en")
        for one, heard in zip(marked(language), judged(language, [one.text for one in marked(language)]), strict=True)
        for word in strongest(heard)
    ]
    assert len(found) > 200
    assert sum(found) >= 0.8 * len(found)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_without_the_strongest_words_the_score_moves_three_times_as_far_as_without_any_others(language):
    chance = random.Random(language)
    told = drawn = 0.0
    for one, heard in zip(marked(language), judged(language, [one.text for one in marked(language)]), strict=True):
        words = strongest(heard)
        every = [word.span() for word in _WORD.finditer(one.text)]
        count = min(len(every), sum(len(word.split()) for word in words))
        less = without(one.text, [place for word in words for place in places(word, one.text)])
        others = [without(one.text, chance.sample(every, count)) for _ in range(_DRAWS)]
        moved = [abs(score.score - heard.score) for score in judged(language, [less, *others])]
        told += moved[0]
        drawn += sum(moved[1:]) / _DRAWS
    assert told >= 3 * drawn
