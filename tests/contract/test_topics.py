"""The topics on Kafka: made and changed by `vigie migrate` alone, and compared with the settings."""

import secrets
import threading
from datetime import UTC, datetime, timedelta

import kafka as client
import pytest
from kafka.admin import ConfigResource

from tests.conftest import start
from tests.servers import Kafka, wait_until
from vigie import clock, db
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.migrate import migrate
from vigie.errors import SettingsError, UnavailableError
from vigie.log import ALERTS, MENTIONS, TOPICS, Message, missing_topics, open_log
from vigie.positions import StoredPositions
from vigie.settings import Settings

DAY = timedelta(days=1)


@pytest.fixture
def prefix():
    return f"{secrets.token_hex(4)}."


@pytest.fixture
def opened(kafka, prefix):
    """Open the log on the test's own topics; all are closed at the end."""
    logs = []

    def open_one(retention=30 * DAY, more=""):
        logs.append(open_log(Settings(log_url=f"{kafka.url}?prefix={prefix}{more}", log_retention=retention)))
        return logs[-1]

    yield open_one
    for log in logs:
        log.close()


@pytest.fixture
def admin(kafka):
    with client.KafkaAdminClient(bootstrap_servers=kafka.url.removeprefix("kafka://")) as admin:
        yield admin


def configs(admin, name):
    answers = admin.describe_configs([ConfigResource("TOPIC", name)], config_filter="all")["topic"][name]
    return {key: entry["value"] for key, entry in answers.items()}


def count_partitions(admin, name):
    return len(admin.describe_topics([name])[0]["partitions"])


def texts(log):
    return [fault.text for fault in log.find_faults()]


def test_a_changed_retention_is_told_and_migrated(opened, admin, prefix):
    opened().prepare()
    assert texts(opened()) == []
    shorter = opened(retention=7 * DAY)
    assert all("retention.ms=2592000000, not 604800000: run `vigie migrate`" in text for text in texts(shorter))
    assert len(texts(shorter)) == len(TOPICS)
    shorter.prepare()
    assert texts(shorter) == []
    assert configs(admin, prefix + MENTIONS)["retention.ms"] == "604800000"


def test_what_an_administrator_made_stricter_stays(opened, admin, prefix):
    log = opened()
    log.prepare()
    stricter = ConfigResource("TOPIC", prefix + MENTIONS, {"segment.ms": "3600000"})
    admin.alter_configs([stricter], raise_on_unknown=False)
    wait_until(lambda: configs(admin, prefix + MENTIONS)["segment.ms"] == "3600000")
    log.prepare()
    assert texts(log) == []
    assert configs(admin, prefix + MENTIONS)["segment.ms"] == "3600000"


def test_partitions_that_an_administrator_added_are_no_fault(opened, admin, prefix):
    log = opened()
    log.prepare()
    admin.create_partitions({prefix + MENTIONS: 12})
    wait_until(lambda: count_partitions(admin, prefix + MENTIONS) == 12)
    log.prepare()
    assert texts(log) == []
    assert count_partitions(admin, prefix + MENTIONS) == 12


def test_partitions_that_are_missing_are_told_and_added(opened, admin, prefix):
    admin.create_topics({prefix + MENTIONS: {"num_partitions": 3, "replication_factor": 1}})
    log = opened()
    wait_until(lambda: log.topic_ids())
    assert f"{prefix}mentions has 3 partitions, not 8: run `vigie migrate`" in texts(log)
    assert f"the topic {prefix}alerts is missing: run `vigie migrate`" in texts(log)
    log.prepare()
    wait_until(lambda: count_partitions(admin, prefix + MENTIONS) == 8)
    assert texts(log) == []


def test_a_replication_that_differs_from_the_settings_is_told(opened, prefix):
    opened().prepare()
    log = opened(more="&replication=2")
    assert texts(log)
    assert all("has a replication factor of 1, VIGIE_LOG_URL says 2" in text for text in texts(log))
    assert all(fault.is_warning for fault in log.find_faults())


def test_more_copies_than_brokers_are_a_clear_error(opened):
    with pytest.raises(SettingsError, match="replication=3 is more than there are brokers"):
        opened(more="&replication=3").prepare()


@pytest.mark.parametrize("replication", ["abc", "0", "-2", "1.5", "٣", "1000000000000"])
def test_a_replication_that_is_no_number_is_a_clear_error(replication):
    with pytest.raises(SettingsError, match="replication="):
        open_log(Settings(log_url=f"kafka://127.0.0.1:1?replication={replication}", log_retention=DAY))


def test_what_is_forgotten_is_gone_when_the_topics_say_so(opened, admin, prefix):
    """Kafka drops whole segments: a record stays for `retention.ms` and, before that, `segment.ms`."""
    opened().prepare()
    log = opened(retention=7 * DAY)  # not migrated yet: the topics still keep thirty days
    before = clock.now()
    assert log.rewrite("co_1", lambda value: value) >= before + 31 * DAY
    log.prepare()
    clean_by = log.rewrite("co_1", lambda value: value)
    assert before + 8 * DAY <= clean_by <= clock.now() + 8 * DAY
    admin.alter_configs([ConfigResource("TOPIC", prefix + MENTIONS, {"retention.ms": "-1"})], raise_on_unknown=False)
    wait_until(lambda: log.rewrite("co_1", lambda value: value) == datetime.max.replace(tzinfo=UTC))


def test_a_role_waits_for_the_topics_and_makes_none(opened, admin, prefix, tmp_path, capsys):
    settings = Settings(data_dir=tmp_path, log_retention=DAY)
    engine = db.connect(settings.database)
    migrate(engine)
    log, stop = opened(), threading.Event()
    waiting = threading.Thread(target=work.wait_until_ready, args=(House(settings, engine, log), stop))
    waiting.start()
    try:
        printed = ""

        def is_told():
            nonlocal printed
            printed += "".join(capsys.readouterr())
            return "run `vigie migrate`" in printed

        wait_until(is_told)
        assert not [name for name in admin.list_topics() if name.startswith(prefix)]
        assert waiting.is_alive()
        log.prepare()
        waiting.join(30)
        assert not waiting.is_alive()
    finally:
        stop.set()
        waiting.join(30)
        engine.dispose()
    assert prefix + ALERTS in admin.list_topics()


@pytest.fixture
def creating_broker():
    broker = start(lambda: Kafka(properties="auto.create.topics.enable=true"))  # as Kafka does unless told otherwise
    yield broker
    broker.stop()


def test_a_broker_that_creates_what_is_asked_for_is_not_asked(creating_broker):
    log = open_log(Settings(log_url=creating_broker.url, log_retention=DAY))
    with pytest.raises(UnavailableError):
        log.append(MENTIONS, [Message("co_1", b"{}")])
    with log.subscribe("g", [MENTIONS], StoredPositions(None)) as subscription, pytest.raises(UnavailableError):
        subscription.poll(timeout=0.2)
    assert log.ends(MENTIONS) == {}
    assert missing_topics(log) == list(TOPICS)
    log.close()
