"""Each alert is a record of the topic `alerts` where that is asked for: on both logs, at least once, under one id."""

import json
import secrets
import threading
from datetime import date
from pathlib import Path

import jsonschema_rs
import pytest
from sqlalchemy import func, select, update

from analysis import alert_store, publishing
from analysis.alerts import NEGATIVE, Finding
from tests.servers import wait_until
from vigie import clock, companies, db
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.migrate import migrate
from vigie.db.tables import alert, outbox
from vigie.log import ALERTS, open_log
from vigie.positions import StoredPositions
from vigie.settings import Settings

SCHEMAS = Path(__file__).parent.parent.parent / "vigie" / "schemas"
FACTS = {"rating": 1.0, "score": -0.9, "quote": "Accueil odieux."}
FINDING = Finding(NEGATIVE, "m1", "once", date(2026, 11, 23), FACTS, ("m1",))


@pytest.fixture
def house(engine, log, tmp_path):
    return House(Settings(data_dir=tmp_path, secret_key="test", publish_alerts=True), engine, log)


def raise_one(engine) -> tuple[str, str]:
    """Return the ids of a company and of its only alert, which is resolved at once."""
    with db.writing(engine) as connection:
        company_id = companies.add(connection, "Boulangerie")
        alert_store.raise_alerts(connection, company_id, [FINDING])
        alert_id = connection.scalar(select(alert.c.id).where(alert.c.company_id == company_id))
        alert_store.handle(connection, company_id, alert_id, by="Marie", resolve=True)
    return company_id, alert_id


def published(house, count: int) -> list:
    """Return the records of the topic once there are so many."""
    found = []
    with house.log.subscribe("crm", [ALERTS], StoredPositions(house.engine)) as subscription:

        def poll() -> bool:
            found.extend(record for batch in subscription.poll(timeout=0.2) for record in batch.records)
            return len(found) >= count

        wait_until(poll)
    return found


def check(key: bytes, value: bytes, headers: dict[str, bytes], company_id: str) -> dict:
    """Return the event of a record, which is as docs/kafka.md says."""
    event = json.loads(value)
    assert key.decode() == company_id
    assert headers == {"content-type": b"application/cloudevents+json; charset=UTF-8"}
    assert event["specversion"] == "1.0"
    assert event["source"] == f"/companies/{company_id}"
    kind, version = event["dataschema"].removeprefix("urn:vigie:schema:").split(":")
    schema = json.loads((SCHEMAS / f"{kind}.{version}.json").read_text())
    assert event["type"] == kind
    jsonschema_rs.validate(schema, event["data"])
    assert event["data"]["facts"] == {"rating": 1.0, "score": -0.9}, "no customer's words"
    return event


def test_an_alert_is_published_when_it_is_raised_and_when_it_is_over(house):
    company_id, alert_id = raise_one(house.engine)
    work.deliver(house, threading.Event(), once=True)
    records = published(house, 2)
    events = [check(record.key, record.value, dict(record.headers), company_id) for record in records]
    assert sorted(event["type"] for event in events) == ["alert.raised", "alert.resolved"]
    assert {event["data"]["id"] for event in events} == {alert_id}


def test_a_second_attempt_carries_the_same_id(house):
    raise_one(house.engine)
    work.deliver(house, threading.Event(), once=True)
    with db.writing(house.engine) as connection:  # as after a process died before it noted that it had sent
        connection.execute(update(outbox).values(state="waiting", due_at=clock.now()))
    work.deliver(house, threading.Event(), once=True)
    records = published(house, 4)
    assert len(records) == 4
    assert len({json.loads(record.value)["id"] for record in records}) == 2


def test_an_alert_and_its_record_are_one_transaction(house):
    with house.engine.connect() as connection, connection.begin() as transaction:
        company_id = companies.add(connection, "Boulangerie")
        alert_store.raise_alerts(connection, company_id, [FINDING])
        assert connection.scalar(select(func.count()).select_from(outbox)) == 1
        transaction.rollback()
    with db.reading(house.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(outbox)) == 0
        assert connection.scalar(select(func.count()).select_from(alert)) == 0


def test_nothing_is_published_unless_it_is_asked_for(engine):
    raise_one(engine)
    with db.reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(outbox)) == 0


def test_another_client_reads_the_topic(kafka, postgresql, tmp_path):
    """By librdkafka, which shares no code with the client that wrote."""
    confluent_kafka = pytest.importorskip("confluent_kafka")
    prefix = f"{secrets.token_hex(4)}."
    settings = Settings(log_url=f"{kafka.url}?prefix={prefix}", data_dir=tmp_path, secret_key="test")
    engine, log = db.connect(postgresql.new_database()), open_log(settings)
    log.prepare()
    migrate(engine)
    publishing.enable(engine)
    company_id, alert_id = raise_one(engine)
    work.deliver(House(settings, engine, log), threading.Event(), once=True)
    address = kafka.url.removeprefix("kafka://")
    group = {"group.id": secrets.token_hex(4), "auto.offset.reset": "earliest"}
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address, **group})
    consumer.subscribe([f"{prefix}{ALERTS}"])
    messages = [wait_until(lambda: consumer.poll(0.2), timeout=60) for _ in range(2)]
    consumer.close()
    assert [message.error() for message in messages] == [None, None]
    events = [check(one.key(), one.value(), dict(one.headers()), company_id) for one in messages]
    assert {event["data"]["id"] for event in events} == {alert_id}
    log.close()
    engine.dispose()
