"""What is added is looked at first: a source that answers nothing, a second firm, a number that is none."""

import pytest
from typer.testing import CliRunner

from tests.web import Answer
from vigie import companies
from vigie.cli import app

FEED = b"<rss version='2.0'><channel><title>f</title><item><title>Un avis</title></item></channel></rss>"


@pytest.fixture
def vigie(tmp_path, monkeypatch, site):
    monkeypatch.setenv("VIGIE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("VIGIE_ALLOW_HOSTS", "127.0.0.1")

    def run(*arguments):
        return CliRunner().invoke(app, list(arguments))

    assert run("company", "add", "Maison Delage", "--city", "Limoges").exit_code == 0
    return run


def message_of(result):
    return str(result.exception) + result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("feed", "bonjour"),
        ("feed", "{site}/page"),
        ("trustpilot", "abc"),
        ("mailbox", "sophie@example.fr"),
        ("google_business", "12"),
        ("webhook", "caisse"),
        ("nothing", "x"),
    ],
)
def test_a_source_that_gives_nothing_is_refused(vigie, site, arguments):
    site.pages["/page"] = Answer(b"<html><p>no feed</p></html>", 200, {"Content-Type": "text/html"})
    kind, target = arguments
    result = vigie("source", "add", "Maison Delage", kind, target.format(site=site.url))
    assert result.exit_code != 0
    assert "so_" not in result.output


def test_a_source_that_answers_is_added_once(vigie, site):
    site.pages["/feed"] = Answer(FEED, 200, {"Content-Type": "application/rss+xml"})
    first = vigie("source", "add", "Maison Delage", "feed", f"{site.url}/feed")
    assert first.exit_code == 0
    assert first.output.startswith("so_")
    again = vigie("source", "add", "Maison Delage", "feed", f"{site.url}/feed")
    assert "already" in message_of(again)


def test_an_address_that_does_not_answer_yet_may_be_added(vigie, site):
    result = vigie("source", "add", "Maison Delage", "feed", f"{site.url}/later", "--unchecked")
    assert result.exit_code == 0


def test_a_form_says_where_it_is(vigie):
    result = vigie("source", "add", "Maison Delage", "form", "Caisse")
    assert "/avis/so_" in result.output
    assert "/card" in result.output
    assert "already" in message_of(vigie("source", "add", "Maison Delage", "form", "Caisse"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("Autre", "--siren", "123"),
        ("Autre", "--siren", "552100555"),
        ("Autre", "--website", "pas une adresse"),
        ("Autre", "--sector", "boulangerie"),
        ("maison  delage", "--city", "LIMOGES"),
    ],
)
def test_a_firm_that_cannot_be_or_is_there_is_refused(vigie, arguments):
    assert vigie("company", "add", *arguments).exit_code != 0


def test_a_second_firm_of_that_name_may_be_meant(vigie):
    assert vigie("company", "add", "Maison Delage", "--city", "Limoges", "--again").exit_code == 0
    assert vigie("company", "add", "Maison Delage", "--city", "Brive").exit_code == 0


@pytest.mark.parametrize(
    ("number", "expected"),
    [("552100554", True), ("552 100 554", True), ("55210055400013", True), ("552100555", False), ("٥٥٢١٠٠٥٥٤", False)],
)
def test_a_siren_has_its_check_digit(number, expected):
    assert companies.is_siren(number) is expected


@pytest.mark.parametrize("host", ["10.0.0.1", "[::1]:99", "169.254.169.254"])
def test_a_webhook_that_can_never_be_reached_is_refused(vigie, host, monkeypatch):
    monkeypatch.setenv("VIGIE_ALLOW_HOSTS", "")
    assert vigie("webhook", "add", "Maison Delage", f"http://{host}/x").exit_code != 0
