"""Files of mails: known by their headers, cut where a mail begins and nowhere else."""

import pytest

from ingest import files
from ingest.files.table import How
from tests.ingest.test_mail import SAMPLES, body_of, mail, signed

HOW = How("Europe/Paris")
SENDER, SUBJECT, RATING, _ = SAMPLES["trustpilot"]
SEPARATORS = [
    b"From noreply@trustpilot.com Mon Nov  2 10:00:00 2026",
    b"From - Mon Nov 02 10:00:00 2026",
    b"From 1234567890@xxx Mon Nov 02 10:00:00 +0000 2026",
    b"From MAILER-DAEMON Mon Nov  2 10:00 2026",
]


def letter(text):
    return mail(SENDER, SUBJECT, body_of(RATING, text))


@pytest.mark.parametrize(
    "head",
    [
        b"To: marie@exemple.fr\r\n",
        b"Content-Type: text/plain\r\nX-Any: y\r\n",
        b"Organization: Mercier\r\n",
        b"List-Id: <avis.mercier.example>\r\n",
        b"\xef\xbb\xbfUser-Agent: x\r\n",
        b"Received: from mx\r\n\tby mx2; Mon, 02 Nov 2026 10:00:00 +0100\r\nARC-Seal: i=1; b=" + b"x" * 5_000 + b"\r\n",
        b"\r\n\r\n",
        b"",
    ],
)
def test_a_mail_is_known_by_any_first_header(head):
    assert files.recognised(head + letter("Pain froid.")) == "mail"
    assert len(files.read(head + letter("Pain froid."), HOW).found) == 1


@pytest.mark.parametrize(
    "table",
    [
        b"From: X,Note\r\nLea,2\r\n",
        b"Auteur;Note;Avis\r\nLea;2;Froid\r\n",
        b"From city,rating,text\r\nParis,2,Froid\r\n",
        b"12\r\nrating,text\r\n2,Froid\r\n",
        b"Avis: 2026\r\nAuteur,Note\r\n\r\nFrom: x\r\nTo: y\r\n",
    ],
)
def test_a_table_is_no_mail(table):
    assert files.recognised(table) == "csv"


def test_an_emlx_is_read_without_what_stands_around_the_mail():
    raw = letter("Pain froid.")
    plist = b'<?xml version="1.0"?>\n<plist><dict><key>flags</key><integer>1</integer></dict></plist>\n'
    for number in (b"%d\n", b"%-10d\n"):
        (review,) = files.read(number % len(raw) + raw + plist, HOW).found
        assert review.text == "Pain froid."


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_sentence_that_begins_with_from_cuts_no_mail(separator):
    texts = [
        "From 2019 on it got worse.\r\nPain froid.",
        "From 10:30 to 11:00 in 2026, on a Mon, nobody came.",
        "Bien.",
    ]
    box = b"\r\n\r\n".join(separator + b"\r\n" + letter(text).replace(b"\r\nFrom 1", b"\r\n>From 1") for text in texts)
    read = files.read(box, HOW)
    assert read.bad == []
    assert [review.text for review in read.found] == [text.replace("\r\n", "\n") for text in texts]


def test_only_an_mbox_has_escaped_lines(signing):
    """The signature covers a ">From " that the sender wrote."""
    raw = signed(signing, letter("Bien.").replace(b"Bonjour,", b">From here, hello,"))
    assert files.read(raw, HOW).found[0].apart is None
    box = SEPARATORS[0] + b"\r\n" + signed(signing, letter("Bien.").replace(b"Bonjour,", b"From here, hello,"))
    assert files.read(box.replace(b"\r\nFrom here", b"\r\n>From here"), HOW).found[0].apart is None
