"""A key for one part of the API opens that part and no other, whatever its role."""

import pytest
from starlette.testclient import TestClient

from vigie import access, db
from vigie.cli import work
from vigie.errors import InvalidInputError

PARTS = {
    "companies": "", "sources": "/sources", "mentions": "/mentions", "trends": "/trends", "rules": "/rules",
    "webhooks": "/webhooks",
}  # fmt: skip


@pytest.mark.parametrize("scope", access.SCOPES)
def test_a_key_opens_its_part_alone(house, firm, scope):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "one part", company_id=firm["id"], scopes=[scope])
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"})
    answers = {part: client.get(f"/api/v1/companies/{firm['id']}{path}") for part, path in PARTS.items()}
    assert {part: answer.status_code for part, answer in answers.items()} == {
        part: 200 if part == scope else 403 for part in PARTS
    }
    other = next(part for part in PARTS if part != scope)
    assert answers[other].json()["detail"] == f"this key is for {scope} only"


def test_every_part_of_the_api_has_a_scope(house):
    schema = TestClient(work.make_app(house), base_url="http://127.0.0.1").get("/openapi.json").json()
    tagged = {tag for path in schema["paths"].values() for one in path.values() for tag in one.get("tags", ["none"])}
    assert tagged - {"operations", "inbound"} == set(access.SCOPES)


def test_an_unknown_scope_is_refused(house):
    with db.writing(house.engine) as connection, pytest.raises(InvalidInputError, match="scope"):
        access.create_key(connection, "x", scopes=["all"])
