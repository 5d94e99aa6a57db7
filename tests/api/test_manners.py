"""Requests sent twice, and too many of them."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from api.idempotency import Idempotency
from vigie import access, clock, db
from vigie.cli import work
from vigie.db.tables import answered, company, token, webhook


@pytest.fixture
def client(house):
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", headers=bearer(house))


def bearer(house):
    with db.writing(house.engine) as connection:
        return {"Authorization": f"Bearer {access.create_key(connection, 'test')}"}


def count(house, table):
    with db.reading(house.engine) as connection:
        return connection.scalar(select(func.count()).select_from(table))


def test_a_write_sent_again_is_done_once_and_answered_alike(client, house, firm):
    path, key = f"/api/v1/companies/{firm['id']}/webhooks", {"Idempotency-Key": "k1"}
    first = client.post(path, json={"url": "https://crm.example.fr/h"}, headers=key)
    second = client.post(path, json={"url": "https://crm.example.fr/h"}, headers=key)
    assert (second.status_code, second.json()) == (201, first.json()), "the secret too"
    assert second.headers["Idempotent-Replayed"] == "true"
    assert count(house, webhook) == 1
    assert first.json()["secret"].encode() not in (house.settings.data_dir / "vigie.db").read_bytes()
    assert client.post(path, json={"url": "https://crm.example.fr/x"}, headers=key).status_code == 422
    client.post(path, json={"url": "https://crm.example.fr/h"}, headers={"Idempotency-Key": "k2"})
    client.post(path, json={"url": "https://crm.example.fr/h"}, headers=key | bearer(house))
    assert count(house, webhook) == 3, "another key, or somebody else's, is another request"


def test_a_refusal_is_kept_too_but_not_one_that_was_not_looked_at(client, house):
    key = {"Idempotency-Key": "k1"}
    before = count(house, company)
    assert (
        client.post("/api/v1/companies", json={"name": "X"}, headers=key | {"Authorization": "Bearer no"}).status_code
        == 401
    )
    assert client.post("/api/v1/companies", json={"name": ""}, headers=key).status_code == 422
    again = client.post("/api/v1/companies", json={"name": ""}, headers=key)
    assert (again.status_code, again.headers["content-type"]) == (422, "application/problem+json")
    assert count(house, company) == before


def test_after_a_day_the_key_is_free(client, house):
    key = {"Idempotency-Key": "k1"}
    first = client.post("/api/v1/companies", json={"name": "X"}, headers=key).json()["id"]
    with clock.held(clock.now() + timedelta(hours=25)):
        assert client.post("/api/v1/companies", json={"name": "X"}, headers=key).json()["id"] != first


def test_while_the_first_is_being_done_the_second_waits(client, house):
    manners = Idempotency(house.engine, None)
    assert manners._claim("mine", "asked") is None
    known = manners._claim("mine", "asked")
    assert manners._again(known, "asked").status_code == 409
    with clock.held(clock.now() + timedelta(minutes=2)):
        assert manners._claim("mine", "asked") is None, "one that died is taken over"


def test_twins_at_the_same_moment_are_done_once(client, house):
    answers = []

    def post():
        answers.append(
            client.post("/api/v1/companies", json={"name": "Jumelle"}, headers={"Idempotency-Key": "t"}).status_code
        )

    before = count(house, company)
    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(house, company) == before + 1
    assert set(answers) <= {201, 409}


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_unusable_key_is_told(client, key):
    assert client.post("/api/v1/companies", json={"name": "X"}, headers={"Idempotency-Key": key}).status_code == 422


def test_too_many_requests_are_told_when_to_come_back(house):
    house.settings = house.settings.model_copy(update={"rate_limit": 3})
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", headers=bearer(house))
    answers = [client.get("/api/v1/companies") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 20
    assert answers[3].headers["content-type"] == "application/problem+json"
    assert client.get("/health").status_code == 200
    assert client.get("/api/v1/companies", headers=bearer(house)).status_code == 200, "each key for itself"


def test_a_key_that_was_taken_back_hears_no_old_answer_and_a_stranger_writes_nothing(client, house):
    key = {"Idempotency-Key": "k1"}
    assert client.post("/api/v1/companies", json={"name": "X"}, headers=key).status_code == 201
    with db.writing(house.engine) as connection:
        connection.execute(token.delete())
    assert client.post("/api/v1/companies", json={"name": "X"}, headers=key).status_code == 401
    assert client.post("/api/v1/companies", json={"name": "X"}, headers={"Idempotency-Key": "k2"}).status_code == 401
    assert count(house, answered) == 1


def test_guessing_keys_is_limited_by_address(house, firm):
    app = work.make_app(house)
    guesser = TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.7", 5_000))
    statuses = [
        guesser.get("/api/v1/companies", headers={"Authorization": f"Bearer vigie_{number}"}).status_code
        for number in range(140)
    ]
    assert statuses[:100] == [401] * 100
    assert statuses[-1] == 429
    neighbour = TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.8", 5_000))
    assert neighbour.get("/api/v1/companies", headers={"Authorization": "Bearer vigie_x"}).status_code == 401
