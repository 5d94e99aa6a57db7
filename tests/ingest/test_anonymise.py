"""An anonymised mail keeps its layout and tells nobody's name, address or words."""

import pytest
from typer.testing import CliRunner

from ingest.mail.anonymise import anonymise
from ingest.mail.receive import read_mail
from tests.ingest.test_mail import html_of, mail
from tests.ingest.test_mail_forwards import HEADS, passed_on, with_head
from tests.ingest.test_mail_layouts import BLOCK, GOOGLE, ONE, google
from vigie.cli import app

SECRETS = (
    "sandrine",
    "ajay",
    "rajan",
    "marie",
    "mercier",
    "delage",
    "maison",
    "dupont",
    "06 12",
    "stale",
    "bread",
    "froid",
    "secret",
)
HTML = "<title>Marie Dupont</title><p style='secret'>Sandrine Dupont a écrit un avis</p><!-- Marie --><a href='https://x.fr/Sandrine?u=secret'>Répondre</a>"


def assert_tells_nobody(raw):
    text = raw.decode().lower()
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_mail_of_a_platform_is_still_read_and_tells_nobody():
    cleaned = anonymise(google(ONE, BLOCK))
    assert_tells_nobody(cleaned)
    (review,) = read_mail(cleaned).reviews
    assert (review.author, review.rating) == ("Xxxx Xxxxx", 2.0)
    assert "reviews/x" in review.url


@pytest.mark.parametrize("name", HEADS)
def test_a_forward_tells_nobody(name):
    assert_tells_nobody(anonymise(passed_on(f"Marie Dupont, 06 12 34 56 78\n\n{with_head(name)}").as_bytes()))


def test_markup_tells_nobody_and_keeps_its_tags():
    markup = (
        html_of("★★☆☆☆", "Pain froid, dit Marie.")
        + HTML
        + "<img alt='2 étoiles, Sandrine' src='https://x.fr/secret.png'>"
    )
    raw = mail(
        GOOGLE,
        "Sandrine Dupont a laissé un avis",
        "Sandrine Dupont\n",
        markup,
        X_Secret="Marie",
        Cc="dupont@mercier.example",
    )
    cleaned = anonymise(raw)
    assert_tells_nobody(cleaned)
    shown = cleaned.decode()
    assert GOOGLE in shown
    assert "<p>" in shown


def test_the_command_writes_a_file_beside_the_mail(tmp_path):
    path = tmp_path / "avis.eml"
    path.write_bytes(google(ONE, BLOCK))
    result = CliRunner().invoke(app, ["mail", "anonymise", str(path)])
    assert result.exit_code == 0, result.output
    assert_tells_nobody((tmp_path / "avis.anonymous.eml").read_bytes())
