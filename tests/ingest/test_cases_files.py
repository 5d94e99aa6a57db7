"""Files after public bug reports (../shared/cases): each is read, or the answer says what the file is."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from ingest import files
from ingest.files.table import How
from tests.pipeline import SHARED
from vigie.errors import InvalidInputError

CASES = SHARED / "cases"
NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not CASES.exists(), reason="needs ../shared/cases")


def read_case(name):
    """Return the content of each file of a case, in the order of their names."""
    expected = json.loads((CASES / f"{name}.expect.json").read_text())
    with time_machine.travel(NOW, tick=False):
        return [files.read((CASES / file).read_bytes(), How("Europe/Paris")) for file in expected["files"]]


def moment(text):
    return datetime.fromisoformat(text).astimezone(UTC)


ENTRIES = {
    "11-csv-body-column": [
        {"author": "Lea M.", "rating": 2, "title": "Déçue", "text": "Le savon est arrivé cassé, personne ne répond",
         "published_at": moment("2026-11-02T10:19:12Z")},
        {"author": "Karim", "rating": 5, "reply": "Merci !"},
    ],
    "12-csv-comments-plural": [
        {"text": "Cold bread and rude staff", "author": "Lea"}, {"text": "Lovely"}, {"text": "Pain froid", "rating": 2},
    ],
    "13-xlsx-dimension-a1": [{}, {}],
    "18-csv-outscraper": [
        {"external_id": "rev1", "author": "Lea M.", "rating": 1, "text": "Pain froid et cher", "reply": "Désolés",
         "published_at": moment("2026-11-02T10:00:00Z"), "url": "https://maps/rev1", "title": None},
        {"external_id": "rev2", "author": "Karim", "rating": 5},
    ],
    "20-csv-relative-beats-absolute": [{"published_at": moment("2026-11-02T10:00:00+01:00"), "text": "Pain froid"}],
    "21-csv-relative-dates": [
        {"published_at": NOW - timedelta(weeks=3), "is_date_approximate": True},
        {"published_at": NOW - timedelta(days=365), "is_date_approximate": True},
        {"published_at": NOW - timedelta(days=2), "is_date_approximate": True},
    ],
    "24-csv-rating-placeholders": [{"rating": rating} for rating in (None, None, None, 4, None)],
    "27-csv-line-separators": [
        {"author": "Lea", "text": "Pain froid\net cher"}, {"author": "Karim", "text": "Parfait\nmerci"},
        {"author": "Zoé", "text": "Bon\nvraiment"},
    ],
    "28-csv-backslash-quotes": [{"text": 'On m\'a dit "non", puis rien'}, {"text": "Parfait"}],
    "29-csv-old-encodings": [
        {"author": "Léa", "text": text}
        for text in ("Très déçue, l’accueil est à revoir", "Très déçue, accueil à revoir", "Le bœuf à 15 € est cher")
    ],
    "30-csv-google-forms": [
        {"published_at": moment("2026-11-02T13:05:10Z"), "text": "Trop d'attente à la caisse", "rating": 2},
        {"published_at": moment("2026-11-03T08:15:00Z"), "text": "Parfait", "author": "Karim"},
        {"published_at": moment("2026-11-02T13:05:10Z")}, {"published_at": moment("2026-11-03T08:15:00Z")},
    ],
    "31-xlsx-serial-dates": [
        {"published_at": moment("2026-11-02T00:00:00+01:00")}, {"published_at": moment("2026-11-03T10:30:00+01:00")},
    ] * 2,
    "33-xlsx-wrong-sheet": [{}],
    "35-csv-yotpo": [
        {"external_id": "901", "author": "Lea M.", "rating": 2, "title": "Déçue", "text": "Arrivé cassé",
         "reply": "Nous vous remboursons"},
    ],
    "37-csv-feefo": [
        {"published_at": moment("2026-11-02T00:00:00+01:00"), "rating": 2, "text": "Nobody answered the phone"},
    ],
    "40-csv-two-comment-columns": [{"text": "Pain froid\nEt cher"}],
    "84-json-nested": [{"author": "Lea M.", "reply": "Désolés", "rating": 2}, {"author": "Karim", "reply": None}],
}  # fmt: skip


@pytest.mark.parametrize("name", ENTRIES)
def test_a_file_is_read_as_its_owner_meant_it(name):
    results = read_case(name)
    mentions = [mention for result in results for mention in result.found]
    assert [row for result in results for row in result.bad] == []
    assert len(mentions) == len(ENTRIES[name])
    for mention, expected in zip(mentions, ENTRIES[name], strict=True):
        assert {field: getattr(mention, field) for field in expected} == expected


def test_a_rejected_review_is_left_out_and_counted():
    (result,) = read_case("35-csv-yotpo")
    assert result.counts["refused"] == 1


@pytest.mark.parametrize(
    ("file", "word"), [("1.ods", "OpenDocument"), ("3.tgz", "unpack"), ("4.xls", "web page"), ("5.xls", "XML")]
)
def test_a_misnamed_file_is_named_for_what_it_is(file, word):
    body = (CASES / f"80-files-misnamed.{file}").read_bytes()
    with pytest.raises(InvalidInputError, match=word):
        files.read(body, How("Europe/Paris"))


@pytest.mark.parametrize("file", ["2.zip", "6.json"])
def test_a_table_is_read_where_it_lies(file):
    body = (CASES / f"80-files-misnamed.{file}").read_bytes()
    assert files.read(body, How("Europe/Paris")).found[0].text
