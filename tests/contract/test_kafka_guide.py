"""docs/kafka.md, followed word for word on three brokers with TLS, SASL and ACLs.

Addresses and the certificate's path are exchanged. Kafka's jars here lack `kafka-acls.sh`, so the administrator's client
stands in for it.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import kafka as client
import pytest
from kafka.errors import TopicAuthorizationFailedError
from sqlalchemy import select

from tests.conftest import start
from tests.contract.test_secured_kafka import certificate
from tests.servers import KAFKA_JARS, ROOT, Kafka, wait_until
from vigie import db
from vigie.db.tables import mention
from vigie.log import PARTITIONS, TOPICS

pytestmark = pytest.mark.server

GUIDE = (ROOT / "docs/kafka.md").read_text()
DOCUMENTED_BROKERS = "kafka-1:9093,kafka-2:9093,kafka-3:9093"
DOCUMENTED_CA = "/etc/vigie/kafka-ca.pem"
BROKERS = 3
PROPERTIES = """authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin
default.replication.factor=3"""

CONFIGS_TOOL = f"""#!/bin/sh
exec java -XX:TieredStopAtLevel=1 -cp '{KAFKA_JARS}/*' kafka.admin.ConfigCommand "$@"
"""

# Takes the options of Kafka's AclCommand that the guide uses, and as it does refuses an operation that the kind of
# resource does not have.
ACLS_TOOL = f"""#!{sys.executable}
import argparse, os, re
import kafka
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--bootstrap-server", required=True)
parser.add_argument("--command-config", required=True)
parser.add_argument("--add", action="store_true", required=True)
parser.add_argument("--allow-principal", required=True)
topic_operations = ["Create", "Alter", "AlterConfigs", "DescribeConfigs", "Describe", "Read", "Write", "Delete"]
parser.add_argument("--operation", action="append", required=True, choices=topic_operations)
parser.add_argument("--resource-pattern-type", default="literal", choices=["literal", "prefixed"])
resource = parser.add_mutually_exclusive_group(required=True)
resource.add_argument("--topic")
resource.add_argument("--group")
options = parser.parse_args()
if options.group and not set(options.operation) <= {{"Read", "Describe", "Delete"}}:
    parser.error("a group has no such operation")
kind = ResourceType.TOPIC if options.topic else ResourceType.GROUP
form = ACLResourcePatternType[options.resource_pattern_type.upper()]
acls = [
    ACL(
        principal=options.allow_principal, host="*", permission_type=ACLPermissionType.ALLOW,
        operation=ACLOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()],
        resource_pattern=ResourcePattern(kind, options.topic or options.group, form),
    )
    for operation in options.operation
]
with kafka.KafkaAdminClient(bootstrap_servers=os.environ["TEST_ADMIN_BROKER"]) as admin:
    assert len(admin.create_acls(acls)["succeeded"]) == len(acls)
"""


class SecuredKafka(Kafka):
    """Brokers whose SCRAM user is the administrator of the guide."""

    USER, PASSWORD = "admin", "admin-secret"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """Return the brokers' certificate with its key, and without."""
    return certificate(tmp_path_factory.mktemp("tls"), "broker")


@pytest.fixture(scope="module")
def cluster(tls):
    brokers = start(lambda: SecuredKafka(BROKERS, tls=tls[0], properties=PROPERTIES))
    yield brokers
    brokers.stop()


@pytest.fixture
def guide(cluster, tls):
    """Return the blocks of the guide, in order: their language, and their text with the addresses of this cluster."""
    addresses = ",".join(f"127.0.0.1:{port}" for port in cluster.ports)
    text = GUIDE.replace(DOCUMENTED_BROKERS, addresses).replace(DOCUMENTED_CA, str(tls[1]))
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(guide, tmp_path):
    """A folder with the files that the guide has one write, and the tools that it calls."""
    (tmp_path / "admin.properties").write_text(_find_block(guide, "properties"))
    for name, distinction in [("write_mention.py", "import Producer"), ("read_alerts.py", "import Consumer")]:
        (tmp_path / name).write_text(_find_block(guide, "python", distinction))
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in [("kafka-configs.sh", CONFIGS_TOOL), ("kafka-acls.sh", ACLS_TOOL)]:
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def environment(folder, cluster):
    """The variables that the guide takes for granted."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    return inherited | {
        "PATH": os.pathsep.join([str(folder / "tools"), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "TEST_ADMIN_BROKER": f"127.0.0.1:{cluster.inner_ports[0]}",
        "VIGIE_DATABASE_URL": f"sqlite:///{folder / 'vigie.db'}",
        "VIGIE_DATA_DIR": str(folder / "data"),
        "VIGIE_SECRET_KEY": secrets.token_hex(32),
    }


def _find_block(blocks, language, distinction=""):
    """Return the only block of a language that holds `distinction`."""
    (text,) = [text for written_in, text in blocks if written_in == language and distinction in text]
    return text


@contextmanager
def running(script, folder, environment):
    """Run a script of the shell; yields the file of its output, and ends all that it started."""
    output_path = folder / "output.log"
    with open(output_path, "wb") as output:
        process = subprocess.Popen(
            ["bash", "-e", "-c", script],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process, output_path
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_alert(process, output_path):
    """Return the first line that `read_alerts.py` printed: the company's id, and the event."""

    def find():
        output = output_path.read_text()
        assert process.poll() is None, output
        return re.search(r"^(co_\w+) (\{.*\})$", output, re.MULTILINE)

    line = wait_until(find, timeout=180, every=0.2)
    return line[1], json.loads(line[2])


def read_mention_ids(database_url, company_id):
    """Return the ids of the mentions that are stored for a company."""
    engine = db.connect(database_url)
    with db.reading(engine) as connection:
        mention_ids = set(connection.scalars(select(mention.c.id).where(mention.c.company_id == company_id)))
    engine.dispose()
    return mention_ids


def describe_topics(cluster):
    """Return the number of partitions of each topic, and of the fewest copies that one of them has."""
    with client.KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{cluster.inner_ports[0]}") as admin:
        topics = admin.describe_topics([f"vigie.{topic}" for topic in TOPICS])
    return {
        topic["name"]: (len(topic["partitions"]), min(len(part["replica_nodes"]) for part in topic["partitions"]))
        for topic in topics
    }


def create_topic_as_application(cluster, tls):
    """Create a topic with the account of the roles."""
    with client.KafkaAdminClient(
        bootstrap_servers=f"127.0.0.1:{cluster.port}",
        security_protocol="SASL_SSL",
        ssl_cafile=str(tls[1]),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="vigie-app",
        sasl_plain_password="app-secret",
    ) as admin:
        admin.create_topics({"vigie.other": {"num_partitions": 1, "replication_factor": 1}})


def test_the_guide_leads_to_a_stored_mention_and_its_alert(guide, folder, environment, cluster, tls):
    script = "".join(text for language, text in guide if language == "sh")
    with running(script, folder, environment) as (process, output_path):
        company_id, event = read_alert(process, output_path)
        output = output_path.read_text()
    assert event["type"] == "alert.raised"
    assert event["data"]["company_id"] == company_id
    assert event["data"]["facts"]["rating"] == 1.0
    assert set(event["data"]["mention_ids"]) == read_mention_ids(environment["VIGIE_DATABASE_URL"], company_id)
    assert "misplaced_record" not in output
    assert "still differs" not in output
    with pytest.raises(TopicAuthorizationFailedError):
        create_topic_as_application(cluster, tls)
    assert describe_topics(cluster) == {f"vigie.{topic}": (PARTITIONS, BROKERS) for topic in TOPICS}
