"""Alerts in the language of CRMs and chats, before servers that ask for what those platforms' documentation asks for."""

import json
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from api.webhooks import recipes, store, templates
from tests.pipeline import analyse
from tests.web import Answer
from vigie import access, companies, db
from vigie.cli import work
from vigie.errors import InvalidInputError
from vigie.secrets import Vault

HOSTILE = 'Accueil horrible <script>alert(1)</script> <!channel> [gagnez](http://evil.example) {key} "}], \\ très déçu.'
BAD = {"id": "1", "text": HOSTILE, "rating": 1, "published_at": datetime.now(UTC).isoformat()}
GIVEN = {
    "brevo": {"key": "xkeysib-1", "company": "65f0c0ffee"},
    "hubspot": {"key": "pat-eu1-1"},
    "odoo": {"address": "https://firm.odoo.example", "database": "firm", "key": "k1"},
    "odoo-18": {"address": "https://firm.odoo.example", "database": "firm", "user": "2", "key": "k1"},
    "slack": {"address": "https://hooks.slack.example/services/T/B/x"},
    "teams": {"address": "https://firm.logic.example/workflows/x"},
    "flat": {"address": "https://hooks.zapier.example/1/2"},
}


@pytest.fixture
def client(house):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "test")
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"})


def tell(client, house, firm, site, name, answer, mention=BAD, events=("alert.raised",)):
    """Raise an alert before a webhook of that recipe, whose platform is our local server; its secret."""
    _, headers, template = recipes.named(name).prepare(GIVEN[name])
    site.pages["/hook"] = answer
    with db.writing(house.engine) as connection:
        _, secret = store.add(
            connection, Vault(house.settings.secret()), firm["id"], f"{site.url}/hook", events,
            recipe=name, template=template, headers=headers,
        )  # fmt: skip
    client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": [mention]})
    analyse(house)
    work.deliver(house, threading.Event(), once=True)
    return secret


def received(site):
    ((_, _, headers, body),) = site.requests
    return {name.lower(): value for name, value in headers.items()}, json.loads(body)


def delivered(client, firm):
    (hook,) = client.get(f"/api/v1/companies/{firm['id']}/webhooks").json()
    (one,) = client.get(f"/api/v1/companies/{firm['id']}/webhooks/{hook['id']}/deliveries").json()["items"]
    return one


def test_every_recipe_says_what_it_needs_and_fills_in_all_of_it():
    assert set(GIVEN) == set(recipes.shipped())
    for name, recipe in recipes.shipped().items():
        url, headers, body = recipe.prepare(GIVEN[name])
        templates.check(body, headers)
        assert templates.unknown([url, headers], {}) == []
        with pytest.raises(InvalidInputError, match="needs these"):
            recipe.prepare({})


def test_brevo_takes_a_note(client, house, firm, site):
    tell(client, house, firm, site, "brevo", Answer(b'{"id": "n1"}', 201))
    headers, body = received(site)
    assert headers["api-key"] == "xkeysib-1"
    assert headers["content-type"] == "application/json"
    assert body["companyIds"] == ["65f0c0ffee"]
    assert 0 < len(body["text"]) <= 3_000
    assert "<script>" not in body["text"]
    assert "&lt;script&gt;" in body["text"]


def test_hubspot_takes_a_task(client, house, firm, site):
    tell(client, house, firm, site, "hubspot", Answer(b'{"id": "1"}', 201))
    headers, body = received(site)
    assert headers["authorization"] == "Bearer pat-eu1-1"
    task = body["properties"]
    assert datetime.fromisoformat(task["hs_timestamp"]).tzinfo is not None
    assert task["hs_task_subject"].startswith(firm["name"])
    assert task["hs_task_status"] in {"NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"}
    assert task["hs_task_priority"] in {"NONE", "LOW", "MEDIUM", "HIGH"}
    assert "<script>" not in task["hs_task_body"]


def test_odoo_takes_a_lead(client, house, firm, site):
    tell(client, house, firm, site, "odoo", Answer(b"[7]", 200))
    headers, body = received(site)
    assert headers["authorization"] == "bearer k1"
    assert headers["x-odoo-database"] == "firm"
    (lead,) = body["vals_list"]
    assert lead["name"].startswith(firm["name"])
    assert lead["type"] == "lead"
    assert delivered(client, firm)["state"] == "sent"


def test_an_error_that_json_rpc_answers_with_200_is_no_success(client, house, firm, site):
    refused = (
        b'{"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Access Denied", "data": {"debug": "%s"}}}'
    )
    tell(client, house, firm, site, "odoo-18", Answer(refused % (b"x" * 20_000), 200))
    _, body = received(site)
    database, user, key, model, method, rows = body["params"]["args"]
    assert (database, user, key, model, method) == ("firm", 2, "k1", "crm.lead", "create")
    assert rows[0]["name"].startswith(firm["name"])
    assert delivered(client, firm)["state"] == "waiting"
    assert "Access Denied" in delivered(client, firm)["error"]
    with pytest.raises(InvalidInputError, match="number"):
        recipes.named("odoo-18").prepare({**GIVEN["odoo-18"], "user": "admin"})


def test_a_chat_shows_customers_words_as_letters_only(client, house, firm, site):
    tell(client, house, firm, site, "slack", Answer(b"ok"))
    _, body = received(site)
    assert "channel" not in body["text"]
    for block in body["blocks"]:
        assert block["type"] == "section"
        assert block["text"]["type"] == "plain_text"
        assert 1 <= len(block["text"]["text"]) <= 3_000
    assert "<!channel>" in body["blocks"][0]["text"]["text"]


def test_a_teams_card_reads_no_markdown_of_customers(client, house, firm, site):
    tell(client, house, firm, site, "teams", Answer(b"", 202))
    _, body = received(site)
    (attachment,) = body["attachments"]
    card = attachment["content"]
    assert (body["type"], card["type"]) == ("message", "AdaptiveCard")
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    spoken = [block for block in card["body"] if "evil.example" in json.dumps(block)]
    assert [block["type"] for block in spoken] == ["RichTextBlock"]


def test_a_flat_object_is_signed_like_the_event(client, house, firm, site):
    secret = tell(client, house, firm, site, "flat", Answer(b"ok"))
    ((_, _, headers, body),) = site.requests
    said = Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    assert said["rating"] == 1
    assert said["firm"] == firm["name"]
    assert said["rule"] == "negative_mention"
    assert "Accueil horrible" in said["quote"]
    assert said["link"].endswith("/alerts")
    assert "{key}" in said["quote"], "a customer's words are not a template"


def test_a_practice_sends_no_patients_words(client, house, site):
    with db.writing(house.engine) as connection:
        company_id = companies.add(connection, "Cabinet Durand", sector="86.23Z")
        firm = dict(companies.get(connection, company_id))
    tell(client, house, firm, site, "flat", Answer(b"ok"), events=("alert.raised", "mention.analysed"))
    bodies = [json.loads(body) for _, _, _, body in site.requests]
    assert {body["type"] for body in bodies} == {"alert.raised", "mention.analysed"}
    assert "horrible" not in json.dumps(bodies)
    assert all(body["title"] and body["text"] for body in bodies)


def test_mentions_are_told_by_their_conditions(client, house, firm, site):
    site.pages["/hook"] = Answer(b"ok")
    path = f"/api/v1/companies/{firm['id']}/webhooks"
    wanted = {"url": f"{site.url}/hook", "events": ["mention.analysed"], "mentions": {"sentiment": "positive"}}
    assert client.post(path, json=wanted).status_code == 201
    good = {**BAD, "id": "2", "text": "Accueil parfait, excellent pain !", "rating": 5}
    for _ in range(2):
        client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": [BAD, good]})
        analyse(house)
        work.deliver(house, threading.Event(), once=True)
    ((_, _, _, body),) = site.requests
    event = json.loads(body)
    assert event["type"] == "mention.analysed"
    shown = client.get(f"/api/v1/companies/{firm['id']}/mentions/{event['data']['id']}").json()
    assert event["data"]["text"] == shown["text"] == good["text"]
    assert set(event["data"]) == set(shown)


def test_the_api_knows_recipes_and_own_templates(client, firm):
    path = f"/api/v1/companies/{firm['id']}/webhooks"
    names = [one["name"] for one in client.get(f"{path}/recipes").json()]
    assert names == sorted(GIVEN)
    made = client.post(path, json={"recipe": "hubspot", "values": GIVEN["hubspot"]}).json()
    assert made["url"] == "https://api.hubapi.com/crm/v3/objects/tasks"
    shown = json.dumps(client.get(path).json())
    assert "pat-eu1-1" not in shown
    assert client.patch(f"{path}/{made['id']}", json={"url": "https://evil.example"}).status_code == 422
    own = {"url": "https://crm.example.fr/x", "template": {"a": ["{title}"]}, "headers": {"X-Key": "1"}}
    assert client.post(path, json=own).status_code == 201
    for wrong in (
        {"recipe": "salesforce"},
        {"recipe": "hubspot", "values": {}},
        {"recipe": "hubspot", "values": GIVEN["hubspot"], "url": "https://x.example"},
        {"url": "https://x.example", "template": {"a": "{nothing}"}},
        {"url": "https://x.example", "headers": {"Host": "x"}},
        {"url": "https://x.example", "headers": {"Webhook-Id": "x"}},
        {"url": "https://x.example", "headers": {"X-Key": "a\r\nb: c"}},
        {"url": "https://x.example", "events": ["mention.analysed"], "mentions": {}},
        {},
    ):
        assert client.post(path, json=wrong).status_code == 422, wrong


@given(st.dictionaries(st.sampled_from(sorted(templates.NAMES)), st.none() | st.text() | st.floats(0, 5)))
def test_whatever_is_filled_in_the_form_of_a_template_stays(values):
    template = {"a": "{title}", "b": [{"c": "x {text|html} {quote}"}, 3, None]}
    filled = templates.fill(template, values)
    assert json.loads(json.dumps(filled)) == filled
    assert (set(filled), len(filled["b"]), set(filled["b"][0])) == ({"a", "b"}, 3, {"c"})
    if isinstance(values.get("text"), str) and "{" not in values["text"]:
        assert "<" not in filled["b"][0]["c"].replace("<br>", "") or "<" in str(values.get("quote"))
