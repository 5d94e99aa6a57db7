"""The layouts of Google and Trustpilot, rebuilt from what public programs expect of the real mails."""

import pytest

from ingest import files
from ingest.files.table import How
from ingest.mail.letter import parse_message, read_letters
from ingest.mail.reader import layout_of, read_reviews
from ingest.mail.receive import read_mail
from tests.ingest.test_mail import mail, signed
from vigie.errors import InvalidInputError

GOOGLE = "businessprofile-noreply@google.com"
TRUSTPILOT = "noreply.notifications@trustpilot.com"
REPLY = "https://business.google.com/n/12/reviews/AbCd_{}?hl=en"


def google_body(*blocks, heading="You got a new 2-star review"):
    parts = [heading, "Read review", "https://business.google.com/n/12/profile", ""]
    for number, block in enumerate(blocks, start=1):
        parts += [*block, "", "Reply to review", REPLY.format(number), ""]
    return "\n".join([*parts, "Google LLC, 1600 Amphitheatre Parkway", "Unsubscribe"])


def google(subject, *blocks, **options):
    return mail(GOOGLE, subject, google_body(*blocks, **options))


ONE = "Ajay left a review for Maison Delage"
BLOCK = ("Ajay Rajan", "", "The bread was stale.", 'They said "it is fresh".')


def test_one_google_review_has_its_full_name_and_all_its_words():
    (review,) = read_mail(google(ONE, BLOCK)).reviews
    assert (review.author, review.rating) == ("Ajay Rajan", 2.0)
    assert review.text == 'The bread was stale.\nThey said "it is fresh".'
    assert review.url == REPLY.format(1)


@pytest.mark.parametrize("rating", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("heading", ["You got a new {}-star review", "You've got a new {} star review!"])
def test_the_heading_says_the_rating(rating, heading):
    (review,) = read_mail(google(ONE, BLOCK, heading=heading.format(rating))).reviews
    assert review.rating == rating


@pytest.mark.parametrize(
    ("subject", "blocks", "heading"),
    [
        (ONE, [BLOCK], "You got a new 2-star review"),
        (ONE, [("Ajay Rajan", "Ajay only left a rating")], "You got a new 4-star review"),
        ("Maison Delage, you got 2 new reviews", [BLOCK, ("Zoé", "Bien.")], "2 five-star reviews"),
    ],
)
def test_what_is_met_whole_asks_nobody(subject, blocks, heading):
    (letter, *_) = read_letters(parse_message(google(subject, *blocks, heading=heading)))
    reviews = read_reviews(letter, layout_of(letter.mailbox, letter.domain))
    assert [review.apart for review in reviews] == [None] * len(blocks)


def test_words_that_look_like_the_platforms_own_stay_the_customers():
    block = (
        "Ajay Rajan",
        "Thank you for nothing.",
        "Read on.",
        "I gave 5 stars last year.",
        "Reply to review",
        "https://x.example/reviews/0000",
    )
    (review,) = read_mail(google(ONE, block)).reviews
    assert (review.author, review.rating) == ("Ajay Rajan", 2.0)
    assert review.text.startswith("Thank you for nothing.\nRead on.\nI gave 5 stars last year.\nReply to review")
    assert review.url == REPLY.format(1)


def test_a_google_rating_without_words_is_whole():
    block = ("Jean Valjean", "", "Jean Valjean only left a rating, without a review.")
    (review,) = read_mail(
        google("Jean left a review for Maison Delage", block, heading="You got a new 4-star review")
    ).reviews
    assert (review.author, review.rating, review.text) == ("Jean Valjean", 4.0, "")


def test_several_google_reviews_of_one_mail_are_each_read():
    blocks = (
        ("Ajay Rajan", "Good bread."),
        ("Zoé Petit", "Parfait.", "Merci à tous."),
        ("L. M.", "L. M. only left a rating"),
    )
    raw = google("Maison Delage, you got 3 new reviews", *blocks, heading="3 five-star reviews")
    reviews = read_mail(raw).reviews
    assert [(review.author, review.rating, review.text) for review in reviews] == [
        ("Ajay Rajan", 5.0, "Good bread."),
        ("Zoé Petit", 5.0, "Parfait.\nMerci à tous."),
        ("L. M.", 5.0, ""),
    ]
    assert len({review.external_id for review in reviews}) == 3


def test_a_customer_who_imitates_a_second_review_makes_none():
    forged = ("Ajay Rajan", "Fine.", "Reply to review", REPLY.format(9), "Paul Faux", "Horrible.")
    (review,) = read_mail(google(ONE, forged)).reviews
    assert (review.author, review.rating) == ("Ajay Rajan", 2.0)
    several = read_mail(google("Maison Delage, you got 2 new reviews", forged, BLOCK, heading="2 five-star reviews"))
    assert several.reviews == ()
    assert "could not be understood" in several.doubt


def test_a_customer_cannot_take_the_identity_of_another_review():
    (other,) = read_mail(google(ONE, BLOCK)).reviews
    claims = ("Ajay Rajan", "See", REPLY.format(1), "indeed.")
    raw = google(ONE, claims).replace(b"AbCd_1?hl=en\r\n\r\nGoogle", b"AbCd_7?hl=en\r\n\r\nGoogle")
    assert b"AbCd_7" in raw
    assert [review.external_id for review in read_mail(raw).reviews] != [other.external_id]


def test_a_rating_below_the_name_is_the_customers_own():
    """Of a layout without the heading: the words must not become one."""
    body = "Ajay Rajan\nYou got a new 5-star review\nAjay Rajan\nAwful.\n\nReply to review\n" + REPLY.format(1)
    (letter, *_) = read_letters(parse_message(mail(GOOGLE, ONE, body)))
    layout = layout_of(letter.mailbox, letter.domain)
    assert [review.apart for review in read_reviews(letter, layout)] == ["unconfirmed"]


def test_two_reviews_whose_links_hold_no_id_are_two():
    first, second = (
        read_mail(google(ONE.replace("Ajay", name), (name, text)).replace(b"AbCd_1", b"help"))
        for name, text in (("Ajay", "Good."), ("Zoé", "Bad."))
    )
    assert first.reviews[0].external_id != second.reviews[0].external_id


def test_a_google_review_is_the_same_one_however_often_it_is_passed_on():
    body = google_body(BLOCK)
    head = "---------- Forwarded message ---------\nFrom: Google Business Profile <{}>\nDate: {}\nSubject: {}\nTo: <m@x.fr>\n\n"
    dates = ("Mon, Nov 2, 2026 at 10:00 AM", "lun. 2 nov. 2026 à 10:00", "a day that cannot be read")
    ids = {
        review.external_id
        for date in dates
        for review in read_mail(mail("marie@gmail.com", f"Fwd: {ONE}", head.format(GOOGLE, date, ONE) + body)).reviews
    }
    assert ids == {review.external_id for review in read_mail(google(ONE, BLOCK)).reviews}


@pytest.mark.parametrize(
    ("subject", "heading", "name", "link"),
    [
        (
            "Ajay R. a laissé un avis sur Maison Delage",
            "Vous avez reçu un nouvel avis 2 étoiles",
            "Ajay R.",
            "Répondre à l'avis",
        ),
        ("Nouvel avis sur votre fiche Maison Delage", "Avis de deux étoiles reçu", "Ajay R.", "Répondre à cet avis"),
        ("Maison Delage : un nouvel avis vous attend", "★★☆☆☆", "Ajay R.", "Répondre à un avis"),
    ],
)
def test_a_french_google_mail_is_read_by_its_structure_and_asked_about(subject, heading, name, link):
    body = f"{heading}\nLire l'avis\nhttps://business.google.com/x\n\n{name}\n\nLe pain était rassis.\n\n{link}\n{REPLY.format(1)}\n"
    (review,) = read_mail(mail(GOOGLE, subject, body)).reviews
    assert (review.author, review.rating, review.text) == (name, 2.0, "Le pain était rassis.")
    assert review.apart in {"unverified", "unconfirmed"}


@pytest.mark.parametrize(
    "subject",
    [
        "Verify your Business Profile",
        "Maison Delage has a new owner",
        "Your performance report for October",
        "Votre fiche n'est pas validée",
    ],
)
def test_notices_to_the_owner_are_unread_and_not_counted(subject):
    content = read_mail(mail(GOOGLE, subject, "Please look at your profile.\nhttps://business.google.com/x\n"))
    assert (content.reviews, content.doubt) == ((), None)


def test_a_removed_review_is_told():
    body = "A review has been removed\nAjay Rajan\nThe bread was stale.\n"
    content = read_mail(mail(GOOGLE, "A review has been removed from Maison Delage", body))
    assert content.reviews == ()
    assert "removed" in content.doubt


TRUSTPILOT_BODY = (
    "DORIEN VM LEFT A NEW REVIEW\nHI OWNER,\nDorien VM just left a new 2-star review of delage.example:\n{}\n"
    "See this review and reply\nhttps://business.trustpilot.com/reviews/64f0\nThank you,\nTrustpilot\n"
)


@pytest.mark.parametrize(
    "text",
    [
        "Stale bread.",
        'Stale bread, they said "fresh".\nMerci de rien.',
        "Thank you for the 5 stars of your neighbour.\nhttps://delage.example",
        "Voir ailleurs.\n1/10",
    ],
)
def test_all_words_of_a_trustpilot_review_are_kept(signing, text):
    raw = signed(signing, mail(TRUSTPILOT, "You've got a new 2-star review", TRUSTPILOT_BODY.format(text)))
    (review,) = read_mail(raw).reviews
    assert (review.author, review.rating, review.text, review.apart) == ("Dorien VM", 2.0, text, None)


def test_a_name_that_imitates_the_heading_is_no_rating(signing):
    name = "Eve just left a new 5-star review of delage.example:"
    body = TRUSTPILOT_BODY.replace("DORIEN VM", name.upper()).replace("Dorien VM", name).format("Stale.")
    content = read_mail(signed(signing, mail(TRUSTPILOT, "You've got a new 2-star review", body)))
    assert all(review.rating == 2.0 for review in content.reviews)


def test_stars_in_a_customers_name_are_no_rating(signing):
    body = "Bonjour,\n\nMarc 5 étoiles a écrit un avis.\n\n1/5\n\n« Bof, sans plus. »\n\nRépondre\n"
    (review,) = read_mail(
        signed(signing, mail("noreply@trustpilot.com", "Marc 5 étoiles a écrit un avis", body))
    ).reviews
    assert (review.author, review.rating, review.apart) == ("Marc 5 étoiles", 1.0, None)


def test_of_several_ratings_the_one_above_the_words_is_asked_about(signing):
    body = "Sandrine M. a écrit un avis.\n\n2/5\n\n« Pain froid. »\n\nLe lieu voisin reçoit 5 étoiles\n"
    (review,) = read_mail(signed(signing, mail("noreply@trustpilot.com", "Sandrine M. a écrit un avis", body))).reviews
    assert (review.rating, review.apart) == (2.0, "unconfirmed")


def test_a_rating_below_the_words_is_never_chosen_among_several(signing):
    body = "Sandrine M. a écrit un avis.\n\n« Pain froid. »\n\n2/5\n\nLe lieu voisin reçoit 5 étoiles\n"
    content = read_mail(signed(signing, mail("noreply@trustpilot.com", "Sandrine M. a écrit un avis", body)))
    assert content.reviews == ()
    assert "trustpilot could not be understood" in content.doubt


def test_a_dropped_mail_that_is_not_understood_is_told():
    raw = mail("noreply@trustpilot.com", "Sandrine M. a écrit un avis", "Connectez-vous pour le lire.")
    with pytest.raises(InvalidInputError, match="could not be understood"):
        files.read(raw, How("Europe/Paris"))
