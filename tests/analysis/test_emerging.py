"""Subjects that rise: found with their words, and none where nothing changed."""

import random

from analysis.emerging import Said, rising

USUAL = [
    "Très bon pain, accueil chaleureux.", "La brioche est délicieuse.", "Un peu d'attente le samedi.", "Prix corrects.",
    "Les croissants sont excellents.", "Vendeuse souriante et aimable.", "Bon choix de pains spéciaux.", "Je recommande.",
]  # fmt: skip


def texts(count, chance, *more):
    return [Said(text, "fr") for text in [*(chance.choice(USUAL) for _ in range(count)), *more]]


def test_a_new_subject_is_found_with_its_words_and_a_quote():
    chance = random.Random(1)
    terminal = ["Le terminal de paiement est en panne.", "Encore le terminal de paiement en panne !", "Terminal de paiement cassé.",
                "Impossible de payer : terminal en panne.", "Leur terminal était encore en panne."]  # fmt: skip
    found = rising(texts(30, chance, *terminal), texts(150, chance))
    assert "terminal" in found[0].words
    assert (found[0].now, found[0].before, found[0].of_before) == (5, 0, 150)
    assert found[0].quote in terminal
    assert sum("terminal" in one.words or "panne" in one.words for one in found) == 1, "the same voices are told once"


def test_too_few_voices_are_no_subject():
    chance = random.Random(2)
    few = ["Le terminal est en panne."] * 3
    assert rising(texts(30, chance, *few), texts(150, chance)) == []
    assert rising(texts(3, chance), texts(2, chance)) == []


def test_the_firms_own_name_is_no_subject():
    chance = random.Random(3)
    named = [f"Merci Mercier, {text}" for text in USUAL]
    assert rising(texts(10, chance, *named), texts(100, chance), known={"mercier", "merci"}) == []


def test_where_nothing_changes_hardly_anything_rises():
    """A hundred firms and months drawn from the same texts: at most five say anything."""
    chance = random.Random(4)
    said = sum(bool(rising(texts(20, chance), texts(120, chance))) for _ in range(100))
    assert said <= 5, said


def test_a_sign_that_stands_alone_is_no_word():
    chance = random.Random(5)
    terminal = [f"Terminal en panne ! Encore {n} fois …" for n in range(5)]
    found = rising(texts(30, chance, *terminal), texts(150, chance))
    assert found[0].quote == "Terminal en panne !"


def test_hostile_texts_are_no_harm():
    odd = [Said(text, "other") for text in ("", "\x00", "😀" * 500, "a" * 20_000, "'''’’", "... !!!")]
    assert rising(odd, odd) == []
