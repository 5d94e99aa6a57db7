"""The mails of the shared cases, rewritten after public bug reports: each is read as its expectation says."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from ingest import files
from ingest.files.table import How

CASES = Path(__file__).parents[3] / "shared" / "cases"
HOW = How("Europe/Paris")

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not part of this checkout")


def load_expectation(name):
    return json.loads((CASES / f"{name}.expect.json").read_text(encoding="utf-8"))["expect"]


def read_one(file_name):
    """Return the one review of a case's file."""
    (review,) = files.read((CASES / file_name).read_bytes(), HOW).found
    return review


@pytest.mark.parametrize(
    ("case", "file_name"),
    [
        ("14-mail-useless-text-part", "14-mail-useless-text-part.1.eml"),
        ("14-mail-useless-text-part", "14-mail-useless-text-part.2.eml"),
        ("15-mail-stars-in-the-words", "15-mail-stars-in-the-words.1.eml"),
        ("52-mail-iso-8859-1", "52-mail-iso-8859-1.eml"),
        ("72-mail-forward-date", "72-mail-forward-date.1.eml"),
        ("72-mail-forward-date", "72-mail-forward-date.2.eml"),
        ("72-mail-forward-date", "72-mail-forward-date.3.eml"),
        ("73-mail-forward-laposte", "73-mail-forward-laposte.eml"),
        ("75-mail-external-tag", "75-mail-external-tag.1.eml"),
        ("75-mail-external-tag", "75-mail-external-tag.2.eml"),
        ("76-mail-google-groups", "76-mail-google-groups.eml"),
        ("77-mail-first-header", "77-mail-first-header.1.eml"),
        ("77-mail-first-header", "77-mail-first-header.2.eml"),
        ("77-mail-first-header", "77-mail-first-header.3.emlx"),
        ("77-mail-first-header", "77-mail-first-header.4.eml"),
    ],
)
def test_a_mail_of_the_cases_is_read_as_expected(case, file_name):
    expected = load_expectation(case)
    review = read_one(file_name)
    assert (review.author, review.rating, review.apart) == ("Sandrine M.", 2.0, "unverified")
    assert review.text == expected.get("text", review.text)
    assert expected.get("text_contains", "") in review.text
    assert review.text.endswith("l’attente est trop longue, vraiment très déçue.")
    if "date" in expected:
        assert review.published_at == datetime.fromisoformat(expected["date"])


def test_a_rating_on_another_scale_in_the_words_is_no_rating():
    review = read_one("15-mail-stars-in-the-words.2.eml")
    assert (review.rating, review.text[:13]) == (2.0, "Je mets 2/10 ")


@pytest.mark.parametrize(
    "file_name",
    [
        "72-mail-forward-date.1.eml",
        "72-mail-forward-date.2.eml",
        "72-mail-forward-date.3.eml",
        "73-mail-forward-laposte.eml",
        "75-mail-external-tag.1.eml",
        "75-mail-external-tag.2.eml",
        "76-mail-google-groups.eml",
        "77-mail-first-header.3.emlx",
    ],
)
def test_a_mail_that_was_passed_on_is_the_same_review_as_the_direct_one(file_name):
    direct = read_one("58-imap-accented-folder.eml")
    assert read_one(file_name).external_id == direct.external_id
