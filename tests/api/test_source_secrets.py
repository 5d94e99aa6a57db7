"""A source's stored secret stays with the destination for which it was set, and with whoever set it."""

import pytest
from starlette.testclient import TestClient

from ingest import secret_custody, sources_store
from vigie import access, db
from vigie.cli import work
from vigie.secrets import Vault

MAILBOX = "imaps://avis%40cabinet.example@imap.cabinet.example"
MOVES = [
    ("mailbox", MAILBOX, "imaps://avis%40cabinet.example@attacker.example", {"password": "app-password"}),
    ("mailbox", MAILBOX, "imap://avis%40cabinet.example@imap.cabinet.example", {"password": "app-password"}),
    ("mailbox", MAILBOX, "imaps://other@imap.cabinet.example", {"password": "app-password"}),
    ("mailbox", MAILBOX, MAILBOX + ":8146", {"password": "app-password"}),
    ("woocommerce", "https://shop.example", "https://attacker.example", {"key": "ck_x", "secret": "cs_x"}),
    ("woocommerce", "https://host.example/a", "https://host.example/b", {"key": "ck_x", "secret": "cs_x"}),
    ("google_business", "accounts/1/locations/2", "accounts/9/locations/2", {"token": "bearer"}),
]


def open_client(house, **key):
    with db.writing(house.engine) as connection:
        token = access.create_key(connection, "test", **key)
    headers = {"Authorization": f"Bearer {token}"}
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", headers=headers)


@pytest.fixture
def editor(house, firm):
    return open_client(house, company_id=firm["id"], role="editor", scopes=["sources"])


def stored_options(house, source_id):
    vault = Vault(house.settings.secret())
    with db.reading(house.engine) as connection:
        return sources_store.options(sources_store.get(connection, source_id), vault)


@pytest.mark.parametrize(("kind", "target", "new_target", "secrets"), MOVES)
def test_an_editor_cannot_send_a_secret_to_another_destination(house, firm, editor, kind, target, new_target, secrets):
    path = f"/api/v1/companies/{firm['id']}/sources"
    source = editor.post(path, json={"kind": kind, "target": target, "options": secrets}).json()
    answer = editor.patch(f"{path}/{source['id']}", json={"target": new_target})
    assert answer.status_code == 422
    assert all(name in answer.json()["detail"] for name in secrets)
    assert stored_options(house, source["id"]) == secrets
    anew = dict.fromkeys(secrets, "new")
    assert editor.patch(f"{path}/{source['id']}", json={"target": new_target, "options": anew}).status_code == 200
    assert stored_options(house, source["id"]) == anew


def test_another_base_never_keeps_the_secret(house, firm, editor):
    path = f"/api/v1/companies/{firm['id']}/sources"
    body = {"kind": "trustpilot", "target": "delage.fr", "options": {"key": "secret"}}
    source = editor.post(path, json=body).json()
    editor.patch(f"{path}/{source['id']}", json={"options": {"base": "https://attacker.example"}})
    assert stored_options(house, source["id"]) == {"base": "https://attacker.example"}


def test_another_folder_of_the_mailbox_keeps_the_secret(house, firm, editor):
    path = f"/api/v1/companies/{firm['id']}/sources"
    body = {"kind": "mailbox", "target": MAILBOX, "options": {"password": "app-password"}}
    source = editor.post(path, json=body).json()
    assert editor.patch(f"{path}/{source['id']}", json={"target": MAILBOX + "/Avis"}).status_code == 200
    assert stored_options(house, source["id"]) == {"password": "app-password"}


@pytest.mark.parametrize(
    "change",
    [
        {"target": "imaps://avis%40cabinet.example@attacker.example"},
        {"target": MAILBOX + "/Other"},
        {"target": "imaps://me@attacker.example", "options": {"password": "x"}},
        {"options": {"to": "avis+another@cabinet.example", "password": "x"}},
        {"options": {}},
    ],
)
def test_a_mailbox_of_the_host_is_changed_by_the_host_only(house, firm, editor, change):
    path = f"/api/v1/companies/{firm['id']}/sources"
    options = {"password": "app-password", "to": "avis+delage@cabinet.example"}
    host = open_client(house)
    source = host.post(path, json={"kind": "mailbox", "target": MAILBOX, "options": options}).json()
    answer = editor.patch(f"{path}/{source['id']}", json=change)
    assert answer.status_code == 422
    assert "app-password" not in answer.text
    assert stored_options(house, source["id"]) == options
    assert editor.patch(f"{path}/{source['id']}", json={"paused": True, "name": "Avis"}).status_code == 200
    again = {"target": MAILBOX + "/Avis", "options": options}
    assert host.patch(f"{path}/{source['id']}", json=again).status_code == 200


def test_a_redirect_does_not_carry_a_secret_to_another_host():
    row = {"sealed": b"x", "target": "https://shop.example/"}
    assert not secret_custody.may_follow(row, "https://attacker.example/")
    assert secret_custody.may_follow({**row, "sealed": None}, "https://new.example/")
    assert secret_custody.may_follow(row, "https://shop.example")


@pytest.mark.parametrize("spell", ["{}", "whsec_{}=", "whsec_{}==", "{}="])
def test_a_signing_secret_belongs_to_one_source_however_it_is_spelt(house, firm, editor, spell):
    path = f"/api/v1/companies/{firm['id']}/sources"
    encoded = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
    first = {"kind": "webhook", "target": "caisse", "options": {"secret": f"whsec_{encoded}"}}
    assert editor.post(path, json=first).status_code == 201
    second = {"kind": "webhook", "target": "autre", "options": {"secret": spell.format(encoded)}}
    assert editor.post(path, json=second).status_code == 422


@pytest.mark.parametrize("target", ["imaps://u%40x:secret@imap.example.fr", "https://u:secret@shop.example/feed"])
def test_a_password_in_an_address_is_refused(house, firm, editor, target):
    path = f"/api/v1/companies/{firm['id']}/sources"
    kind = "mailbox" if target.startswith("imaps") else "feed"
    answer = editor.post(path, json={"kind": kind, "target": target})
    assert answer.status_code == 422
    assert "secret@" not in answer.text
