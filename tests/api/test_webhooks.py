"""From a negative mention to a verified signature at a real receiver."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.testclient import TestClient

from tests.pipeline import analyse
from tests.web import Answer
from vigie import access, clock, companies, db
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
        connection.execute(webhook.update().values(resting_until=None))


def deliveries(client, firm):
    (hook,) = client.get(f"/api/v1/companies/{firm['id']}/webhooks").json()
    path = f"/api/v1/companies/{firm['id']}/webhooks/{hook['id']}"
    return path, hook, client.get(f"{path}/deliveries").json()["items"]


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


def test_each_attempt_is_kept_with_the_beginning_of_its_answer(client, house, firm, site):
    answers = [Answer(b"b\x00usy " * 10_000, 500), Answer(b"merci", 200)]
    site.pages["/hook"] = lambda request: answers.pop(0)
    raise_alert(client, house, firm, f"{site.url}/hook")
    deliver(house)
    _, hook, (one,) = deliveries(client, firm)
    assert hook["failing_since"] is not None
    assert (one["state"], one["attempts"][0]["status"]) == ("waiting", 500)
    assert len(one["attempts"][0]["answer"]) <= 2_000
    make_due(house)
    deliver(house)
    _, hook, (one,) = deliveries(client, firm)
    assert [met["status"] for met in one["attempts"]] == [500, 200]
    assert (one["state"], one["body"]["type"], hook["failing_since"]) == ("sent", "alert.raised", None)


def test_one_delivery_or_all_since_a_day_are_sent_again_under_their_ids(client, house, firm, site):
    site.pages["/hook"] = Answer(b"ok")
    raise_alert(client, house, firm, f"{site.url}/hook")
    deliver(house)
    path, _, (one,) = deliveries(client, firm)
    assert client.post(f"{path}/deliveries/{one['id']}/replay").json() == {"count": 1}
    deliver(house)
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert client.post(f"{path}/replay", params={"since": since}).json() == {"count": 1}
    deliver(house)
    assert len(site.requests) == 3
    assert len({headers["webhook-id"] for _, _, headers, _ in site.requests}) == 1
    assert client.post(f"{path}/deliveries/unknown/replay").status_code == 404


def test_what_a_pause_kept_back_can_be_sent_afterwards(client, house, firm, site):
    site.pages["/hook"] = Answer(b"ok")
    made = client.post(f"/api/v1/companies/{firm['id']}/webhooks", json={"url": f"{site.url}/hook"}).json()
    path = f"/api/v1/companies/{firm['id']}/webhooks/{made['id']}"
    assert client.patch(path, json={"paused": True}).json()["paused"] is True
    client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": [BAD]})
    analyse(house)
    deliver(house)
    assert site.requests == []
    client.patch(path, json={"paused": False})
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert client.post(f"{path}/replay", params={"since": since}).json() == {"count": 1}
    deliver(house)
    assert len(site.requests) == 1


def test_after_a_rotation_both_secrets_sign_for_a_day(client, house, firm, site):
    site.pages["/hook"] = Answer(b"ok")
    former = raise_alert(client, house, firm, f"{site.url}/hook")
    path, _, _ = deliveries(client, firm)
    new = client.post(f"{path}/rotate").json()["secret"]
    deliver(house)
    client.post(f"{path}/test")
    with db.writing(house.engine) as connection:
        connection.execute(webhook.update().values(former_until=clock.now() - timedelta(seconds=1)))
    deliver(house)
    (_, _, first, body), (_, _, second, tested) = site.requests
    for secret in (former, new):
        Webhook(secret).verify(body, {name.lower(): value for name, value in first.items()})
    second = {name.lower(): value for name, value in second.items()}
    assert Webhook(new).verify(tested, second)["data"]["test"] is True
    with pytest.raises(WebhookVerificationError):
        Webhook(former).verify(tested, second)


def test_a_webhook_may_ask_for_some_rules_only(client, house, firm, site):
    site.pages["/hook"] = Answer(b"ok")
    wanted = {"url": f"{site.url}/hook", "rules": ["sentiment_drop"]}
    client.post(f"/api/v1/companies/{firm['id']}/webhooks", json=wanted)
    client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": [BAD]})
    analyse(house)
    deliver(house)
    assert site.requests == []


def test_what_happens_in_quiet_hours_is_sent_when_they_are_over(client, house, firm, site):
    site.pages["/hook"] = Answer(b"ok")
    local = clock.now().astimezone(clock.zone(firm["timezone"]))
    start, end = (local + timedelta(hours=hours) for hours in (-1, 1))
    hooks = f"/api/v1/companies/{firm['id']}/webhooks"
    client.post(hooks, json={"url": f"{site.url}/hook", "quiet_hours": f"{start:%H:%M}-{end:%H:%M}"})
    client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": [BAD]})
    analyse(house)
    deliver(house)
    path, _, (waiting,) = deliveries(client, firm)
    assert (site.requests, waiting["state"]) == ([], "waiting")
    assert datetime.fromisoformat(waiting["due_at"]) == end.replace(second=0, microsecond=0)

    client.post(f"{path}/test")  # somebody who asks for it does not wait
    deliver(house)
    assert len(site.requests) == 1
    make_due(house)
    deliver(house)
    assert len(site.requests) == 2

    assert client.patch(path, json={"quiet_hours": None}).json()["quiet_hours"] is None
    for wrong in ("21:00", "21:00-24:00", "7-21", "07:00-07:00", ""):
        assert client.patch(path, json={"quiet_hours": wrong}).status_code == 422


@pytest.mark.parametrize(("status", "since", "off"), [(410, 0, "gone"), (500, 6, "failing"), (500, 1, None)])
def test_an_endpoint_that_is_gone_or_fails_for_days_is_off_and_its_owner_hears_of_it(
    client, house, firm, site, status, since, off
):
    site.pages["/hook"] = Answer(b"", status)
    raise_alert(client, house, firm, f"{site.url}/hook")
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "patron@example.fr")
        if since:
            connection.execute(webhook.update().values(failing_since=clock.now() - timedelta(days=since)))
    deliver(house)
    path, hook, _ = deliveries(client, firm)
    assert hook["off"] == off
    deliver(house)
    make_due(house)  # at night the mail waits for the morning
    deliver(house)
    mails = [path.read_text() for path in house.settings.outbox_dir.glob("*.eml")]
    assert len(mails) == (1 if off else 0)
    if off:
        assert site.url.partition("//")[2] in mails[0]
        assert client.patch(path, json={"paused": False}).json()["off"] is None


def test_a_slow_endpoint_holds_up_no_other(client, house, firm, site):
    slow, quick = threading.Event(), threading.Event()

    def stuck(request):
        slow.wait(20)
        return Answer(b"ok")

    def answered(request):
        quick.set()
        return Answer(b"ok")

    site.pages |= {"/slow": stuck, "/quick": answered}
    for path in ("slow", "quick"):
        client.post(f"/api/v1/companies/{firm['id']}/webhooks", json={"url": f"{site.url}/{path}"})
    client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": [BAD]})
    analyse(house)
    runner = threading.Thread(target=deliver, args=(house,))
    runner.start()
    assert quick.wait(10), "the quick one is served while the slow one waits"
    slow.set()
    runner.join(30)
    assert not runner.is_alive()


@pytest.mark.parametrize(
    ("method", "rest", "query"),
    [
        ("get", "/deliveries", {}), ("patch", "", {}), ("delete", "", {}), ("post", "/rotate", {}), ("post", "/test", {}),
        ("post", "/replay", {"since": "2026-01-01T00:00:00Z"}), ("post", "/deliveries/x/replay", {}),
    ],
)  # fmt: skip
def test_a_webhook_of_another_firm_does_not_exist(client, house, firm, method, rest, query):
    made = client.post(f"/api/v1/companies/{firm['id']}/webhooks", json={"url": "https://crm.example.fr/h"}).json()
    with db.writing(house.engine) as connection:
        other = companies.add(connection, "Autre")
    path = f"/api/v1/companies/{other}/webhooks/{made['id']}{rest}"
    body = {"json": {"paused": True}} if method == "patch" else {}
    assert client.request(method, path, params=query, **body).status_code == 404
    (kept,) = client.get(f"/api/v1/companies/{firm['id']}/webhooks").json()
    assert kept["paused"] is False
