"""A broker that speaks TLS alone and asks for a name and a password (SCRAM).

Clients are processes of their own: kafka-python leaves the sockets of refused connections to the garbage collector, and
another test would be blamed for them.
"""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.servers import CannotStartError, Kafka

pytestmark = pytest.mark.server

CLIENT = """
import sys
from datetime import timedelta
from vigie import logs
from vigie.errors import UnavailableError
from vigie.log import MENTIONS, Message
from vigie.log.kafka import KafkaLog

logs.configure()  # to standard error

class FromTheStart:
    def resume(self, group, sources, ends, topic_ids):
        return dict.fromkeys(sources, 0)

log, found = KafkaLog(sys.argv[1], retention=timedelta(days=1)), []
try:
    if sys.argv[2:]:
        log.prepare()
        sys.exit()
    log.append(MENTIONS, [Message(f"company-{n % 5}", str(n).encode()) for n in range(20)])
    with log.subscribe("counting", [MENTIONS], FromTheStart()) as subscription:
        while len(found) < 20:
            found += [record.value.decode() for batch in subscription.poll(timeout=5) for record in batch.records]
except UnavailableError as error:
    sys.exit(str(error))
print(*sorted(found, key=int))
log.close()
"""


def client(url, *more):
    run = [sys.executable, "-c", CLIENT, url, *more]
    return subprocess.run(run, capture_output=True, text=True, timeout=30, check=False)


def certificate(folder, name):
    """A key and its self-signed certificate for 127.0.0.1, in one file; and the certificate alone."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    ).public_bytes(Encoding.PEM)
    both, alone = folder / f"{name}-key.pem", folder / f"{name}.pem"
    both.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made)
    alone.write_bytes(made)
    return both, alone


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """The broker's address with everything that is right, to be changed by a test."""
    folder = tmp_path_factory.mktemp("tls")
    both, alone = certificate(folder, "broker")
    try:
        broker = Kafka(tls=both)
    except CannotStartError as error:
        pytest.skip(str(error))
    options = broker.client_options(alone)

    def url(**changed):
        return f"kafka://127.0.0.1:{broker.port}?{urlencode(options | changed)}"

    made = client(url(), "prepare")  # so that nobody is refused for a topic that is not there
    assert made.returncode == 0, made.stderr
    yield url
    broker.stop()


def test_records_go_and_come_by_tls_and_password(secured):
    done = client(secured())
    assert done.stdout.split() == [str(n) for n in range(20)], done.stderr


@pytest.mark.parametrize(
    "changed", [{"sasl_plain_password": "other"}, {"ssl_cafile": "stranger"}, {"security_protocol": "PLAINTEXT"}]
)
def test_who_is_not_let_in_is_told_so_in_time(secured, changed, tmp_path):
    if "ssl_cafile" in changed:
        changed = {"ssl_cafile": str(certificate(tmp_path, "stranger")[1])}
    done = client(secured(**changed))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Kafka does not answer: ")
