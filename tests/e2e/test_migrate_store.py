"""Growing out of one machine: the embedded store moves to PostgreSQL and Kafka, cut off or not, and nothing is lost."""

import secrets
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from analysis import store
from ingest import collect, sources_store
from ingest.found import Found, mentions
from tests.pipeline import analyse
from vigie import companies, db, heartbeat, moving
from vigie.cli import app
from vigie.cli.house import opened
from vigie.db.tables import mention
from vigie.log import kafka as kafka_log

run = CliRunner().invoke


@pytest.fixture
def target(kafka, postgresql, monkeypatch):
    log_url = f"{kafka.url}?prefix=move{secrets.token_hex(4)}."
    return ["--database-url", postgresql.new_database(), "--log-url", log_url]


@pytest.fixture
def filled(tmp_path, monkeypatch):
    """An embedded store with 40 mentions read and 60 that wait in the log; the ids of all."""
    monkeypatch.setenv("VIGIE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("vigie.logs.configure", lambda *_: None)  # the runner's standard error is closed after each run
    with opened() as house:
        with db.writing(house.engine) as connection:
            company_id = companies.add(connection, "Boulangerie Mercier")
            source = sources_store.named(connection, company_id, "push", "Caisse")
        ids = set()
        for first, last in ((0, 40), (40, 100)):
            found = [Found(text=f"Avis {n}.", rating=4, published_at=datetime.now(UTC)) for n in range(first, last)]
            collected = mentions(company_id, source["id"], found)
            collect.append(house.log, company_id, sources_store.origin(source), collected)
            ids |= {one.id for one in collected}
            if not first:
                analyse(house)
    return ids


def drained(target, monkeypatch):
    """What the new store holds once its worker has read all."""
    monkeypatch.setenv("VIGIE_DATABASE_URL", target[1])
    monkeypatch.setenv("VIGIE_LOG_URL", target[3])
    assert run(app, ["analyse", "--once"]).exit_code == 0
    with opened() as house, db.reading(house.engine) as connection:
        kept, counted = store.recount(connection)
        assert kept == counted
        return set(connection.scalars(select(mention.c.id)))


def test_everything_arrives_and_the_old_store_stays_closed(filled, target, monkeypatch):
    moved = run(app, ["migrate-store", *target])
    assert moved.exit_code == 0, moved.output
    again = run(app, ["company", "list"])
    assert again.exit_code != 0
    assert "moved to another database" in str(again.exception)
    assert drained(target, monkeypatch) == filled


def test_cut_off_and_started_again(filled, target, monkeypatch):
    """Killed between the database and the log, and once more in the middle of the log."""
    append, calls = kafka_log.KafkaLog.append, []

    def dies(self, topic, messages):
        calls.append(topic)
        if len(calls) == 1:
            raise KeyboardInterrupt
        append(self, topic, messages)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(kafka_log.KafkaLog, "append", dies)
    for _ in range(2):
        assert run(app, ["migrate-store", *target]).exit_code != 0
    assert run(app, ["company", "list"]).exit_code == 0, "until it is done, the old store is the store"
    assert run(app, ["migrate-store", *target]).exit_code == 0
    assert drained(target, monkeypatch) == filled


def test_nothing_moves_while_something_runs_or_onto_other_firms(filled, target, tmp_path):
    with opened() as house:
        with db.writing(house.engine) as connection:
            heartbeat.beat(connection, "ingest")
        refused = run(app, ["migrate-store", *target])
        assert "stop Vigie first: ingest" in str(refused.exception)
        with db.writing(house.engine) as connection:
            heartbeat.stop(connection, "ingest")
    assert run(app, ["migrate-store", *target]).exit_code == 0
    (tmp_path / "moved.json").unlink()
    onto = run(app, ["migrate-store", *target])
    assert "holds firms" in str(onto.exception)
    assert not moving.has_moved(tmp_path)
