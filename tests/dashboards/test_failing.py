"""What goes wrong is told to a browser in words, to a program as a problem (RFC 9457)."""

import pytest
from starlette.testclient import TestClient

from dashboards import visit
from tests.dashboards.test_pages_and_mail import enter
from vigie.cli import work
from vigie.errors import UnavailableError

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "fr"}


@pytest.fixture
def client(house):
    return TestClient(
        work.make_app(house), base_url="http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False
    )


def breaks(monkeypatch, error):
    def refuse(*_):
        raise error

    monkeypatch.setattr(visit.access, "authenticate", refuse)


@pytest.mark.parametrize("error", [UnavailableError("the database is gone"), RuntimeError("at 0x7f: /srv/vigie.py")])
@pytest.mark.parametrize(("language", "said"), [("fr", "Vigie ne peut pas répondre"), ("en", "Vigie cannot answer")])
def test_a_page_that_fails_says_so_in_words(client, house, firm, monkeypatch, error, language, said):
    enter(client, house)
    breaks(monkeypatch, error)
    answer = client.get(f"/companies/{firm['id']}", headers=BROWSER | {"Accept-Language": language})
    assert answer.status_code == (503 if isinstance(error, UnavailableError) else 500)
    assert answer.headers["content-type"].startswith("text/html")
    assert said in answer.text
    assert str(error) not in answer.text
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)


@pytest.mark.parametrize(
    ("method", "place", "status", "said"),
    [
        ("GET", "/nowhere", 404, "Il n’y a rien ici."),
        ("DELETE", "/guides", 404, "Il n’y a rien ici."),
        ("PUT", "/language", 405, "Cela ne peut se faire ainsi"),
        ("POST", "/open", 422, "Cela ne peut se faire ainsi"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_a_page(client, method, place, status, said):
    answer = client.request(method, place, headers=BROWSER)
    assert answer.status_code == status
    assert said in answer.text
    assert "<h1>" in answer.text


@pytest.mark.parametrize(("place", "headers"), [("/companies/{id}", {}), ("/api/v1/companies/{id}", BROWSER)])
def test_a_program_is_told_a_problem(client, monkeypatch, house, firm, place, headers):
    enter(client, house)
    breaks(monkeypatch, UnavailableError("the database is gone"))
    answer = client.get(place.format(**firm), headers={"Authorization": "Bearer vigie_x"} | headers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 503


@pytest.mark.parametrize(("language", "said"), [("fr", "l’envoi est trop lourd"), ("en", "the body may hold")])
def test_what_is_too_heavy_is_told_as_a_page(client, house, firm, language, said):
    enter(client, house)
    place = f"/companies/{firm['id']}/settings/staff"
    answer = client.post(place, data={"names": "x" * 2_100_000}, headers=BROWSER | {"Accept-Language": language})
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")
    assert said in answer.text
    assert "style" not in answer.headers["content-security-policy"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_another_site_is_refused_in_words(client, house, firm):
    enter(client, house)
    headers = BROWSER | {"Sec-Fetch-Site": "cross-site"}
    answer = client.post(f"/companies/{firm['id']}/settings/staff", data={"names": "x"}, headers=headers)
    assert answer.status_code == 403
    assert "la demande venait d’une page d’un autre site" in answer.text
    program = client.post(f"/companies/{firm['id']}/settings/staff", headers={"Sec-Fetch-Site": "cross-site"})
    assert program.headers["content-type"] == "application/problem+json"
