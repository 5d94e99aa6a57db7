"""Reply drafts: they quote and invent nothing, promise nothing, and differ; what people write is checked."""

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest

from analysis.reading import Asked, read_all
from dashboards import replies

DATA = Path(__file__).parent.parent.parent.parent / "shared" / "data"
PLANTED = [
    tuple(part.strip() for part in line.split("|", 1))
    for line in Path(__file__).with_name("planted.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
WORDINGS = [replies._wordings(language) for language in ("fr", "en")]


def texts(value):
    if isinstance(value, str):
        yield value
    else:
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)


def mention(**values):
    theme = {"theme": "waiting", "label": "negative", "score": -0.8, "quote": "attente interminable"}
    usual = {
        "language": "fr",
        "rating": 1.0,
        "mixed": False,
        "contradicts": False,
        "confidence": 0.95,
        "label": "negative",
        "themes": [theme],
    }
    return usual | values


@pytest.mark.parametrize(("rule", "text"), PLANTED)
def test_a_planted_violation_is_caught(rule, text):
    assert rule in replies.faults(text)


def test_there_are_a_hundred():
    assert len(PLANTED) >= 100


@pytest.mark.parametrize(
    "text",
    [
        "Bonjour, merci pour votre message, nous l'avons lu avec attention.",
        "Nous regrettons cette attente. Appelez-nous si vous voulez en parler.",
        "Hello, thank you for your words, the team has read them.",
        "We are sorry about the noise and would like to understand.",
    ],
)
def test_a_sober_reply_is_left_alone(text):
    assert replies.faults(text) == []


def test_no_wording_of_ours_breaks_a_rule():
    assert [text for wording in WORDINGS for text in texts(wording) if replies.faults(text)] == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_same_wording_does_not_come_back_while_another_is_left(language):
    drafts = [replies.draft(mention(language=language), rank).text for rank in range(20)]
    assert len(set(drafts)) >= 18
    assert all(one != following for one, following in pairwise(drafts))


@pytest.mark.parametrize(
    "quote",
    ["appelez Sophie au 06 12 34 56 78", "le serveur Kevin est odieux", "x" * 300, "", "votre traitement est inutile"],
)
def test_a_quote_that_names_somebody_or_breaks_a_rule_is_not_taken_up(quote):
    theme = {"theme": "service", "label": "negative", "score": -0.8, "quote": quote}
    draft = replies.draft(mention(themes=[theme]))
    assert draft.quote is None
    assert not quote or quote not in draft.text


def test_stars_and_words_that_disagree_ask_for_the_tone_between():
    assert (
        replies.draft(mention(rating=5.0, contradicts=True, themes=[])).text
        == replies.draft(mention(rating=3.0, themes=[])).text
    )


@pytest.mark.skipif(not DATA.exists(), reason="the labelled texts are not here")
@pytest.mark.parametrize("name", ["aspects_fr_tripadvisor", "sentiment_en"])
def test_drafts_for_real_reviews_say_nothing_that_is_not_ours_or_theirs(name):
    """Of each reply, what is not a wording of ours is the customer's own, word for word."""
    ours = {text.partition("{")[0] for wording in WORDINGS for text in texts(wording)}
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        said = [json.loads(line)["text"] for line, _ in zip(file, range(400), strict=False)][::2]
    language = "fr" if "_fr_" in name else "en"
    for number, read in enumerate(read_all([Asked(text, hint=language) for text in said])):
        row = {"language": language, "rating": None, "mixed": read.mixed, "contradicts": False, "label": read.label,
               "confidence": read.confidence,
               "themes": [{"theme": t.theme, "label": t.label, "score": t.score, "quote": t.quote} for t in read.themes]}  # fmt: skip
        draft = replies.draft(row, number)
        assert replies.faults(draft.text) == []
        if draft.quote:
            assert draft.quote in " ".join(said[number].split())
        rest = draft.text.replace(draft.quote or "\0", "")
        for one in sorted(ours, key=len, reverse=True):
            rest = rest.replace(one, "") if one else rest
        assert rest.strip(" \n.»”\u00a0") == "", rest
