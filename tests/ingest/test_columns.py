"""Tables as platforms and people write them: which column is what, and on which scale."""

import pytest

from ingest import files
from ingest.files.columns import UnknownColumnsError, recognised
from ingest.files.table import How

PARIS = How("Europe/Paris")

HEADERS = [
    (
        "Review date|Guest name|Reservation number|Review title|Positive review|Negative review|Review score|Staff|"
        "Cleanliness|Value for money|Property reply",
        "date=Review date author=Guest name title=Review title liked=Positive review disliked=Negative review "
        "rating=Review score reply=Property reply",
    ),
    (
        "Date du commentaire|Nom du client|Numéro de réservation|Commentaire positif|Commentaire négatif|"
        "Note du commentaire|Personnel|Réponse de l'établissement",
        "date=Date du commentaire author=Nom du client liked=Commentaire positif disliked=Commentaire négatif "
        "rating=Note du commentaire reply=Réponse de l'établissement",
    ),
    (
        "Date de l'avis|Note globale (sur 10)|Note cuisine|Commentaire client|Nom du client|E-mail du client",
        "date=Date de l'avis rating=Note globale (sur 10) text=Commentaire client author=Nom du client",
    ),
    (
        "Id|CreatedAt|Stars|Title|Text|Language|ConsumerName|ReplyText",
        "id=Id date=CreatedAt rating=Stars title=Title text=Text language=Language author=ConsumerName reply=ReplyText",
    ),
    (
        "Horodatage|Quelle note donnez-vous ?|Votre avis|Votre prénom",
        "date=Horodatage rating=Quelle note donnez-vous ? text=Votre avis author=Votre prénom",
    ),
    # Several ratings and none of the whole: none is taken for it.
    ("Date|Avis|Note cuisine|Note service", "date=Date text=Avis"),
    # What looks alike is not it.
    ("Nom du produit|Avis publiés|Nombre d'avis|Date de commande", "text=Avis publiés"),
]


@pytest.mark.parametrize(("header", "wanted"), HEADERS, ids=[header.partition("|")[0] for header, _ in HEADERS])
def test_a_header_is_understood(header, wanted):
    names = header.split("|")
    said = {f"{field}={names[at]}" for field, at in recognised(names, {}).items()}
    assert said == {one for one in said if one in wanted}
    assert len(" ".join(said)) == len(wanted)


@pytest.mark.parametrize(
    ("text", "ratings"),
    [
        ("Note /10;Avis\n8,5;Bien\n4;Moyen\n", [4.25, 2.0]),
        ("Score (out of 20);Avis\n16;Bien\n", [4.0]),
        ("Note;Avis\n8;Bien\n9,5;Bien\n4;Moyen\n", [4.0, 4.75, 2.0]),
        ("Note;Avis\n4;Bien\n5;Bien\n3;Bien\n", [4.0, 5.0, 3.0]),
        ("Note;Sur;Avis\n8;10;Bien\n3;5;Bien\n", [4.0, 3.0]),
    ],
)
def test_the_scale_of_a_table(text, ratings):
    assert [one.rating for one in files.read(text.encode(), PARIS).found] == ratings


def test_one_slip_of_the_keyboard_changes_no_scale():
    read = files.read(("Note;Avis\n" + "4;Bien\n" * 9 + "45;Bien\n8;Bien\n").encode(), PARIS)
    assert [one.rating for one in read.found] == [4.0] * 9 + [None, None]
    assert (read.bad, read.counts["unrated"]) == ([], 2)


def test_a_row_whose_best_rating_is_nothing_keeps_its_words():
    read = files.read(b"Note;Sur;Avis\n4;0;Bien\n3;5;Bien\n", PARIS)
    assert [(one.text, one.rating) for one in read.found] == [("Bien", None), ("Bien", 3.0)]
    assert read.counts["unrated"] == 1


def test_what_was_liked_and_what_was_not_are_one_text():
    read = files.read(
        b"Review date,Review score,Positive review,Negative review\n2026-11-02,7,Calm,Thin walls\n", PARIS
    )
    assert read.found[0].text == "Calm\nThin walls"


def test_a_title_may_stand_above_the_header():
    read = files.read(b"Avis de nos clients;;\n;;\nDate;Note;Avis\n23/11/2026;4;Bien\n", PARIS)
    assert [(one.text, one.rating) for one in read.found] == [("Bien", 4.0)]


def test_an_unknown_table_shows_what_it_holds():
    with pytest.raises(UnknownColumnsError, match="--map text=COLUMN") as told:
        files.read(b"Quand;Ressenti\n23/11/2026;Bien\n", PARIS)
    assert told.value.header == ["Quand", "Ressenti"]
    assert told.value.rows == [["23/11/2026", "Bien"]]
