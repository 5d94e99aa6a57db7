"""Values that strangers choose to break a request: nesting, slashes, names like ids."""

import pytest
from starlette.testclient import TestClient

from api.webhooks import templates
from vigie import access, companies, db
from vigie.cli import work
from vigie.errors import InvalidInputError


@pytest.mark.parametrize("key", ["a", None])
def test_a_deep_template_is_refused(key):
    template = "text"
    for _ in range(20_000):
        template = {key: template} if key else [template]
    with pytest.raises(InvalidInputError, match="levels"):
        templates.check({"text": template}, {})


def test_a_template_deeper_than_the_parser_is_no_server_error(house, firm):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "test")
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", raise_server_exceptions=False)
    for levels in (100, 450, 900, 5_000):
        body = '{"url": "https://a.fr/hook", "template": {"a": ' + "[" * levels + "]" * levels + "}}"
        path = f"/api/v1/companies/{firm['id']}/webhooks"
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        assert 400 <= client.post(path, content=body, headers=headers).status_code < 500


def test_no_redirect_names_the_host_that_was_sent(house):
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    answer = client.get("/api/v1/companies/", headers={"Host": "attacker.example"})
    assert "attacker" not in answer.headers.get("location", "")


def test_an_id_names_its_company_even_when_another_has_that_name(house, firm):
    with db.writing(house.engine) as connection:
        companies.add(connection, firm["id"])
        assert companies.find(connection, firm["id"])["id"] == firm["id"]


def test_one_recipient_in_two_spellings_gets_one_mail(house, firm):
    with db.writing(house.engine) as connection:
        for address in ("Marie@Example.fr", "marie@example.fr", "MARIE@EXAMPLE.FR"):
            companies.add_recipient(connection, firm["id"], address)
        assert [row["email"] for row in companies.recipients(connection, firm["id"])] == ["Marie@Example.fr"]
