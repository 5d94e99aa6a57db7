"""A name is one line without control characters, wherever it is written; old ones are flattened in mails."""

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from dashboards import i18n
from tests.dashboards.test_cross_site import sign_in
from vigie import access, companies, db, people
from vigie.cli import work
from vigie.db.tables import company
from vigie.errors import InvalidInputError
from vigie.names import check_name

BAD = [
    "Mal\r\nBcc: x@y.fr\r\n\r\nInjected",
    "a\nb",
    "a\tb",
    "a\x1b[31mb",
    "a\x00b",
    "a\x85b",
    "a\u2028b",
    "a\u202eb",
    "a\u2066b",
]
GOOD = ["Boulangerie Mercier", "Chez Léa & Fils", "L\u2019Île d\u2019Or", "متجر", "Café 👩\u200d🍳", "A\u00a0: B"]
PAGES = {
    "company": ("/companies", "name", {}),
    "city": ("/companies", "city", {"name": "Garage Martin"}),
    "person": ("{firm}/settings/people", "name", {"email": "marie@example.fr", "role": "team"}),
    "source": ("{firm}/settings/sources", "name", {"kind": "webhook", "target": "x"}),
    "saved filter": ("{firm}/reviews", "name", {}),
    "staff": ("{firm}/settings/staff", "names", {}),
}
ROUTES = {
    "company": ("/companies", {}),
    "location": ("{firm}/locations", {}),
    "source": ("{firm}/sources", {"kind": "feed", "target": "https://example.fr/feed"}),
    "rule": ("{firm}/rules", {"conditions": {"keyword": "pain"}}),
}


@pytest.fixture
def client(house):
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1:8000", follow_redirects=False)
    sign_in(client, house)
    return client


@pytest.fixture
def program(house):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "Marie")
    headers = {"Authorization": f"Bearer {key}"}
    return TestClient(work.make_app(house), base_url="http://127.0.0.1:8000", headers=headers)


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_line_breaks_and_control_characters_are_refused(name):
    with pytest.raises(InvalidInputError, match="one line"):
        check_name(name)


@pytest.mark.parametrize("name", GOOD)
def test_names_of_all_languages_are_kept(name):
    assert check_name(name) == name


@pytest.mark.parametrize("page", PAGES)
def test_each_page_that_stores_a_name_refuses_it(client, firm, page):
    place, field, data = PAGES[page]
    bad = "Mal\x1b[1m" if page == "staff" else BAD[0]
    answer = client.post(place.format(firm=f"/companies/{firm['id']}"), data={**data, field: bad})
    assert answer.status_code == 422
    assert "un nom tient sur une ligne" in answer.text


@pytest.mark.parametrize("route", ROUTES)
def test_each_route_that_stores_a_name_refuses_it(program, firm, route):
    place, body = ROUTES[route]
    here = "/api/v1" + place.format(firm=f"/companies/{firm['id']}")
    made = program.post(here, json={**body, "name": "Terrasse"})
    assert made.status_code in {200, 201}, made.text
    answers = [
        program.post(here, json={**body, "name": BAD[0]}),
        program.patch(f"{here}/{made.json()['id']}", json={"name": BAD[0]}),
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert all("one line" in answer.json()["detail"] for answer in answers)


def test_a_name_that_was_stored_before_is_flattened_in_a_mail(house, firm):
    with db.writing(house.engine) as connection:
        connection.execute(update(company).values(name=BAD[0]))
        stored = companies.get(connection, firm["id"])
        assert people.add(connection, "marie@example.fr", name="Marie")
    for template in ("welcome", "invited"):
        values = {"firm": stored["name"], "role": "owner", "by": BAD[0], "link": None}
        assert "\nInjected" not in i18n.render(f"mail/{template}.txt", "en", **values)


def test_a_company_sees_the_name_that_it_gave_and_no_others(client, house, firm):
    with db.writing(house.engine) as connection:
        other_id = companies.add(connection, "Autre", city="Limoges")
    for company_id, name in ((other_id, "Bernard du Crédit"), (firm["id"], "")):
        data = {"email": "ownb@example.fr", "role": "team", "name": name}
        assert client.post(f"/companies/{company_id}/settings/people", data=data).status_code == 303
    assert "Bernard du Crédit" in client.get(f"/companies/{other_id}/settings").text
    here = client.get(f"/companies/{firm['id']}/settings").text
    assert "ownb@example.fr" in here
    assert "Bernard" not in here
