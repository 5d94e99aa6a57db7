"""Signed webhooks as a source: what Standard Webhooks accepts is stored once, and nothing else is."""

import base64
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from api.webhooks.receive import signed_id
from ingest import sources_store
from tests.pipeline import analyse
from vigie import access, clock, companies, db
from vigie.cli import work
from vigie.db.tables import mention
from vigie.errors import InvalidInputError
from vigie.secrets import Vault

SECRET = "whsec_" + base64.b64encode(b"vingt-quatre octets et plus").decode()
OTHER = "whsec_" + base64.b64encode(b"une autre clef, tout autre.").decode()
REVIEW = {"type": "review.created", "data": {"text": "Accueil parfait !", "rating": 5, "author": "Nadia", "shop": 3}}


@pytest.fixture
def source_id(house, firm):
    with db.writing(house.engine) as connection:
        vault = Vault(house.settings.secret())
        return sources_store.add(connection, firm["id"], "webhook", "Guest", options={"secret": SECRET}, vault=vault)


@pytest.fixture
def client(house):
    return TestClient(work.make_app(house), base_url="http://127.0.0.1")


def signed(body, *, secret=SECRET, message_id="msg_1", age=timedelta(0)):
    moment = clock.now() - age
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
    }


def send(client, source_id, said=REVIEW, headers=None, **how):
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return client.post(f"/api/v1/inbound/{source_id}", content=body, headers=headers or signed(body, **how))


def stored(house):
    analyse(house)
    with db.reading(house.engine) as connection:
        return connection.scalar(select(func.count()).select_from(mention))


def changed(name, value):
    return lambda headers: {**headers, name: value(headers[name])}


def without(name):
    return lambda headers: {one: value for one, value in headers.items() if one != name}


BODY = json.dumps(REVIEW).encode()
FOREIGN = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
ACCEPTED = {
    "as it should be": lambda headers: headers,
    "four minutes old": lambda _: signed(BODY, age=timedelta(minutes=4)),
    "four minutes ahead": lambda _: signed(BODY, age=-timedelta(minutes=4)),
    "names in capitals": lambda headers: {name.upper(): value for name, value in headers.items()},
    "a former secret's signature first": changed("webhook-signature", lambda one: f"{FOREIGN} {one}"),
    "another secret's signature after": changed("webhook-signature", lambda one: f"{one} {FOREIGN}"),
    "a public key's signature besides": changed("webhook-signature", lambda one: f"v1a,{'A' * 86}== {one}"),
    "a kind to come besides": changed("webhook-signature", lambda one: f"v2,x,y {one}"),
    "nonsense besides": changed("webhook-signature", lambda one: f"nonsense {one}"),
    "an id with signs": lambda _: signed(BODY, message_id="msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
}
REFUSED = {
    "six minutes old": lambda _: signed(BODY, age=timedelta(minutes=6)),
    "six minutes ahead": lambda _: signed(BODY, age=-timedelta(minutes=6)),
    "by another secret": lambda _: signed(BODY, secret=OTHER),
    "of another body": lambda _: signed(BODY + b" "),
    "no id": without("webhook-id"),
    "no time": without("webhook-timestamp"),
    "no signature": without("webhook-signature"),
    "another id": changed("webhook-id", lambda one: f"{one}x"),
    "another time": changed("webhook-timestamp", lambda one: str(int(one) + 1)),
    "a time that is none": changed("webhook-timestamp", lambda one: "now"),
    "a time with a fraction": changed("webhook-timestamp", lambda one: f"{one}.0"),
    "no time at all": changed("webhook-timestamp", lambda one: "nan"),
    "a signature without its version": changed("webhook-signature", lambda one: one.removeprefix("v1,")),
    "of another version": changed("webhook-signature", lambda one: one.replace("v1,", "v2,")),
    "a signature cut short": changed("webhook-signature", lambda one: one[:-6]),
    "an empty signature": changed("webhook-signature", lambda one: "v1,"),
}


@pytest.mark.parametrize("how", ACCEPTED)
def test_the_specification_accepts(client, house, source_id, how):
    answer = send(client, source_id, BODY, ACCEPTED[how](signed(BODY)))
    assert answer.status_code == 202, answer.text
    assert stored(house) == 1


@pytest.mark.parametrize("how", REFUSED)
def test_the_specification_refuses(client, house, source_id, how):
    answer = send(client, source_id, BODY, REFUSED[how](signed(BODY)))
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert stored(house) == 0


def test_an_accepted_id_is_answered_again_without_effect(client, house, source_id):
    first = send(client, source_id, {"data": {"id": "r1", "text": "Accueil parfait !", "rating": 5}})
    send(client, source_id, {"data": {"id": "r1", "text": "Finalement, horrible.", "rating": 1}}, message_id="msg_2")
    again = send(client, source_id, {"data": {"id": "r1", "text": "Accueil parfait !", "rating": 5}})
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert stored(house) == 1
    with db.reading(house.engine) as connection:
        assert connection.scalar(select(mention.c.text)) == "Finalement, horrible."


def test_one_message_may_hold_many_and_two_messages_the_same_words(client, house, source_id):
    many = {"mentions": [{"text": f"Avis {number}.", "rating": "8/10"} for number in range(60)]}
    assert len(send(client, source_id, many).json()["ids"]) == 60
    for message_id in ("msg_2", "msg_3"):
        assert send(client, source_id, message_id=message_id).status_code == 202
    assert stored(house) == 62


@pytest.mark.parametrize(
    "said", [b"[]", b"{", b"\"x\"", b'{"data": {}}', b'{"data": []}', b'{"data": 3}', b'{"data": {"rating": 9}}',
             b'{"data": {"text": 3}}', b'{"data": {"text": "\\u0000"}}', b"[" * 100_000]
)  # fmt: skip
def test_a_signed_message_that_says_nothing_usable_is_a_clear_error(client, house, source_id, said):
    answer = send(client, source_id, said)
    assert answer.status_code == 422, answer.text
    assert stored(house) == 0


@pytest.mark.parametrize("said", [b"{}", b'{"type": "test", "data": {}}', b'{"type": "webhook.ping", "data": {}}'])
def test_an_empty_trial_is_answered_and_stores_nothing(client, house, source_id, said):
    answer = send(client, source_id, said)
    assert (answer.status_code, answer.json()) == (202, {"ids": []})
    assert stored(house) == 0


def test_an_empty_trial_must_be_signed(client, source_id):
    assert send(client, source_id, b"{}", signed(b"{}", secret=OTHER)).status_code == 401


def test_only_a_webhook_source_listens_and_says_no_more(client, house, firm, source_id):
    with db.writing(house.engine) as connection:
        other = sources_store.add(connection, firm["id"], "push", "API")
        unknown = send(client, "so_unknown")
        assert send(client, other).json()["detail"] == unknown.json()["detail"]
        key = access.create_key(connection, "k", company_id=companies.add(connection, "Autre"))
    headers = {**signed(BODY, secret=OTHER), "Authorization": f"Bearer {key}"}
    assert send(client, source_id, BODY, headers).status_code == 401, "a key is no signature"
    with db.writing(house.engine) as connection:
        sources_store.change(connection, source_id, {"paused": True})
    assert send(client, source_id).status_code == 401


@pytest.mark.parametrize(
    "secret", ["whsec_AA==", "whsec_", "whsec_????", "secret", "é", "whsec_" + base64.b64encode(b"a" * 32).decode()]
)
def test_a_secret_that_can_be_guessed_or_not_be_read_is_refused(house, firm, secret):
    vault = Vault(house.settings.secret())
    with db.writing(house.engine) as connection, pytest.raises(InvalidInputError, match="secret"):
        sources_store.add(connection, firm["id"], "webhook", "Guest", options={"secret": secret}, vault=vault)


def test_two_sources_never_share_a_signing_secret(house, firm, source_id):
    vault = Vault(house.settings.secret())
    with db.writing(house.engine) as connection:
        other = companies.add(connection, "Another")
        with pytest.raises(InvalidInputError, match="already"):
            sources_store.add(connection, other, "webhook", "Guest", options={"secret": SECRET}, vault=vault)
        other_id = sources_store.add(connection, other, "webhook", "Guest", options={"secret": OTHER}, vault=vault)
        with pytest.raises(InvalidInputError, match="already"):
            sources_store.change(connection, other_id, {"options": {"secret": SECRET}}, vault)
        sources_store.change(connection, source_id, {"options": {"secret": SECRET}}, vault)


def test_the_names_that_svix_gives_the_headers_are_accepted(house, client, source_id):
    body = json.dumps(REVIEW).encode()
    headers = {name.replace("webhook", "svix"): value for name, value in signed(body).items()}
    assert send(client, source_id, headers=headers).status_code == 202
    assert send(client, source_id, headers={**headers, "svix-id": "msg_2"}).status_code == 401
    assert stored(house) == 1


@pytest.mark.parametrize("secret", ["whsec_AA==", "whsec_", "whsec_????", "é"])
def test_a_malformed_secret_of_an_earlier_release_is_no_server_error(secret):
    headers = signed(b"{}", secret="whsec_AA==")
    assert signed_id(secret, headers, b"{}") is None
