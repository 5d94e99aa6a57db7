"""Exports by the shapes that platforms publish, and tables as people make them: read, or somebody is asked."""

import gzip
import io
import zipfile

import openpyxl
import pytest

from ingest import files
from ingest.files.columns import UnknownColumnsError
from ingest.files.table import How
from ingest.found import mentions
from vigie.errors import InvalidInputError

PARIS = How("Europe/Paris")

# Each with the author, rating, text, reply and day of its first review.
EXPORTS = {
    "Apify": ("title,totalScore,reviewsCount,name,text,textTranslated,publishAt,publishedAtDate,likesCount,reviewId,"
              "reviewUrl,reviewerId,reviewerUrl,stars,rating,responseFromOwnerDate,responseFromOwnerText\n"
              "Mercier,4.6,127,Lea,Pain froid,Cold bread,3 weeks ago,2026-11-02T10:00:00.000Z,0,r1,https://g/r1,11,"
              "https://g/u,2,,2026-11-03T10:00:00Z,Désolés\n",
              ("Lea", 2, "Pain froid", "Désolés", "2026-11-02")),
    "Google Play": ("Package Name,App Version Code,App Version Name,Reviewer Language,Device,Review Submit Date and Time,"
                    "Review Submit Millis Since Epoch,Review Last Update Date and Time,Star Rating,Review Title,"
                    "Review Text,Developer Reply Date and Time,Developer Reply Text,Review Link\n"
                    "fr.mercier,12,1.2,fr,pixel,2026-11-02T10:00:00Z,1793613600000,2026-11-04T10:00:00Z,2,,"
                    "Plante tout le temps,2026-11-05T10:00:00Z,Corrigé,https://play/r1\n",
                    (None, 2, "Plante tout le temps", "Corrigé", "2026-11-02")),
    "Shopify": ("product_handle,state,rating,title,author,email,location,body,reply,created_at,replied_at\n"
                "savon,published,2,Déçue,Lea,l@x.fr,Limoges,Arrivé cassé,Désolés,2026-11-02 10:00:00 UTC,\n",
                ("Lea", 2, "Arrivé cassé", "Désolés", "2026-11-02")),
    "WooCommerce": ("comment_ID,comment_post_ID,comment_author,comment_author_email,comment_author_IP,comment_date,"
                    "comment_date_gmt,comment_content,comment_approved,comment_agent,rating\n"
                    "7,12,Lea,l@x.fr,1.2.3.4,2026-11-02 11:00:00,2026-11-02 10:00:00,Arrivé cassé,1,Mozilla,2\n"
                    "8,12,Bob,b@x.fr,1.2.3.4,2026-11-02 11:00:00,2026-11-02 10:00:00,Pilules,spam,Mozilla,5\n",
                    ("Lea", 2, "Arrivé cassé", None, "2026-11-02")),
    "Okendo": ("productId,productName,productUrl,rating,title,body,reviewerName,reviewerEmail,dateCreated,status\n"
               "1,Savon,https://x.fr/savon,2,Déçue,Arrivé cassé,Lea,l@x.fr,2026-11-02T10:00:00Z,approved\n",
               ("Lea", 2, "Arrivé cassé", None, "2026-11-02")),
    "Trustpilot": ("Review Id,Review Created,Review Username,Review Stars,Review Title,Review Content,Review Language,"
                   "Company Reply Date,Company Reply Text,Review Url\n"
                   "t1,2026-11-02 10:00:00,Lea,2,Déçue,Colis cassé,fr,2026-11-03,Désolés,https://t/r1\n",
                   ("Lea", 2, "Colis cassé", "Désolés", "2026-11-02")),
    "Avis Vérifiés": ("order_ref;id_review;review_date;order_date;firstname;rate;review\n"
                      "55;a1;02/11/2026 10:00;01/10/2026;Lea;2;Colis cassé\n",
                      ("Lea", 2, "Colis cassé", None, "2026-11-02")),
    "Loox": ("id,product_handle,rating,author,email,body,created_at,photo_url,verified_purchase,reply\n"
             "1,savon,5,Lea,l@x.fr,Il sent bon,2026-11-02,,true,Merci\n", ("Lea", 5, "Il sent bon", "Merci", "2026-11-02")),
    "Booking": ("Review date,Guest name,Reservation number,Review title,Positive review,Negative review,Review score,"
                "Staff,Property reply\n2026-11-02 10:00:00,Lea,55,Bien,Calme,Murs fins,8.0,10,Merci\n"
                "2026-11-03 10:00:00,Max,56,,Calme,,10,10,\n", ("Lea", 4, "Calme\nMurs fins", "Merci", "2026-11-02")),
    "a French form": ("Horodateur,Votre nom,Combien d'étoiles ?,Dites-nous tout : votre commentaire,Vos suggestions\n"
                      "02/11/2026 10:00:00,Lea,2,Pain froid,Le réchauffer\n",
                      ("Lea", 2, "Pain froid\nLe réchauffer", None, "2026-11-02")),
    "an English form": ("Timestamp,How would you rate us?,Any comments?,Your name\n"
                        "11/25/2026 10:00:00,2,Cold bread,Lea\n11/02/2026 10:00:00,5,Lovely,Max\n",
                        ("Lea", 2, "Cold bread", None, "2026-11-25")),
    "stars in words": ("Auteur;Note;Commentaire;Date\nLea;2 étoiles sur 5;Pain froid;2 novembre 2026\n",
                       ("Lea", 2, "Pain froid", None, "2026-11-02")),
    "facts above": ("Établissement;Boulangerie Mercier;;\nPériode;du 01/11 au 30/11;;\nDate;Note;Client;Avis\n"
                    "02/11/2026;2;Lea;Pain froid\n", ("Lea", 2, "Pain froid", None, "2026-11-02")),
    "groups above": ("Avis;;;Client\nDate;Note;Commentaire;Nom\n02/11/2026;2;Pain froid;Lea\n",
                     ("Lea", 2, "Pain froid", None, "2026-11-02")),
    "an empty column first": ("Note;Commentaire;Avis;Nom;Date\n2;;Pain froid;Lea;02/11/2026\n",
                              ("Lea", 2, "Pain froid", None, "2026-11-02")),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read(name):
    body, (author, rating, text, reply, day) = EXPORTS[name]
    result = files.read(body.encode(), PARIS)
    mention = result.found[0]
    assert (mention.author, mention.rating, mention.text, mention.reply) == (author, rating, text, reply)
    assert mention.published_at.date().isoformat() in {day, "2026-11-01"}  # a day begins in Paris
    assert result.bad == []


def test_refused_reviews_are_left_out_and_counted():
    for header, stays, goes in (("Statut", "publié", "refusé"), ("approved", "true", "false"), ("spam", "no", "yes")):
        result = files.read(f"note;avis;{header}\n4;Bien;{stays}\n1;Mal;{goes}\n".encode(), PARIS)
        assert [mention.text for mention in result.found] == ["Bien"], header
        assert result.counts["refused"] == 1


def test_what_cannot_be_read_of_a_row_is_counted():
    body = "Date;Note;Avis;Date de visite\nbientôt;quatre;Bien;été\n02/11/2026;4;Mal;2026-10-01\nnovembre 2026;5;Top;\n"
    result = files.read(body.encode(), PARIS)
    assert [mention.text for mention in result.found] == ["Bien", "Mal", "Top"]
    assert {name: count for name, count in result.counts.items() if count} == {
        "undated": 1, "unrated": 1, "no_visit": 1, "approximate": 1,
    }  # fmt: skip


def test_an_approximate_day_is_no_part_of_the_identity():
    first, second = (
        mentions("co", "so", files.read(b"Note;Avis;Date\n2;Froid;il y a 3 jours\n", PARIS).found)[0] for _ in range(2)
    )
    assert first.published_at != second.published_at
    assert first.id == second.id
    assert not first.published_at_known


@pytest.mark.parametrize("body", [
    "Date;Note;Quoi de neuf\n02/11/2026;2;Le pain était froid\n03/11/2026;5;Tout était parfait\n",
    "02/11/2026;2;Lea;Pain froid\n03/11/2026;5;Karim;Parfait\n",
    "stars,what happened\n2,Cold bread and rude staff\n",
])  # fmt: skip
def test_words_that_were_not_found_are_asked_for(body):
    with pytest.raises(UnknownColumnsError) as asked:
        files.read(body.encode(), PARIS)
    header = asked.value.header
    result = files.read(body.encode(), How("Europe/Paris", {"text": header[-1]}))
    assert len(result.found) == body.count("\n") - (header[0] != "A")


def test_ratings_alone_are_read_without_a_question():
    assert len(files.read(b"Date;Note\n02/11/2026;4\n", PARIS).found) == 1
    told = How("Europe/Paris", {"rating": "Note"})
    assert len(files.read(b"Note;Serveur\n4;Paul\n", told).found) == 1


@pytest.mark.parametrize("row", ['02/11/2026;2;"Pain froid', '"02/11/2026;2;Pain froid'])
def test_a_quotation_mark_that_is_not_closed_names_its_line(row):
    body = "Date;Note;Avis\n01/11/2026;4;Bien\n" + row + '\n03/11/2026;5;"Très ""bon"""\n04/11/2026;4;Bien\n'
    with pytest.raises(InvalidInputError, match="line 3: a quotation mark"):
        files.read(body.encode(), PARIS)


def test_a_text_of_several_lines_with_commas_is_one_review():
    body = 'date,note,avis\n2026-11-02,2,"Bon, frais, cher\n1, 2, 3 soleil, non\nsympa, doux, bon"\n'
    assert [mention.text for mention in files.read(body.encode(), PARIS).found] == [
        "Bon, frais, cher\n1, 2, 3 soleil, non\nsympa, doux, bon"
    ]


@pytest.mark.parametrize("encoding", ["mac_roman", "cp850", "cp1252", "iso8859_15", "utf-16-le", "utf-16-be"])
def test_old_encodings_are_recognised(encoding):
    words = "Reçu très tôt, été déçue à l'arrivée, naïve où ça"
    body = f"Date;Note;Auteur;Avis\n02/11/2026;2;Zoé;{words}\n".encode(encoding)
    assert [(one.author, one.text) for one in files.read(body, PARIS).found] == [("Zoé", words)]


def test_one_bad_byte_changes_no_other_cell():
    body = "Note;Avis\n4;École fermée, ÉTÉ raté\n2;Reçu très tôt\n3;Caf".encode() + b"\xe9\n"
    assert [one.text for one in files.read(body, PARIS).found] == ["École fermée, ÉTÉ raté", "Reçu très tôt", "Café"]


def test_a_platform_is_read_from_its_column_or_told():
    body = b"Plateforme;Note;Avis\nGoogle;4;Bien\nTripAdvisor;2;Mal\nailleurs;3;Bof\n"
    result = files.read(body, How("Europe/Paris", platform="booking"))
    assert [one.told_platform for one in result.found] == ["google", "tripadvisor", "booking"]
    ids = [one.id for one in mentions("co", "so", result.found)]
    assert ids == [one.id for one in mentions("co", "so", files.read(body.replace(b"Plate", b"Autre"), PARIS).found)]


def test_columns_that_are_not_read_are_named():
    assert files.read("Note;Avis;Température\n4;Bien;21\n".encode(), PARIS).unread == ["Température"]


def zipped(**entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in entries.items():
            archive.writestr(name.replace("__", "."), body)
    return out.getvalue()


@pytest.mark.parametrize(("body", "word"), [
    (gzip.compress(b"note;avis\n4;Bien\n", mtime=0), "unpack"), (b"%PDF-1.7", "PDF"),
    (zipped(a__csv="x", b__csv="y"), "several"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old or a protected"),
    (b"<!DOCTYPE html><table><tr><td>Note", "web page"),
])  # fmt: skip
def test_other_files_are_named_for_what_they_are(body, word):
    with pytest.raises(InvalidInputError, match=word):
        files.read(body, PARIS)


def test_the_best_sheet_is_read():
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["Note", "Légende"])
    book.active.append([5, "très bien"])
    reviews = book.create_sheet("Avis")
    reviews.append(["Date", "Note", "Commentaire"])
    reviews.append([46328, 2, "Pain froid_x000D_\net cher"])
    book.save(out)
    (mention,) = files.read(out.getvalue(), PARIS).found
    assert (mention.text, mention.published_at.isoformat()) == ("Pain froid\net cher", "2026-11-01T23:00:00+00:00")


@pytest.mark.parametrize("body", [
    b'{"reviews": [{"rating": 2, "text": "Froid", "user": {"name": "Lea"}}]}',
    b'{\n "meta": {"page": 1},\n "result": {"rows": [{"rating": 2, "text": "Froid", "reviewer": {"name": "Lea"}}]}\n}',
    b'{"rating": 2, "text": "Froid", "author": {"name": "Lea"}}\n',
])  # fmt: skip
def test_json_is_read_where_its_rows_are(body):
    (mention,) = files.read(body, PARIS).found
    assert (mention.text, mention.rating, mention.author) == ("Froid", 2, "Lea")


@pytest.mark.parametrize("authors", [("J.", "K."), ("A1", "B2"), ("好", "美")])
def test_short_names_and_signs_stand_in_the_column_that_is_named_for_them(authors):
    rows = "".join(f"{author};👍;{stars}\n" for author, stars in zip(authors, (4, 5), strict=True))
    read = files.read(f"auteur;avis;note\n{rows}".encode(), How("UTC"))
    assert [(one.author, one.text, one.rating) for one in read.found] == [
        (authors[0], "👍", 4.0),
        (authors[1], "👍", 5.0),
    ]
    assert read.unread == []
