"""A firm's own rules, the four switches, and alerts that somebody deals with."""

import threading
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from tests.pipeline import analyse
from tests.web import Answer
from vigie import access, companies, db
from vigie.cli import work

NOW = datetime.now(UTC).isoformat()
BAD = {"id": "1", "text": "Accueil horrible, très mauvais.", "rating": 1, "published_at": NOW}


@pytest.fixture
def client(house):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "Marie")
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def path(firm):
    return f"/api/v1/companies/{firm['id']}"


def push(client, path, *mentions):
    assert client.post(f"{path}/mentions", json={"mentions": list(mentions)}).status_code == 202


def raised(client, path):
    return {alert["rule"]: alert for alert in client.get(f"{path}/alerts").json()["items"]}


def test_a_firms_own_rule_alerts_of_what_it_means_ten_times_a_day(client, path, house):
    wanted = {"keyword": "terrasse", "sentiment": "positive"}
    made = client.post(f"{path}/rules", json={"name": "Terrasse", "conditions": wanted}).json()
    assert made["conditions"] == wanted
    pleased = [
        {"id": f"t{n}", "text": "Superbe terrasse, merci !", "rating": 5, "published_at": NOW} for n in range(12)
    ]
    push(client, path, *pleased, {"id": "x", "text": "Superbe accueil !", "rating": 5, "published_at": NOW})
    analyse(house)
    alerts = client.get(f"{path}/alerts").json()["items"]
    assert {alert["rule"] for alert in alerts} == {f"rule:{made['id']}"}
    assert len(alerts) == 10
    assert (alerts[0]["facts"]["name"], alerts[0]["facts"]["quote"]) == ("Terrasse", "Superbe terrasse, merci !")
    seen = client.post(f"{path}/rules/preview", json=wanted).json()
    assert (seen["alerts"], seen["days"], len(seen["examples"])) == (12, 90, 3)
    client.patch(f"{path}/rules/{made['id']}", json={"enabled": False})
    push(
        client,
        path,
        {"id": "y", "text": "Belle terrasse, parfait !", "rating": 5, "published_at": "2026-01-01T00:00:00Z"},
    )
    assert client.delete(f"{path}/rules/{made['id']}").status_code == 204
    assert len(client.get(f"{path}/rules").json()) == 6


def test_a_switch_that_is_off_raises_nothing(client, path, house):
    assert [one["enabled"] for one in client.get(f"{path}/rules").json()] == [True] * 4 + [False] * 2
    assert client.patch(f"{path}/rules/negative_mention", json={"enabled": False}).json()["enabled"] is False
    push(client, path, BAD)
    analyse(house)
    assert raised(client, path) == {}
    client.patch(f"{path}/rules/negative_mention", json={"enabled": True})
    push(client, path, {**BAD, "id": "2"})
    analyse(house)
    assert set(raised(client, path)) == {"negative_mention"}
    assert client.patch(f"{path}/rules/negative_mention", json={"name": "x"}).status_code == 422
    assert client.delete(f"{path}/rules/negative_mention").status_code == 422


@pytest.mark.parametrize(
    "conditions", [{}, {"keyword": "(a"}, {"theme": "weather"}, {"rating_at_most": 9}, {"unknown": 1}]
)
def test_a_rule_without_a_usable_condition_is_refused(client, path, conditions):
    assert client.post(f"{path}/rules", json={"name": "x", "conditions": conditions}).status_code == 422


def test_an_alert_that_is_dealt_with_says_who_saw_it_and_tells_the_endpoints_that_ask(client, path, house, site):
    site.pages["/hook"] = Answer(b"ok")
    hook = {"url": f"{site.url}/hook", "events": ["alert.resolved"]}
    secret = client.post(f"{path}/webhooks", json=hook).json()["secret"]
    push(client, path, BAD)
    analyse(house)
    alert = raised(client, path)["negative_mention"]
    assert client.post(f"{path}/alerts/{alert['id']}/acknowledge").json()["acknowledged_at"] is not None
    for _ in range(2):
        done = client.post(f"{path}/alerts/{alert['id']}/resolve").json()
    work.deliver(house, threading.Event(), once=True)
    ((_, _, headers, body),) = site.requests
    event = Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    assert (event["type"], event["data"]) == ("alert.resolved", done)
    assert client.post(f"{path}/alerts/unknown/resolve").status_code == 404


def test_rules_and_alerts_of_another_firm_do_not_exist(client, path, house):
    made = client.post(f"{path}/rules", json={"name": "x", "conditions": {"keyword": "pain"}}).json()
    push(client, path, BAD)
    analyse(house)
    alert = raised(client, path)["negative_mention"]
    with db.writing(house.engine) as connection:
        other = f"/api/v1/companies/{companies.add(connection, 'Autre')}"
    assert client.patch(f"{other}/rules/{made['id']}", json={"enabled": False}).status_code == 404
    assert client.delete(f"{other}/rules/{made['id']}").status_code == 404
    assert client.post(f"{other}/alerts/{alert['id']}/resolve").status_code == 404
    assert client.post(f"{other}/rules/preview", json={"keyword": "horrible"}).json()["alerts"] == 0
