"""A user who may read, write and describe the topics, and may neither create nor change any.

The client is a process of its own, as in `test_secured_kafka.py`.
"""

import subprocess
import sys
from datetime import timedelta
from urllib.parse import urlencode

import kafka as client
import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

from tests.contract.test_secured_kafka import certificate
from tests.servers import CannotStartError, Kafka
from vigie.log import TOPICS
from vigie.log.kafka import KafkaLog

pytestmark = pytest.mark.server

AUTHORIZER = """authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS"""

CLIENT = """
import sys
from datetime import timedelta
from vigie import logs
from vigie.errors import VigieError
from vigie.log import MENTIONS, Message, missing_topics
from vigie.log.kafka import KafkaLog

logs.configure()  # to standard error

class FromTheStart:
    def resume(self, group, sources, ends, topic_ids):
        return dict.fromkeys(sources, 0)

log, values = KafkaLog(sys.argv[1], retention=timedelta(days=int(sys.argv[3]))), []
try:
    if sys.argv[2] == "migrate":
        log.prepare()
        print(*(fault.text for fault in log.find_faults()), sep="\\n")
    else:
        print(missing_topics(log))
        log.append(MENTIONS, [Message(f"company-{n % 5}", str(n).encode()) for n in range(20)])
        with log.subscribe("analysis", [MENTIONS], FromTheStart()) as subscription:
            while len(values) < 20:
                values += [record.value for batch in subscription.poll(timeout=5) for record in batch.records]
        print(len(values))
except VigieError as error:
    sys.exit(f"{type(error).__name__}: {error}")
log.close()
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker that lets `Kafka.USER` do nothing yet, and whoever comes without TLS everything."""
    both, alone = certificate(tmp_path_factory.mktemp("tls"), "broker")
    try:
        broker = Kafka(tls=both, properties=AUTHORIZER)
    except CannotStartError as error:
        pytest.skip(str(error))
    options = broker.client_options(alone)

    def run(prefix, command, days=30):
        url = f"kafka://127.0.0.1:{broker.port}?{urlencode({**options, 'prefix': prefix})}"
        words = [sys.executable, "-c", CLIENT, url, command, str(days)]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    broker.run = run
    yield broker
    broker.stop()


def allow(broker, prefix, *operations):
    """Let the user do that on the topics of `prefix`, and read as any group of it."""
    with client.KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{broker.inner_ports[0]}") as admin:
        rights = [(ResourceType.TOPIC, operation) for operation in operations]
        rights.append((ResourceType.GROUP, ACLOperation.READ))
        admin.create_acls(
            [
                ACL(
                    principal=f"User:{broker.USER}",
                    host="*",
                    operation=operation,
                    permission_type=ACLPermissionType.ALLOW,
                    resource_pattern=ResourcePattern(resource, prefix, ACLResourcePatternType.PREFIXED),
                )
                for resource, operation in rights
            ]
        )


def make_topics(broker, prefix):
    log = KafkaLog(f"kafka://127.0.0.1:{broker.inner_ports[0]}?prefix={prefix}", retention=timedelta(days=30))
    log.prepare()
    log.close()


def test_roles_work_without_the_right_to_create(broker):
    make_topics(broker, "a.")
    allow(broker, "a.", ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS)
    done = broker.run("a.", "work")
    assert done.stdout.split("\n")[:2] == ["[]", "20"], done.stderr


def test_migrate_changes_nothing_where_nothing_differs_and_tells_what_it_may_not_change(broker):
    make_topics(broker, "b.")
    allow(broker, "b.", ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS)
    agreeing = broker.run("b.", "migrate")
    assert (agreeing.returncode, agreeing.stdout.strip()) == (0, ""), agreeing.stderr
    differing = broker.run("b.", "migrate", days=7)
    assert differing.returncode == 0, differing.stderr
    assert "b.mentions has retention.ms=2592000000, not 604800000" in differing.stdout


def test_topics_that_may_not_be_created_are_a_clear_error(broker):
    allow(broker, "c.", ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE)
    done = broker.run("c.", "migrate")
    assert done.returncode == 1
    for topic in TOPICS:
        assert f"c.{topic}" in done.stderr
    assert "may not create them: create them with 8 partitions" in done.stderr


def test_configurations_that_may_not_be_read_are_told(broker):
    make_topics(broker, "d.")
    allow(broker, "d.", ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE)
    done = broker.run("d.", "migrate")
    assert done.returncode == 0, done.stderr
    assert "d.mentions: allow DescribeConfigs" in done.stdout


def test_topics_that_may_not_be_described_are_told(broker):
    make_topics(broker, "e.")
    done = broker.run("e.", "work")
    assert done.returncode == 1
    assert "may not describe the topic e." in done.stderr
