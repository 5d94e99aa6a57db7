"""No other site can act for somebody who is signed in, and each answer has its security headers."""

import pytest
from playwright.sync_api import sync_playwright
from sqlalchemy import select
from starlette.testclient import TestClient

from tests.conftest import start
from tests.dashboards.test_places import ARGUMENTS, served
from tests.servers import chromium
from tests.web import Answer
from vigie import access, db
from vigie.cli import work
from vigie.cli.roles import one_time_link
from vigie.db.tables import person

HERE = "http://127.0.0.1:8000"


@pytest.fixture
def client(house):
    return TestClient(work.make_app(house), base_url=HERE, follow_redirects=False)


def link_of(house):
    return one_time_link(house).rpartition("link=")[2]


def sign_in(client, house):
    assert client.post("/open", data={"link": link_of(house)}).status_code == 303


def invite(client, firm, **headers):
    data = {"email": "evil@evil.example", "role": "owner", "name": "Evil"}
    return client.post(f"/companies/{firm['id']}/settings/people", data=data, headers=headers)


def people_in(house):
    with db.reading(house.engine) as connection:
        return set(connection.scalars(select(person.c.email)))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HERE},
        {"Origin": "http://127.0.0.1:8151"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example:8000"},
        {"Origin": "http://evil.example@127.0.0.1:8000"},
    ],
)
def test_another_origin_cannot_act(client, house, firm, headers):
    sign_in(client, house)
    assert invite(client, firm, **headers).status_code == 403
    assert "evil@evil.example" not in people_in(house)


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": HERE}]
)
def test_the_own_pages_and_programs_can(client, house, firm, headers):
    sign_in(client, house)
    assert invite(client, firm, **headers).status_code == 303


def test_another_site_cannot_sign_somebody_in(client, house):
    answer = client.post("/open", data={"link": link_of(house)}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert not answer.cookies


def test_on_https_the_cookie_is_bound_to_the_host_and_a_planted_one_is_ignored(house):
    house.settings = house.settings.model_copy(update={"base_url": "https://avis.exemple.fr"})
    client = TestClient(work.make_app(house), base_url="https://avis.exemple.fr", follow_redirects=False)
    answer = client.post("/open", data={"link": link_of(house)}, headers={"Origin": "https://avis.exemple.fr"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-vigie_session=")
    assert {"secure", "httponly", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert client.get("/").status_code == 200
    with db.writing(house.engine) as connection:
        planted = access.open_session(connection, access.create_link(connection))
    other = TestClient(work.make_app(house), base_url="https://avis.exemple.fr", follow_redirects=False)
    other.cookies.set("vigie_session", planted)
    assert other.get("/").status_code == 401


def test_the_language_follows_the_same_rule(client):
    assert (
        client.post("/language", data={"language": "en"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    )


def test_a_form_on_a_sibling_origin_invites_nobody(house, firm, site):
    """In a real browser: the page of another port submits itself while an owner is signed in."""
    path = start(chromium)
    with served(house) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(f"{address}/open?link={link_of(house)}")
        page.click("main button")
        page.wait_for_url(f"{address}/**")
        action = f"{address}/companies/{firm['id']}/settings/people"
        fields = "".join(
            f'<input name="{name}" value="{value}">'
            for name, value in (("email", "evil@evil.example"), ("role", "owner"), ("name", "x"))
        )
        form = f'<form method="post" action="{action}">{fields}</form><script>document.forms[0].submit()</script>'
        site.pages["/trap"] = Answer(form.encode(), 200, {"Content-Type": "text/html"})
        page.goto(f"{site.url}/trap")
        page.wait_for_url(action)
        assert "another site" in page.content()
        browser.close()
    assert "evil@evil.example" not in people_in(house)


@pytest.mark.parametrize(
    "path", ["/", "/health", "/api/v1/companies", "/openapi.json", "/api/docs", "/static/vigie.css", "/avis/x"]
)
def test_each_answer_has_its_security_headers(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert "permissions-policy" in headers
    assert headers["cache-control"] in {"no-store", "private, no-cache"}
    assert "strict-transport-security" not in headers


def test_the_api_docs_need_nothing_from_elsewhere(client):
    page = client.get("/api/docs").text
    assert "/api/v1/companies/{company_id}/mentions" in page
    assert "//" not in page.replace("<!doctype html>", "").replace("http://", "").replace("https://", "")
    assert "<script" not in page


def test_a_redirect_never_names_the_host_that_was_sent(client):
    answer = client.get("/api/v1/companies/", headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "evil.example" not in answer.text + str(answer.headers)


def test_details_of_the_installation_are_for_this_machine_or_a_key(house, monkeypatch):
    app = work.make_app(house)
    here = TestClient(app, base_url=HERE, client=("127.0.0.1", 5_000))
    elsewhere = TestClient(app, base_url=HERE, client=("192.0.2.7", 5_000))
    assert "roles" in here.get("/ready").json()
    assert elsewhere.get("/ready").json() == {"ready": True}
    assert "vigie_build_info" in here.get("/metrics").text
    assert elsewhere.get("/metrics").status_code == 401
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "prometheus", role="reader")
    assert "vigie_build_info" in elsewhere.get("/metrics", headers={"Authorization": f"Bearer {key}"}).text
    wrong = {"Authorization": "Bearer vigie_wrong"}
    assert elsewhere.get("/metrics", headers=wrong).status_code == 401
