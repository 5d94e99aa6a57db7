"""From a negative mention to a verified signature at a real receiver."""

import json
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.testclient import TestClient

from tests.pipeline import analyse
from tests.web import Answer
from vigie import access, clock, db
from vigie.cli import work
from vigie.db.tables import outbox, webhook

BAD = {"id": "1", "text": "Accueil horrible, très mauvais.", "rating": 1, "published_at": datetime.now(UTC).isoformat()}


@pytest.fixture
def client(house):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "test")
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"})


def raise_alert(client, house, firm, url):
    made = client.post(f"/api/v1/companies/{firm['id']}/webhooks", json={"url": url}).json()
    client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": [BAD]})
    analyse(house)
    return made["secret"]


def deliver(house):
    work.deliver(house, threading.Event(), once=True)


def make_due(house):
    with db.writing(house.engine) as connection:
        connection.execute(outbox.update().values(due_at=clock.now()))


def state(house):
    with db.reading(house.engine) as connection:
        return connection.execute(select(outbox)).one()


def test_an_alert_reaches_its_receiver_signed(client, house, firm, site):
    site.pages["/hook"] = Answer(b"ok")
    secret = raise_alert(client, house, firm, f"{site.url}/hook")
    deliver(house)
    ((method, _, headers, body),) = site.requests
    headers = {name.lower(): value for name, value in headers.items()}
    event = Webhook(secret).verify(body, headers)
    alerts = client.get(f"/api/v1/companies/{firm['id']}/alerts").json()["items"]
    assert method == "POST"
    assert event["type"] == "alert.raised"
    assert event["data"] == alerts[0]
    assert headers["webhook-id"] == event["id"] == alerts[0]["id"]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"negative", b"positive"), headers)


def test_a_receiver_that_fails_is_tried_again_under_the_same_id(client, house, firm, site):
    answers = [Answer(b"", 500), Answer(status=302, headers={"Location": "/elsewhere"}), Answer(b"ok", 204)]
    site.pages["/hook"] = lambda request: answers.pop(0)
    raise_alert(client, house, firm, f"{site.url}/hook")
    for _ in range(3):
        make_due(house)
        deliver(house)
    assert len({headers["webhook-id"] for _, _, headers, _ in site.requests}) == 1
    assert [path for _, path, _, _ in site.requests] == ["/hook"] * 3, "no redirect is followed"
    assert (state(house).state, state(house).attempts) == ("sent", 3)


def test_410_ends_it(client, house, firm, site):
    site.pages["/hook"] = Answer(b"", 410)
    raise_alert(client, house, firm, f"{site.url}/hook")
    deliver(house)
    assert state(house).state == "failed"


def test_a_webhook_reaches_no_private_network(client, house, firm):
    raise_alert(client, house, firm, "http://169.254.169.254/latest/")
    deliver(house)
    assert "private" in state(house).error


def test_a_secret_is_shown_once_and_stored_encrypted(client, house, firm, site):
    made = client.post(f"/api/v1/companies/{firm['id']}/webhooks", json={"url": "https://crm.example.fr/h"}).json()
    assert made["secret"].startswith("whsec_")
    assert "secret" not in client.get(f"/api/v1/companies/{firm['id']}/webhooks").json()[0]
    with db.reading(house.engine) as connection:
        assert made["secret"].encode() not in connection.scalar(select(webhook.c.secret))
    body = json.dumps({"url": "ftp://x"})
    assert client.post(f"/api/v1/companies/{firm['id']}/webhooks", content=body).status_code == 422
