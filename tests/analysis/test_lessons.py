"""What a teacher said is kept by the checksum of a text, and believed beside its label."""

import numpy as np
import pytest

from analysis.learned import labelled, lessons, train
from tests.pipeline import SHARED

SAID = np.array([[0.3, 0.6], [0.95, 0.02], [0.0, 1.0]])
TEXT = "Le pain est excellent. L'attente est interminable !"


@pytest.fixture
def kept(tmp_path):
    np.savez(tmp_path / "fr.npz", **lessons.packed([TEXT, "Correct."], [SAID, np.array([[0.2, 0.2]])]))
    return lessons.unpacked(tmp_path / "fr.npz")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT, ["Le pain est excellent.", "L'attente est interminable !"]),
        ("Un seul avis, sans fin", []),
        ("", []),
        ("Oui. Très bon pain, merci bien. Non.", []),  # what is shorter than three words goes with its neighbour
        ("Premier avis ici\nDeuxième avis ici<br />Troisième avis ici",
         ["Premier avis ici", "Deuxième avis ici", "Troisième avis ici"]),
    ],
)  # fmt: skip
def test_a_text_is_cut_in_sentences(text, expected):
    assert lessons.sentences(text) == expected


def test_of_a_long_text_six_sentences_from_all_over_it_are_asked():
    found = lessons.sentences(" ".join(f"Phrase numéro {n} ici." for n in range(60)))
    assert found == [f"Phrase numéro {n} ici." for n in range(0, 60, 10)]


def test_what_was_said_comes_back_to_a_thirtieth_and_of_other_texts_nothing(kept, tmp_path):
    assert np.abs(kept.of(TEXT) - SAID).max() <= 1 / 30
    assert kept.of("Un autre avis.") is None
    assert lessons.unpacked(tmp_path / "none.npz").of(TEXT) is None


def test_a_row_is_believed_by_both_and_its_sentences_by_the_teacher(kept):
    rows = [{"text": text, "label": "pos", "source": "so"} for text in (TEXT, "Inconnu du maître. Deux phrases ici.")]
    texts, chances, weights = train._examples(rows, kept)
    assert texts == [TEXT, *lessons.sentences(TEXT), rows[1]["text"]]
    said = kept.of(TEXT)
    assert chances[0] == pytest.approx(train._LABEL * np.array([1, 0]) + (1 - train._LABEL) * said[0])
    assert chances[1:3] == pytest.approx(said[1:])
    assert chances[3].tolist() == [1, 0]
    assert weights[1] / weights[0] == pytest.approx(train._SENTENCE / 2**0.5)


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="needs ../shared/data")
def test_the_teacher_was_asked_only_of_what_may_be_learnt_from():
    for path in lessons.FOLDER.glob("*.npz"):
        language, _, without = path.stem.partition("-without-")
        left_out = frozenset(without.split("-"))
        rows = [row for row in labelled.rows_of(SHARED / "data", language) if labelled.may_learn(row, left_out)]
        with np.load(path) as kept:
            assert set(kept["texts"].tolist()) == {lessons._key(row["text"]) for row in rows}
