"""Review platforms' mails: invented samples in many disguises come out right or not at all, forged ones never count."""

import base64
import quopri
import threading
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import dkim
import dns.message
import dns.resolver
import dns.rrset
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from analysis import queries
from analysis.report import Week
from dashboards import weekly
from ingest import parsing
from ingest.imports import import_file
from ingest.mail.letter import opened
from ingest.mail.proof import is_proven
from ingest.mail.receive import review_of
from ingest.parsing.pool import ParserPool
from tests.pipeline import analyse
from vigie import clock, db

TEXT = "Accueil chaleureux mais attente trop longue, dommage pour le dessert."

# platform: sender, subject, rating line, rating on five. Nobody here has seen the real mails: these are ours.
SAMPLES = {
    "google": (
        "businessprofile-noreply@google.com",
        "Sandrine M. a laissé un avis sur Boulangerie Mercier",
        "★★☆☆☆",
        2.0,
    ),
    "tripadvisor": (
        "noreply@e.tripadvisor.com",
        "Sandrine M. a publié un avis sur Boulangerie Mercier",
        "4 bulles",
        4.0,
    ),
    "trustpilot": ("noreply@trustpilot.com", "Sandrine M. a écrit un avis", "3 étoiles", 3.0),
    "thefork": ("noreply@thefork.com", "Sandrine M. a laissé un avis", "Note : 8,5/10", 4.25),
    "pagesjaunes": ("avis@pagesjaunes.fr", "Sandrine M. a déposé un avis", "Note : 4/5", 4.0),
    "avis_verifies": ("contact@avis-verifies.com", "Sandrine M. a déposé un avis", "5 sur 5", 5.0),
    "booking": ("noreply@booking.com", "Sandrine M. a laissé un commentaire", "7/10", 3.5),
    "planity": ("contact@planity.com", "Nouvel avis de Sandrine M.", "★★★★★", 5.0),
    "treatwell": ("noreply@treatwell.fr", "Sandrine M. a laissé un avis", "4 étoiles", 4.0),
    "vroomly": ("contact@vroomly.com", "Nouvel avis client de Sandrine M.", "1/5", 1.0),
    "travaux": ("noreply@travaux.com", "Nouvel avis client de Sandrine M.", "2 étoiles", 2.0),
}


def body_of(rating, text=TEXT, intro="Bonjour,", after="Répondre à cet avis"):
    return f"{intro}\n\nUn client vient de s'exprimer :\n\n{rating}\n\n« {text} »\n\n{after}\nhttps://exemple.fr/x\n"


def mail(sender, subject, text, markup=None, **headers):
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, "marie@exemple.fr", subject
    message["Message-ID"], message["Date"] = "<1@platform>", format_datetime(clock.now())
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    if markup:
        message.add_alternative(markup, subtype="html")
    return message.as_bytes()


def html_of(rating, text=TEXT, tag="p"):
    return f"<html><body><{tag}>Bonjour,</{tag}><{tag}>{rating}</{tag}><{tag}>« {text} »</{tag}><a href='https://x.fr/1'>Répondre</a></body></html>"


def forwarded(style, sender, subject, body):
    heads = {
        "gmail": f"---------- Forwarded message ---------\nDe : Plateforme <{sender}>\nDate: lun. 23 nov. 2026\nSubject: {subject}\nTo: <marie@exemple.fr>\n\n",
        "outlook": f"-----Message d'origine-----\nDe : Plateforme <{sender}>\nEnvoyé : lundi 23 novembre 2026 10:00\nÀ : marie@exemple.fr\nObjet : {subject}\n\n",
        "orange": f'> Message du 23/11/26 10:00\n> De : "Plateforme" <{sender}>\n> A : marie@exemple.fr\n> Objet : {subject}\n>\n',
    }
    quoted = "\n".join(f"> {line}" for line in body.split("\n")) if style == "orange" else body
    return mail("marie@gmail.com", f"TR : {subject}", heads[style] + quoted)


def attached(sender, subject, body):
    message = EmailMessage(policy=SMTP)
    message["From"], message["Subject"] = "marie@gmail.com", f"Fwd: {subject}"
    message.set_content("Voir ci-joint")
    inner = EmailMessage(policy=SMTP)
    inner["From"], inner["Subject"] = sender, subject
    inner.set_content(f"De : <{sender}>\n{body}")
    message.add_attachment(inner)
    return message.as_bytes()


def disguises(sender, subject, rating):
    plain, markup = body_of(rating), html_of(rating)
    stars = int(rating.count("★")) or None
    yield "plain", mail(sender, subject, plain)
    yield "html beside", mail(sender, subject, plain, markup)
    yield "html only", mail(sender, subject, "", markup)
    yield "table cells", mail(sender, subject, "", html_of(rating, tag="td"))
    yield "by gmail", forwarded("gmail", sender, subject, plain)
    yield "by outlook", forwarded("outlook", sender, subject, plain)
    yield "by orange", forwarded("orange", sender, subject, plain)
    yield "attached", attached(sender, subject, plain)
    yield "reply prefix", mail(sender, f"Re: {subject}", plain)
    yield (
        "rewrapped links",
        mail(
            sender,
            subject,
            plain.replace("https://exemple.fr", "https://safelinks.example/?url=https%3A%2F%2Fexemple.fr"),
        ),
    )
    yield "an average beside", mail(sender, subject, plain + "\nVotre note moyenne est de 4,6/5\n")
    yield "advice beside", mail(sender, subject, plain + "\nConseil : visez 5 étoiles !\n")
    yield "two ratings", mail(sender, subject, plain + "\nUn autre client : 3/5, puis 9/10\n")
    yield "no rating", mail(sender, subject, plain.replace(rating, ""))
    yield "other words", mail(sender, "Une nouvelle voix s'élève", plain)
    yield "other quotes", mail(sender, subject, plain.replace("«", '"').replace("»", '"'))
    yield "no quotes", mail(sender, subject, plain.replace("« ", "").replace(" »", ""))
    yield "narrow spaces", mail(sender, subject, plain.replace(" ", "\u00a0"))
    yield (
        "stars as pictures",
        mail(sender, subject, "", html_of(f'<img src="s.png" alt="{stars} étoiles">' if stars else rating)),
    )
    yield "invisible letters", mail(sender, subject, plain.replace("avis", "a\u200bvis"))
    yield "quoted-printable", _encoded(sender, subject, plain, "quoted-printable")
    yield "base64 latin-1", _encoded(sender, subject, plain.replace("★", "*").replace("☆", ""), "base64", "cp1252")
    yield "truncated", mail(sender, subject, plain)[:-60]


def _encoded(sender, subject, body, how, charset="utf-8"):
    raw = body.encode(charset, "replace")
    packed = quopri.encodestring(raw) if how == "quoted-printable" else base64.encodebytes(raw)
    head = mail(sender, subject, "").partition(b"\r\nContent-Type")[0]
    return (
        head
        + f"\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {how}\r\n\r\n".encode()
        + packed
    )


@pytest.mark.parametrize("platform", SAMPLES)
def test_a_sample_in_any_disguise_comes_out_right_or_not_at_all(platform):
    sender, subject, rating_line, rating = SAMPLES[platform]
    right = 0
    for name, raw in disguises(sender, subject, rating_line):
        found = review_of(raw)
        if found is None:
            continue
        assert found.rating == rating, name
        assert found.platform == platform, name
        assert found.apart in {"unverified", "unconfirmed"}, "nothing proves it"
        assert found.author in {"Sandrine M.", "Sandrine M", None}, name
        right += TEXT[:40] in found.text.replace("\u00a0", " ")
    assert right >= 12, "most disguises are read"


def test_a_mail_of_somebody_else_is_no_review():
    assert review_of(mail("friend@exemple.fr", "Sandrine a laissé un avis", body_of("1/5"))) is None
    drive = "drive-shares-noreply@google.com"
    assert review_of(mail(drive, "Sandrine a laissé un avis", body_of("1/5"))) is None
    assert review_of(mail("noreply@trustpilot.com.evil.fr", "Sandrine a écrit un avis", body_of("1/5"))) is None


def test_the_providers_word_counts_only_at_the_top_and_under_its_own_name():
    def said(header, trusted=("mx.google.com",), sender="noreply@trustpilot.com"):
        raw = b"Authentication-Results: " + header.encode() + b"\r\n" + mail(sender, "S", "x")
        return is_proven(raw, ["trustpilot.com"], trusted)

    passing = "mx.google.com; dkim=pass header.i=@trustpilot.com header.s=a; spf=pass"
    assert said(passing)
    assert said("mx.google.com; dmarc=pass (p=REJECT) header.from=trustpilot.com")
    assert not said(passing, trusted=())
    assert not said(passing.replace("mx.google.com", "mx.evil.fr"))
    assert not said("mx.google.com; dkim=fail header.i=@trustpilot.com; dmarc=fail header.from=trustpilot.com")
    assert not said("mx.google.com; dkim=pass header.i=@evil.fr")
    assert not said("mx.google.com; dkim=pass (header.i=@trustpilot.com) header.i=@evil.fr")
    forged = b"Authentication-Results: mx.evil.fr; dkim=fail\r\nAuthentication-Results: " + passing.encode()
    assert not is_proven(
        forged + b"\r\n" + mail("noreply@trustpilot.com", "S", "x"), ["trustpilot.com"], ["mx.google.com"]
    )
    two = b"From: a@evil.fr\r\nAuthentication-Results: " + passing.encode() + b"\r\n"
    assert not is_proven(two + mail("noreply@trustpilot.com", "S", "x"), ["trustpilot.com"], ["mx.google.com"])


@pytest.fixture(scope="module")
def signing():
    """A key, and a real name server on loopback that publishes it for trustpilot.com."""
    import socket

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = base64.b64encode(
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode()
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                query, who = wire.recvfrom(4096)
            except OSError:
                return
            asked = dns.message.from_wire(query)
            answer = dns.message.make_response(asked)
            name = asked.question[0].name
            if str(name) == "s1._domainkey.trustpilot.com.":
                parts = " ".join(f'"{part}"' for part in (f"v=DKIM1; k=rsa; p={public[:200]}", public[200:]))
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", parts))
            wire.sendto(answer.to_wire(), who)

    threading.Thread(target=serve, daemon=True).start()
    before = dns.resolver.default_resolver
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], wire.getsockname()[1]
    dns.resolver.default_resolver = resolver
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    yield private
    dns.resolver.default_resolver = before
    wire.close()


def signed(private, raw, domain=b"trustpilot.com", covered=(b"from", b"subject", b"date", b"to")):
    return dkim.sign(raw, b"s1", domain, private, include_headers=covered) + raw


def test_a_signature_that_verifies_proves_and_a_changed_mail_does_not(signing):
    sender, subject, rating, _ = SAMPLES["trustpilot"]
    raw = signed(signing, mail(sender, subject, body_of(rating)))
    proven = review_of(raw)
    assert (proven.apart, proven.rating, proven.author, proven.text) == (None, 3.0, "Sandrine M.", TEXT)
    forged = raw.replace(b"attente trop longue", b"attente tres longue")
    assert forged != raw
    assert review_of(forged).apart == "unverified"
    elsewhere = signed(signing, mail(sender, subject, body_of(rating)), b"evil.fr")
    assert review_of(elsewhere).apart == "unverified"


def test_a_layout_never_met_asks_once_and_is_known_again_without_a_name(signing):
    def read(subject, rating, text=TEXT):
        return review_of(signed(signing, mail("noreply@trustpilot.com", subject, body_of(rating, text))))

    first = read("Sandrine vous met 2 étoiles", "2 étoiles")
    assert (first.apart, first.author, first.rating) == ("unconfirmed", "Sandrine", 2.0)
    again = read("Jean-Marc L. vous met 5 étoiles", "5 étoiles", "Parfait, rien à redire.")
    assert (again.author, again.layout) == ("Jean-Marc L.", first.layout)
    assert read("Sandrine vous écrit", "2 étoiles").layout != first.layout
    assert read("Votre établissement Boulangerie Mercier est noté", "2 étoiles").author is None
    assert read("Sandrine a écrit un avis", "2 étoiles").layout is None, "a layout that is known asks nobody"


def test_a_genuine_mail_first_sent_to_somebody_else_waits_for_the_owners_word(signing):
    sender, subject, rating, _ = SAMPLES["trustpilot"]
    letter = mail(sender, subject, body_of(rating))
    raw, ours = signed(signing, letter), {"Marie@exemple.fr"}
    assert review_of(raw, ours=ours).apart is None
    elsewhere, alike, other = (
        review_of(signed(signing, letter.replace(b"marie@exemple.fr", to)), ours=ours)
        for to in (b"contact@boulangerie.fr", b"contact@boulangerie.fr", b"victime@exemple.fr")
    )
    assert {elsewhere.apart, other.apart} == {"unconfirmed"}
    assert elsewhere.layout == alike.layout != other.layout, "a yes holds for that address only"
    twice = b"To: marie@exemple.fr\r\n" + signed(signing, letter.replace(b"marie@exemple.fr", b"victime@exemple.fr"))
    assert (review_of(twice, ours=ours).apart, review_of(twice, ours=ours).layout) == ("unconfirmed", None)
    rewritten = signed(signing, letter, covered=(b"from", b"subject", b"date"))
    assert (review_of(rewritten, ours=ours).apart, review_of(rewritten, ours=ours).layout) == ("unconfirmed", None)


def week_of(house, firm):
    with db.reading(house.engine) as connection:
        today = clock.local_day(clock.now(), firm["timezone"])
        return weekly.gather(connection, firm, Week.of(today)), queries.alerts(connection, firm["id"])


def test_a_dropped_mail_reaches_the_alert_and_the_weekly_mail_and_a_forged_one_changes_nothing(
    house, firm, tmp_path, signing, monkeypatch
):
    # The child that reads the mails asks the test's name server as well.
    environment = {"TEST_NAME_SERVER_PORT": str(dns.resolver.default_resolver.port)}
    pool = ParserPool(tasks="tests.ingest.parser_tasks", environment=environment)
    monkeypatch.setattr(parsing, "shared_pool", lambda: pool)
    sender, subject, _, _ = SAMPLES["trustpilot"]
    raw = signed(signing, mail(sender, subject, body_of("1 étoile", "Attente horrible, accueil détestable, à fuir.")))
    (tmp_path / "vrai.eml").write_bytes(raw)
    (tmp_path / "faux.eml").write_bytes(raw.replace(b"horrible", b"criminel"))
    for name in ("faux.eml", "vrai.eml", "vrai.eml"):
        import_file(house.engine, house.intake, firm, tmp_path / name, notify=True)
        analyse(house)
        facts, alerts = week_of(house, firm)
        assert (facts["mentions"], len(alerts)) == ((0, 0) if name == "faux.eml" else (1, 1))
    shown = weekly.render(facts, "fr", page=None)
    assert "accueil détestable" in shown.text
    assert "criminel" not in shown.text + str(alerts)
    assert alerts[0]["rule"] == "negative_mention"
    with db.reading(house.engine) as connection:
        assert len(queries.mentions(connection, firm["id"], queries.Filter(apart="unverified"))) == 1


@given(st.binary(max_size=2_000))
def test_any_bytes_are_a_mail_or_none(raw):
    opened(raw)
    review_of(b"From: noreply@trustpilot.com\r\nSubject: Ali a \xc3\xa9crit un avis\r\n\r\n" + raw)
