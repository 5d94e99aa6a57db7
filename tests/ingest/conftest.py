"""A DKIM key, and the name server that publishes it."""

import base64
import socket
import threading

import dns.message
import dns.resolver
import dns.rrset
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ingest import parsing
from ingest.parsing.pool import ParserPool


@pytest.fixture(scope="module")
def signing():
    """A key, and a real name server on loopback that publishes it for trustpilot.com."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = base64.b64encode(
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode()
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                query, who = wire.recvfrom(4096)
            except OSError:
                return
            asked = dns.message.from_wire(query)
            answer = dns.message.make_response(asked)
            name = asked.question[0].name
            flags = {
                "s1._domainkey.trustpilot.com.": "",
                "s1._domainkey.evil.example.": "",
                "testing._domainkey.trustpilot.com.": "t=y; ",
            }
            if str(name) in flags:
                parts = " ".join(
                    f'"{part}"' for part in (f"v=DKIM1; {flags[str(name)]}k=rsa; p={public[:200]}", public[200:])
                )
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", parts))
            wire.sendto(answer.to_wire(), who)

    threading.Thread(target=serve, daemon=True).start()
    before = dns.resolver.default_resolver
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], wire.getsockname()[1]
    dns.resolver.default_resolver = resolver
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    yield private
    dns.resolver.default_resolver = before
    wire.close()


@pytest.fixture
def parsers(signing, monkeypatch):
    """Parser children that ask the test's name server as well."""
    environment = {"TEST_NAME_SERVER_PORT": str(dns.resolver.default_resolver.port)}
    pool = ParserPool(tasks="tests.ingest.parser_tasks", environment=environment)
    monkeypatch.setattr(parsing, "shared_pool", lambda: pool)
    yield pool
    pool.close()
