"""Mails that were passed on by hand, by a list or as an attachment: the first mail's words, date and identity."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from zoneinfo import ZoneInfo

import pytest

from ingest.mail.receive import read_mail

PARIS = ZoneInfo("Europe/Paris")
SENDER, OWNER = "noreply@trustpilot.com", "contact@mercier.example"
SUBJECT = "Sandrine M. a écrit un avis sur Boulangerie Mercier"
TEXT = "Pain froid et l’attente est trop longue, vraiment très déçue."
BODY = f"Bonjour,\n\n{SUBJECT}.\n\n★★☆☆☆\n\n« {TEXT} »\n\nRépondre à cet avis : https://fr.trustpilot.com/reviews/abc123\n\nL'équipe Trustpilot\n"
SENT_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

HEADS = {
    "gmail": "---------- Forwarded message ---------\nDe : Trustpilot <{sender}>\nDate: lun. 2 nov. 2026 à 10:00\nSubject: {subject}\nTo: <{owner}>\n\n\n",
    "gmail english": "---------- Forwarded message ---------\nFrom: Trustpilot <{sender}>\nDate: Mon, Nov 2, 2026 at 10:00\u202fAM\nSubject: {subject}\nTo: <{owner}>\n\n",
    "gmail in bold": "---------- Forwarded message ---------\n*De :* Trustpilot <{sender}>\n*Date:* lun. 2 nov. 2026 à 10:00\n*Subject:* {subject}\n*To:* <{owner}>\n\n",
    "outlook 2016": "De : Trustpilot [mailto:{sender}] \nEnvoyé : lundi 2 novembre 2026 10:00\nÀ : {owner}\nObjet : {subject}\n\n",
    "outlook english": "-----Original Message-----\nFrom: Trustpilot <{sender}>\nSent: Monday, November 2, 2026 10:00 AM\nTo: {owner}\nSubject: {subject}\n\n",
    "outlook in numbers": "From: Trustpilot <{sender}>\nSent: 11/2/2026 10:00 AM\nTo: {owner}\nSubject: {subject}\n\n",
    "outlook on the web": "________________________________\nDe : Trustpilot <{sender}>\nEnvoyé : lundi 2 novembre 2026 10:00\nÀ : Marie <{owner}>\nObjet : {subject}\n\n",
    "outlook new": "De : Trustpilot <{sender}>\nDate : lundi, 2 novembre 2026 à 10:00\nÀ : {owner} <{owner}>\nObjet : {subject}\n",
    "apple": "Début du message transféré :\n\nDe: Trustpilot <{sender}>\nObjet: {subject}\nDate: 2 novembre 2026 à 10:00:00 UTC+1\nÀ: {owner}\nRépondre à: <{sender}>\n\n",
    "apple english": "Begin forwarded message:\n\nFrom: Trustpilot <{sender}>\nSubject: {subject}\nDate: November 2, 2026 at 10:00:00 AM GMT+1\nTo: {owner}\nReply-To: <{sender}>\n\n",
    "yahoo": "----- Mail transféré -----De : Trustpilot <{sender}>\nDe : Trustpilot <{sender}>\nÀ : {owner}\nEnvoyé : lundi 2 novembre 2026 à 10:00:00 UTC+1\nObjet : {subject}\n\n",
    "thunderbird": "-------- Message transféré --------\nSujet : \t{subject}\nDate : \tMon, 2 Nov 2026 10:00:00 +0100\nDe : \tTrustpilot <{sender}>\nRépondre à : \t{sender}\nPour : \t{owner}\n\n\n",
    "thunderbird in cells": "-------- Message transféré --------\nSujet :\n{subject}\nDate :\nMon, 2 Nov 2026 10:00:00 +0100\nDe :\nTrustpilot <{sender}>\nPour :\n{owner}\n\n",
    "orange": '> Message du 02/11/26 10:00\n> De : "Trustpilot" <{sender}>\n> A : {owner}\n> Copie à : \n> Objet : {subject}\n> \n',
    "la poste": '> Message du 02/11/2026 10:00\n> De : "Trustpilot" <{sender}>\n> A : "Marie" <{owner}>\n> Copie à :\n> Objet : {subject}\n>\n',
    "free": "----- Mail transféré -----\nDe: \"Trustpilot\" <{sender}>\nÀ: \"Marie\" <{owner}>\nEnvoyé: Lundi 2 Novembre 2026 10:00:00\nObjet: {subject}\n\n",
    "sfr": "========================================\nMessage du : 02/11/2026 10:00\nDe : \"Trustpilot\" <{sender}>\nA : {owner}\nSujet : {subject}\n\n",
    "a long subject in two lines": "De : Trustpilot <{sender}>\nObjet : Sandrine M. a écrit un avis sur\nBoulangerie Mercier\nDate : lundi 2 novembre 2026 10:00\nÀ : {owner}\n\n",
}  # fmt: skip


def direct(date="Mon, 02 Nov 2026 10:00:00 +0100", subject=SUBJECT, sender=f"Trustpilot <{SENDER}>"):
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"], message["Date"] = sender, OWNER, subject, date
    message.set_content(BODY)
    return message.as_bytes()


def passed_on(text, subject=f"TR: {SUBJECT}"):
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = (
        "Marie <marie@mercier.example>",
        "avis@mercier.example",
        subject,
    )
    message["Date"] = "Wed, 25 Nov 2026 09:00:00 +0100"
    message.set_content(text)
    return message


def quoted(text):
    return "".join(f"> {line}\n" for line in text.split("\n"))


def with_head(name):
    text = HEADS[name].format(sender=SENDER, owner=OWNER, subject=SUBJECT) + BODY
    return text if not text.startswith("> ") else text.partition("Bonjour")[0] + quoted(BODY)


def read_one(raw, **options):
    (review,) = read_mail(raw, **options).reviews
    return review


def assert_is_the_direct_one(review):
    assert (review.author, review.rating, review.apart) == ("Sandrine M.", 2.0, "unverified")
    assert (review.text, review.published_at) == (TEXT, SENT_AT)
    assert review.external_id == read_one(direct()).external_id


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("subject", [f"TR: {SUBJECT}", "Regarde ça"])
def test_a_forward_is_the_same_review_as_the_direct_mail(name, subject):
    for zone in (PARIS, None):
        assert_is_the_direct_one(read_one(passed_on(with_head(name), subject).as_bytes(), zone=zone))


def test_the_identity_of_a_direct_mail_stays_what_it_was():
    assert read_one(direct()).external_id == "96966f4910236f1edf3994f0bd2dbfe9"


@pytest.mark.parametrize("name", HEADS)
def test_a_forward_of_a_forward_too(name):
    outer = "Pour info.\n\n---------- Forwarded message ---------\nDe : Marie <marie@mercier.example>\nDate: mer. 4 nov. 2026 à 09:00\n"
    outer += f"Subject: Fwd: {SUBJECT}\nTo: <avis@mercier.example>\n\n\nÀ lire.\n\n"
    assert_is_the_direct_one(read_one(passed_on(outer + quoted(with_head(name))).as_bytes(), zone=PARIS))


def test_a_forward_across_the_change_of_the_clocks_keeps_its_moment():
    text = with_head("gmail").replace("lun. 2 nov. 2026", "ven. 23 oct. 2026")
    assert read_one(passed_on(text).as_bytes(), zone=PARIS).published_at == datetime(2026, 10, 23, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("date", ["a day", "32/13/2026 10:00", "lun. 2 nov. 2031 à 10:00"])
def test_a_date_that_cannot_be_is_the_day_of_the_forward(date):
    text = with_head("gmail").replace("lun. 2 nov. 2026 à 10:00", date)
    assert read_one(passed_on(text).as_bytes(), zone=PARIS).published_at == datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


def test_an_attached_mail_is_the_direct_one():
    outer = passed_on("Voir ci-joint.", "Un avis")
    outer.add_attachment(message_from_bytes(direct(), policy=SMTP))
    assert_is_the_direct_one(read_one(outer.as_bytes()))


@pytest.mark.parametrize("kind", ["octet-stream", "x-eml"])
def test_an_attached_file_of_a_mail_is_the_direct_one(kind):
    outer = passed_on("Voir ci-joint.", "Un avis")
    outer.add_attachment(direct(), maintype="application", subtype=kind, filename="avis.eml")
    assert_is_the_direct_one(read_one(outer.as_bytes()))


@pytest.mark.parametrize(
    "tag",
    [
        "[EXTERNE]",
        "[EXT]",
        "[External]",
        "(External)",
        "EXT:",
        "[External Email]",
        "*EXTERN*",
        "[EXTERNAL] RE:",
        "[Expéditeur externe]",
    ],
)
def test_the_tag_of_a_gateway_is_no_part_of_the_subject(tag):
    assert_is_the_direct_one(read_one(direct(subject=f"{tag} {SUBJECT}")))


@pytest.mark.parametrize("header", ["X-Original-From", "X-Original-Sender", "Reply-To"])
def test_a_list_that_rewrites_the_sender_is_seen_through_and_proves_nothing(header):
    rewritten = direct(sender="'Trustpilot' via Avis <avis@mercier.example>")
    assert_is_the_direct_one(read_one(f"{header}: Trustpilot <{SENDER}>\r\n".encode() + rewritten))


@pytest.mark.parametrize(
    "wrapped",
    [
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Ffr.trustpilot.com%2Freviews%2Fabc123&data=05%7C02&reserved=0",
        "https://urldefense.com/v3/__https://fr.trustpilot.com/reviews/abc123__;!!AbC!x$",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__fr.trustpilot.com_reviews_abc123&d=DwMF",
        "https://www.google.com/url?q=https://fr.trustpilot.com/reviews/abc123&source=gmail",
        "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2ffr.trustpilot.com%2freviews%2fabc123&c=E",
    ],
)
def test_a_link_that_a_gateway_wrapped_is_the_platforms(wrapped):
    markup = f"<p>{SUBJECT}</p><p>2/5</p><p>« {TEXT} »</p><a href='{wrapped}'>Répondre</a>"
    message = message_from_bytes(direct(), policy=SMTP)
    message.add_alternative(markup, subtype="html")
    assert read_one(message.as_bytes()).url == "https://fr.trustpilot.com/reviews/abc123"


@pytest.mark.parametrize(
    "useless",
    [
        "Your email client does not support HTML emails. Please view this message in a browser.",
        "Votre logiciel n'affiche pas le HTML : ouvrez https://fr.trustpilot.com/view/1 dans votre navigateur.",
        "Trustpilot\nhttps://fr.trustpilot.com\nSe désabonner https://fr.trustpilot.com/unsubscribe?x=1234567890",
    ],
)
def test_the_html_is_read_where_the_plain_part_holds_no_review(useless):
    message = message_from_bytes(direct(), policy=SMTP)
    message.set_content(useless)
    message.add_alternative("".join(f"<p>{line}</p>" for line in BODY.split("\n")), subtype="html")
    assert_is_the_direct_one(read_one(message.as_bytes()))


@pytest.mark.parametrize("label", ["iso-8859-1", "ISO_8859-1", "latin1", "windows-1252"])
def test_latin_1_is_read_as_windows_1252(label):
    raw = f"From: {SENDER}\r\nSubject: =?{label}?Q?L=92abb=E9_a_=E9crit_un_avis?=\r\nContent-Type: text/plain; charset={label}\r\n\r\n"
    review = read_one(raw.encode() + "2/5\r\n\r\n« L’œuf à 5 € – bon… »\r\n".encode("cp1252"))
    assert (review.author, review.text) == ("L’abbé", "L’œuf à 5 € – bon…")
