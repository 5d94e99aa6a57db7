"""Receivers that mean harm, or are broken: each delivery ends in time, is kept, and holds up no other."""

import datetime as dt
import ipaddress
import json
import ssl
import threading
import time
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select
from starlette.testclient import TestClient

from api.webhooks import deliver, store
from tests.api.test_webhooks import BAD, make_due
from tests.pipeline import analyse
from tests.web import Answer, drips_headers, receiver
from vigie import access, db
from vigie.cli import work
from vigie.db.tables import attempt, outbox
from vigie.secrets import Vault


@pytest.fixture
def house(house):
    """Whose deliveries may reach any port of this machine."""
    return replace(house, settings=house.settings.model_copy(update={"allow_hosts": ("127.0.0.1",)}))


@pytest.fixture
def client(house):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "test")
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"})


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def drips_body(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    drips_headers(connection)


def says_nothing(connection):
    time.sleep(60)


def cuts_its_body(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")


def answers_ten_megabytes(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10_000_000)


def speaks_no_http(connection):
    connection.sendall(b"\x00\xff" * 1_000)


def sends_headers_without_end(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        connection.sendall(b"X-%d: %s\r\n" % (number, b"x" * 1_000))


# Whether the delivery counts: a 2xx that came counts, whatever becomes of the rest.
BEHAVIOURS = {
    drips_headers: "waiting", drips_body: "sent", says_nothing: "waiting", cuts_its_body: "sent",
    answers_ten_megabytes: "sent", speaks_no_http: "waiting", sends_headers_without_end: "waiting",
}  # fmt: skip


def tell(house, firm, client, *urls):
    with db.writing(house.engine) as connection:
        for url in urls:
            store.add(connection, Vault(house.settings.secret()), firm["id"], url)
    client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": [BAD]})
    analyse(house)
    started = time.monotonic()
    work.deliver(house, threading.Event(), once=True)
    return time.monotonic() - started


def states(house):
    with db.reading(house.engine) as connection:
        return sorted(connection.scalars(select(outbox.c.state)))


@pytest.mark.parametrize("behave", BEHAVIOURS, ids=lambda one: one.__name__)
def test_a_delivery_ends_in_time_whatever_the_receiver_does(client, house, firm, behave, monkeypatch):
    monkeypatch.setattr(deliver, "_TIMEOUT", 2.0)
    with receiver(behave) as url:
        assert tell(house, firm, client, url) < 15
    assert states(house) == [BEHAVIOURS[behave]]
    with db.reading(house.engine) as connection:
        met = connection.execute(select(attempt)).mappings().one()
    assert met["took_ms"] < 4_000
    assert len(met["answer"] or "") <= 2_000
    assert met["error"] if BEHAVIOURS[behave] == "waiting" else met["status"] == 200


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(client, house, firm, site, tmp_path):
    site.pages["/hook"] = Answer(b"ok")
    with receiver(lambda connection: connection.sendall(OK), self_signed(tmp_path)) as url:
        tell(house, firm, client, url, f"{site.url}/hook")
    assert states(house) == ["sent", "waiting"], "the other one has it"
    with db.reading(house.engine) as connection:
        assert "certificate" in connection.scalar(select(outbox.c.error).where(outbox.c.state == "waiting"))


def test_who_asks_for_a_pause_gets_it(client, house, firm, site):
    site.pages["/hook"] = Answer(b"", 429, {"Retry-After": "7200"})
    tell(house, firm, client, f"{site.url}/hook")
    with db.reading(house.engine) as connection:
        waiting = connection.execute(select(outbox)).one()
    assert (waiting.due_at - waiting.created_at).total_seconds() > 7_000
    site.pages["/hook"] = Answer(b"ok")
    make_due(house)
    work.deliver(house, threading.Event(), once=True)
    assert states(house) == ["sent"]
    assert len({json.loads(body)["id"] for _, _, _, body in site.requests}) == 1


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    form = serialization.Encoding.PEM
    (folder / "c.pem").write_bytes(certificate.public_bytes(form))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "k.pem").write_bytes(key.private_bytes(form, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "c.pem", folder / "k.pem")
    return context
