"""Rules that a firm writes: conditions and keyword expressions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import rules
from analysis.rules import Conditions
from vigie.errors import InvalidInputError


def said(text, **more):
    return {
        "title": None, "text": text, "language": "fr", "rating": 2.0, "label": "negative", "location_id": "l1",
        "source_id": "s1", "themes": [{"theme": "waiting", "label": "negative"}], **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("attente", "Une ATTENTE interminable", True), ("attendre", "Nous avons attendu une heure", True),
        ("eleve", "Un prix élevé", True), ("attente", "Tout était parfait", False),
        ("froid et soupe", "La soupe était froide", True), ("froid soupe", "Le pain était froid", False),
        ("froid ou tiede", "Un café tiède", True), ("froid sauf soupe", "Soupe froide", False),
        ("froid and not soupe", "Pain froid", True), ("(froid ou tiède) et plat", "Des plats tièdes", True),
        ('"pain rassis"', "Du pain rassis !", True), ('"pain rassis"', "Du pain pas rassis", False),
        ("wait or queue", "We waited for ages", True),
    ],
)  # fmt: skip
def test_a_keyword_expression_is_met_on_lemmas_without_accents(keyword, text, expected):
    language = "en" if "We" in text else "fr"
    assert rules.matches(Conditions(keyword=keyword), said(text, language=language)) is expected


@pytest.mark.parametrize("bad", ["", "et", "(froid", "froid)", "ou froid", "froid ou", "not", '""', "a " * 21, "( )"])
def test_an_expression_that_is_none_is_told(bad):
    with pytest.raises(InvalidInputError):
        rules.expression(bad)


@given(st.text(max_size=200))
def test_any_expression_is_a_test_or_an_error(written):
    try:
        test = rules.expression(written)
    except InvalidInputError:
        return
    assert test(rules._text(said("Une attente froide"))) in {True, False}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"rating_at_most": 2}, True), ({"rating_at_most": 1.5}, False), ({"source_id": "s1", "location_id": "l1"}, True),
        ({"source_id": "s2"}, False), ({"sentiment": "negative"}, True), ({"sentiment": "positive"}, False),
        ({"theme": "waiting"}, True), ({"theme": "price"}, False), ({"location_id": "l2"}, False),
    ],
)  # fmt: skip
def test_every_condition_must_hold(conditions, expected):
    assert rules.matches(rules.conditions(conditions), said("Attente.")) is expected


def test_a_rating_condition_needs_a_rating_and_a_rule_a_condition():
    assert not rules.matches(Conditions(rating_at_most=5), said("Attente.", rating=None))
    with pytest.raises(InvalidInputError):
        rules.conditions({"keyword": None})
