"""Whatever quotes an erased mention loses its words, however they were written down."""

import json
import random
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from analysis import endpoints, forgetting, store
from analysis.forgetting import Asked
from analysis.report import Week
from dashboards import alert_mails, weekly
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import hear
from vigie import access, backup, clock, companies, db, due, ids, outbox
from vigie.cli import work
from vigie.db.tables import alert, attempt, forgotten, mention, quotation, report, saved_filter
from vigie.db.tables import outbox as outbox_table

MARK = "zquimper"
PADDING = ("\n", '"', "\\", "\u00a0\u00a0\u00a0", " " * 40, "🥐", "é", "\t", "<b>", "&", "mot ")


def random_text(seed: int, words: int) -> str:
    choose = random.Random(seed)
    parts = [f"{MARK}{number} odieux, nul" + choose.choice(PADDING) for number in range(words)]
    return "Accueil odieux. " + "".join(parts)


@pytest.fixture
def hook_and_recipient(house, firm):
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "marie@example.fr", alerts="instant")
        key = access.create_key(connection, "test")
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"})
    events = ["alert.raised", "mention.analysed"]
    body = {"url": "https://crm.example.fr/h", "events": events}
    assert client.post(f"/api/v1/companies/{firm['id']}/webhooks", json=body).status_code == 201


def spread(house, firm, text: str, **fields) -> str:
    """Bring a mention into alerts, webhooks, alert mails and a weekly mail; return its id."""
    published_at = datetime.now(UTC) - timedelta(days=6)
    hear(house, firm, Found(text=text, rating=1, external_id="1", published_at=published_at, **fields))
    weekly.send(house.engine, house.settings, firm, Week.of(published_at.date()))
    with db.writing(house.engine) as connection:
        due.schedule(connection, due.ALERT_MAIL, [firm["id"]])
        connection.execute(update(alert).values(raised_at=clock.now()))
    alert_mails.send_due(house.engine, house.settings)
    with db.reading(house.engine) as connection:
        return connection.scalars(select(mention.c.id)).one()


def rows(house, table):
    with db.reading(house.engine) as connection:
        return connection.execute(select(table)).mappings().all()


def forget(house, firm, **asked):
    whom = Asked(key=house.settings.secret(), company_id=firm["id"], **asked)
    return forgetting.forget(house.engine, house.log, whom, house.settings.outbox_dir)


def settle_all(house):
    with db.writing(house.engine) as connection:
        connection.execute(update(outbox_table).values(state="sent", settled_at=clock.now()))


def expire(house):
    with db.writing(house.engine) as connection:
        connection.execute(update(mention).values(expires_at=clock.now() - timedelta(days=1)))
        store.expire(connection)


def files_with_mark(house):
    folder = house.settings.data_dir
    return [path.name for path in folder.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes().lower()]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_sent", [True, False])
def test_forgetting_a_mention_leaves_no_byte_of_an_anonymous_text(house, firm, hook_and_recipient, seed, is_sent):
    mention_id = spread(house, firm, random_text(seed, 3 if seed % 2 else 60), title=f"{MARK} titre")
    assert {row["kind"] for row in rows(house, outbox_table)} == {"webhook", "mail"}
    if is_sent:
        settle_all(house)
    forget(house, firm, mention_id=mention_id)
    house.log.close()
    house.engine.dispose()
    assert files_with_mark(house) == []


@pytest.mark.parametrize("seed", range(4))
def test_expired_words_leave_alerts_reports_and_deliveries(house, firm, hook_and_recipient, seed):
    spread(house, firm, random_text(seed, 3 if seed % 2 else 60))
    if seed < 2:
        settle_all(house)
    expire(house)
    db.scrub(house.engine)
    left = {
        table.name: [row for row in rows(house, table) if MARK in str(row)]
        for table in (mention, alert, report, outbox_table, attempt)
    }
    assert left == {"mention": [], "alert": [], "report": [], "outbox": [], "attempt": []}


def test_expired_sentences_leave_no_byte_in_the_database(house, firm, hook_and_recipient):
    """Without a rewrite of the file: expiry happens beside everything else. The index of words keeps loose words."""
    spread(house, firm, random_text(1, 400))
    settle_all(house)
    expire(house)
    with house.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    left = house.settings.data_dir.joinpath("vigie.db").read_bytes().lower()
    assert not re.search(rb"zquimper\d+ odieux", left)


def test_a_waiting_webhook_is_sent_without_the_words_and_a_waiting_mail_is_dropped(house, firm, hook_and_recipient):
    mention_id = spread(house, firm, f'Il a dit "{MARK}"\nnul, odieux, plus jamais.')
    waiting = {row["id"] for row in rows(house, outbox_table) if row["kind"] == "webhook"}
    forget(house, firm, mention_id=mention_id)
    left = rows(house, outbox_table)
    assert {row["id"] for row in left} == waiting
    assert {row["state"] for row in left} == {"waiting"}
    assert [json.loads(row["body"])["type"] for row in left]


def test_a_delivery_that_was_claimed_before_is_sent_without_the_words(house, firm, hook_and_recipient):
    mention_id = spread(house, firm, f"Odieux, nul, {MARK}.")
    sent = []

    class Recorder:
        def send(self, delivery):
            sent.append(delivery.body)

    claimed = outbox.claim(house.engine, ["webhook", "mail"])
    forget(house, firm, mention_id=mention_id)
    for delivery in claimed:
        outbox._send(house.engine, Recorder(), delivery)
    assert claimed
    assert [body for body in sent if MARK.encode() in body] == []
    assert len(sent) == sum(delivery.kind == "webhook" for delivery in claimed)


def test_deliveries_of_earlier_releases_are_found_by_their_words(house, firm, hook_and_recipient):
    mention_id = spread(house, firm, f'{MARK} a dit :\n"nul",' + "   odieux" * 200)
    with db.writing(house.engine) as connection:
        connection.execute(quotation.delete())
    forget(house, firm, mention_id=mention_id)
    assert [row["kind"] for row in rows(house, outbox_table) if MARK.encode() in row["body"]] == []


def test_the_files_of_mails_go_after_expiry(house, firm, hook_and_recipient):
    spread(house, firm, f"Odieux, nul, {MARK}.")
    with db.writing(house.engine) as connection:
        connection.execute(update(outbox_table).where(outbox_table.c.kind == "webhook").values(state="failed"))
    work.deliver(house, threading.Event(), once=True)
    assert list(house.settings.outbox_dir.glob("*.eml"))
    expire(house)
    work.deliver(house, threading.Event(), once=True)
    assert list(house.settings.outbox_dir.glob("*.eml")) == []


def test_saved_filters_that_name_the_author_go(house, firm):
    hear(house, firm, Found(text="Bien.", author="Jean de Zquimper", external_id="1"))
    filters = [("À suivre", "q=Zquimper"), ("ZQUIMPER", "rating=1"), ("Le pain", "q=pain+de+mie")]
    with db.writing(house.engine) as connection:
        for name, query in filters:
            values = {"id": ids.drawn("sf"), "company_id": firm["id"], "name": name, "query": query}
            connection.execute(saved_filter.insert().values(created_at=clock.now(), **values))
    forget(house, firm, author="Jean de Zquimper")
    assert [row["name"] for row in rows(house, saved_filter)] == ["Le pain"]


def test_an_address_that_was_left_is_forgotten_with_its_mention(house, firm):
    hear(house, firm, Found(text="Trop cher.", contact="zquimper@example.fr", external_id="1"))
    assert forget(house, firm, author="Zquimper@example.fr").mentions == 1
    house.log.close()
    house.engine.dispose()
    assert files_with_mark(house) == []


def test_what_was_sent_is_emptied_after_a_month_and_removed_after_a_year(house, firm, hook_and_recipient):
    spread(house, firm, f"Odieux, nul, {MARK}.")
    settle_all(house)

    def remove_old(age):
        with db.writing(house.engine) as connection:
            connection.execute(update(outbox_table).values(settled_at=clock.now() - age))
            return outbox.remove_old(connection)

    assert remove_old(timedelta(days=29)) == 0
    count = len(rows(house, outbox_table))
    assert remove_old(timedelta(days=31)) == count
    assert {(row["body"], row["state"]) for row in rows(house, outbox_table)} == {(b"", "sent")}
    assert rows(house, quotation) == []
    with db.writing(house.engine) as connection:
        assert outbox.again(connection, [row["id"] for row in rows(house, outbox_table)]) == 0
    assert remove_old(timedelta(days=366)) == count
    assert rows(house, outbox_table) == []


def test_a_restored_backup_brings_no_quoted_words_back(house, firm, hook_and_recipient, tmp_path):
    mention_id = spread(house, firm, f"Odieux, nul, {MARK}.")
    backup.write(house.engine, None, tmp_path / "before.zip")
    forget(house, firm, mention_id=mention_id)
    forgotten_rows = [dict(row) for row in rows(house, forgotten)]
    backup.restore(house.engine, None, tmp_path / "before.zip", replace=True)
    assert [row for row in rows(house, alert) if MARK in str(row)], "the backup is older"
    with db.writing(house.engine) as connection:
        db.upsert(connection, forgotten, forgotten_rows)
    assert forgetting.apply(house.engine, house.settings.secret()) == 1
    tables = (mention, alert, report, outbox_table)
    assert [row for table in tables for row in rows(house, table) if MARK in str(row)] == []


def test_a_waiting_webhook_loses_its_words_when_the_company_becomes_medical(house, firm, hook_and_recipient):
    spread(house, firm, f"Odieux, nul, {MARK}.")
    bodies = [row["body"] for row in rows(house, outbox_table) if row["kind"] == "webhook"]
    assert any(MARK.encode() in body for body in bodies)
    assert [body for body in bodies if MARK.encode() in endpoints.body_without_words(body)] == []
