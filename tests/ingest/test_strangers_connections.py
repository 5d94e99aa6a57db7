"""What strangers' servers set or get wrong: cookies are not kept, certificates and redirects are told in words."""

import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api.webhooks.deliver import WebhookSender
from ingest import http as web
from ingest.http import Web
from tests.web import Answer, receiver
from vigie.errors import SourceError
from vigie.secrets import Vault


def test_no_cookie_is_kept_between_requests(site):
    site.pages["/"] = Answer(b"", 302, {"Location": "/again", "Set-Cookie": "seen=1; Path=/"})
    site.pages["/again"] = Answer(b"here", 200, {"Set-Cookie": "seen=2; Path=/"})
    with Web([site.host], delay=0) as given:
        for _ in range(2):
            assert given.get(f"{site.url}/").body == b"here"
    assert [headers.get("Cookie") for _, _, headers, _ in site.requests] == [None] * 4


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """Make a server's context for a name and days of validity; its authority is known unless said otherwise."""

    def make(name, days, *, is_known=True):
        authority_key, authority = _signed("authority", 30, None, None)
        key, cert = _signed(name, days, authority_key, authority)
        pem = tmp_path / "server.pem"
        encoding = serialization.Encoding.PEM
        form = serialization.PrivateFormat.PKCS8
        pem.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()) + cert.public_bytes(encoding))
        trusting = ssl.create_default_context()
        if is_known:
            trusting.load_verify_locations(cadata=authority.public_bytes(encoding).decode())
        monkeypatch.setattr(web, "_tls", lambda: trusting)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context

    return make


def _signed(name, days, issuer_key, issuer):
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=60))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return key, builder.sign(issuer_key or key, hashes.SHA256())


FAULTS = {
    "expired": (("localhost", -1), {}, "its certificate has expired"),
    "another name": (("elsewhere.example", 30), {}, "its certificate is for another name"),
    "unknown authority": (("localhost", 30), {"is_known": False}, "its certificate is of an unknown authority"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_certificates_fault_is_told_in_words(house, certificate, fault):
    given, how, said = FAULTS[fault]
    with receiver(lambda connection: None, certificate(*given, **how)) as url:
        url = url.replace("127.0.0.1", "localhost")
        with Web(["localhost"], delay=0) as source, pytest.raises(SourceError) as error:
            source.get(url)
        sender = WebhookSender(house.engine, Vault("s"), lambda connection, event: event, allow_hosts=["localhost"])
        outcome = sender._post(url, {}, b"{}")
        sender.close()
    assert str(error.value) == said
    assert outcome.reason == said


def test_a_webhooks_redirect_is_told_and_not_followed(house, site):
    site.pages["/old"] = Answer(b"", 301, {"Location": "/new"})
    sender = WebhookSender(house.engine, Vault("s"), lambda connection, event: event, allow_hosts=[site.host])
    outcome = sender._post(f"{site.url}/old", {}, b"{}")
    sender.close()
    assert outcome.reason == f"HTTP 301, leads to {site.url}/new: set that address"
    assert not outcome.is_taken
    assert len(site.requests) == 1
