"""An author who is forgotten: no byte left in the data folder, no way back, and the counts stand."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from analysis import disclosure, forgetting
from analysis.forgetting import Asked
from analysis.report import Week
from dashboards import weekly
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import hear
from tests.pipeline import is_exact
from vigie import access, companies, db, scrub
from vigie.cli import work
from vigie.db.tables import alert, mention, rollup
from vigie.errors import UnavailableError

NAME = "Sandrine Malaval"
WORDS = "Accueil odieux, brioche rassise, plus jamais."
THEIRS = Found(text=WORDS, title="Déception totale", author=NAME, rating=1, external_id="1",
               published_at=datetime.now(UTC) - timedelta(days=6))  # fmt: skip
OTHERS = Found(text="Brioche superbe, merci.", author="Nadia", rating=5, published_at=THEIRS.published_at)


@pytest.fixture
def told(house, firm):
    """Their words have gone everywhere: log, database, alert, webhook's delivery, weekly mail as a file."""
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "marie@example.fr")
        key = access.create_key(connection, "test")
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"})
    client.post(f"/api/v1/companies/{firm['id']}/webhooks", json={"url": "https://crm.example.fr/h"})
    hear(house, firm, THEIRS, OTHERS)
    weekly.send(house.engine, house.settings, firm, Week.of(THEIRS.published_at.date()))
    work.deliver(house, __import__("threading").Event(), once=True)
    return client


def held(folder, *words):
    """Which files hold one of the words, whatever the encoding of accents."""
    return [
        path.name for path in folder.rglob("*") if path.is_file() and any(one in path.read_bytes() for one in words)
    ]


def forget(house, firm, **asked):
    whom = Asked(key=house.settings.secret(), company_id=firm["id"], **asked)
    return forgetting.forget(house.engine, house.log, whom, house.settings.outbox_dir)


def rows(house, table):
    with db.reading(house.engine) as connection:
        return connection.execute(select(table)).mappings().all()


def test_who_asks_is_told_all_that_is_kept_and_where_it_went(told, house, firm):
    with db.reading(house.engine) as connection:
        kept = disclosure.kept(connection, Asked(key="", company_id=firm["id"], author="sandrine malaval"))
        nobody = disclosure.kept(connection, Asked(key="", company_id=firm["id"], author="Personne"))
    (one,) = kept["mentions"]
    assert (one["text"], one["author"], one["rating"], one["source"]) == (WORDS, NAME, 1.0, "Google")
    assert [alert["facts"]["quote"] for alert in kept["alerts"]] == [WORDS]
    assert [report["sent_to"] for report in kept["reports"]] == ["marie@example.fr"]
    assert {(sent["kind"], sent["to"].startswith("wh_") or sent["to"]) for sent in kept["sent"]} == {
        ("mail", "marie@example.fr"),
        ("webhook", True),
    }
    assert "Nadia" not in json.dumps(kept)
    assert set(map(len, nobody.values())) == {0}


def test_no_byte_of_their_name_and_words_is_left_and_the_counts_stand(told, house, firm):
    marks = (b"Malaval", b"brioche rassise", b"ception totale")
    assert len(held(house.settings.data_dir, *marks)) >= 3, "they were everywhere"
    sums = rows(house, rollup)
    done = forget(house, firm, author="sandrine  MALAVAL")
    house.log.close()
    house.engine.dispose()
    assert held(house.settings.data_dir, *marks) == []
    assert (done.mentions, done.files, done.log_clean_by) == (1, 1, None)
    assert rows(house, rollup) == sums
    assert is_exact(house)
    (theirs,) = [row for row in rows(house, mention) if row["rating"] == 1]
    assert (theirs["text"], theirs["author"], theirs["label"], theirs["expired"]) == ("", None, "negative", True)
    assert "quote" not in str(rows(house, alert)[0]["facts"]) or rows(house, alert)[0]["facts"]["quote"] == ""
    assert [row["author"] for row in rows(house, mention) if row["rating"] == 5] == ["Nadia"]


def test_neither_the_next_poll_nor_a_replay_of_the_log_brings_them_back(told, house, firm):
    forget(house, firm, author=NAME)
    edited = Found(text="Encore moi : " + WORDS, author=NAME, rating=1, external_id="1", updated_at=datetime.now(UTC),
                   published_at=THEIRS.published_at)  # fmt: skip
    hear(house, firm, edited, Found(text="Un nouvel avis odieux.", author=NAME.upper(), rating=2, external_id="9"))
    assert [row["text"] for row in rows(house, mention) if row["rating"] in (1, 2)] == ["", ""]
    assert is_exact(house)


def test_namesakes_are_told_apart_by_source_or_by_mention(house, firm):
    hear(house, firm, THEIRS, name="Google")
    hear(house, firm, THEIRS, name="Tripadvisor")
    first, second = rows(house, mention)
    forget(house, firm, author=NAME, source_id=first["source_id"])
    assert [row["author"] for row in rows(house, mention) if row["id"] == second["id"]] == [NAME]
    forget(house, firm, mention_id=second["id"])
    assert {row["author"] for row in rows(house, mention)} == {None}
    hear(house, firm, Found(text="Une homonyme.", author=NAME, external_id="7"), name="Tripadvisor")
    assert [row["author"] for row in rows(house, mention) if row["text"]] == [NAME]


def test_another_firms_mentions_stay(told, house, firm):
    with db.writing(house.engine) as connection:
        other = dict(companies.get(connection, companies.add(connection, "Autre")))
    hear(house, other, THEIRS)
    forget(house, firm, author=NAME)
    assert [row["author"] for row in rows(house, mention) if row["company_id"] == other["id"]] == [NAME]
    hear(house, other, Found(text="De nouveau.", author=NAME, external_id="8"))
    assert "De nouveau." in {row["text"] for row in rows(house, mention)}


def test_a_record_without_their_words_stays_as_it_is():
    asked = Asked(key="", company_id="co_1", author=NAME)
    assert forgetting.without(b'{"a": [1, {"author": "Nadia"}]}', asked, set()) == b'{"a": [1, {"author": "Nadia"}]}'
    assert forgetting.without(b"not JSON", asked, set()) == b"not JSON"
    assert forgetting.without(b"not JSON of " + NAME.encode(), asked, set()) == b""
    assert forgetting.without(None, asked, set()) is None


@pytest.mark.slow
def test_a_file_that_somebody_keeps_reading_is_told(told, house, firm, monkeypatch):
    monkeypatch.setattr(scrub, "_PATIENCE", 0.3)
    reader = sqlite3.connect(house.settings.data_dir / "vigie.db")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM mention").fetchone()
    with pytest.raises(UnavailableError, match="again"):
        forget(house, firm, author=NAME)
    reader.close()
    forget(house, firm, author=NAME)
    house.log.close()
    house.engine.dispose()
    assert held(house.settings.data_dir, b"Malaval", b"brioche rassise") == []
