"""`vigie offsets show` and `reset`: what an operator does when the log was made anew."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from prometheus_client import generate_latest
from sqlalchemy import func, select
from typer.testing import CliRunner

from ingest import collect, sources_store
from ingest.found import Found, mentions
from tests.pipeline import analyse
from vigie import companies, db, positions
from vigie.cli import app
from vigie.cli.house import opened
from vigie.db.tables import mention
from vigie.errors import PositionError
from vigie.installation import Figures
from vigie.log import ANALYSIS, MENTIONS

DAY = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command on an embedded store in a folder of the test's own."""
    monkeypatch.setenv("VIGIE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("vigie.logs.configure", lambda *_: None)  # the runner's standard error is closed after each run
    return lambda *words: CliRunner().invoke(app, words)


@pytest.fixture
def collect_reviews(run):
    """Append that many reviews of one firm; the number tells one review from another."""

    def append(first, last):
        with opened() as house:
            with db.writing(house.engine) as connection:
                company_id = companies.every(connection)[0]["id"]
                source = sources_store.named(connection, company_id, "push", "Caisse")
            reviews = [Found(text=f"Avis {n}.", rating=4, published_at=DAY) for n in range(first, last)]
            collected = mentions(company_id, source["id"], reviews)
            collect.append(house.log, company_id, sources_store.origin(source), collected)

    with opened() as house, db.writing(house.engine) as connection:
        companies.add(connection, "Boulangerie Mercier")
    return append


def read_all():
    """Let analysis read what the log of this installation holds."""
    with opened() as house:
        analyse(house)


@pytest.fixture
def made_anew(collect_reviews, tmp_path):
    """An installation whose log was lost, and made anew and longer than before."""
    collect_reviews(0, 3)
    read_all()
    for path in tmp_path.glob("log.db*"):
        path.unlink()
    for first in range(2, 8):
        collect_reviews(first, first + 1)


def count_mentions():
    with opened() as house, db.reading(house.engine) as connection:
        return connection.scalar(select(func.count()).select_from(mention))


def test_a_log_made_anew_is_shown_and_after_a_reset_it_is_read_whole(run, made_anew):
    with opened() as house:
        with pytest.raises(PositionError, match="`vigie offsets reset` reads from the beginning"):
            analyse(house)
        figures = Figures()
        figures.sample(house.engine, house.log)
        assert b"} NaN" in generate_latest(figures.registry)
    rows = [json.loads(line) for line in run("offsets", "show", "--json").output.splitlines()]
    wrong = [row for row in rows if row["fault"]]
    assert len(rows) == len(wrong) == 8
    assert all(row["unread"] is None and row["stored_topic_id"] != row["topic_id"] for row in wrong)
    done = run("offsets", "reset")
    assert done.exit_code == 0
    assert "reads all 6 records that the log holds: what is stored already counts once" in done.output
    read_all()
    assert count_mentions() == 8


def test_a_reset_to_the_end_passes_over_what_is_unread(run, made_anew, collect_reviews):
    done = run("offsets", "reset", "--to", "end")
    assert "those not read yet are passed over" in done.output
    with opened() as house:
        assert sum(positions.count_unread(house.engine, house.log, ANALYSIS, MENTIONS).values()) == 0
    collect_reviews(8, 9)
    read_all()
    assert count_mentions() == 4


def test_a_log_restored_from_a_backup_keeps_its_identity(run, collect_reviews, tmp_path):
    collect_reviews(0, 3)
    read_all()
    assert run("backup", str(tmp_path / "b.zip")).exit_code == 0
    for path in tmp_path.glob("log.db*"):
        path.unlink()
    assert run("restore", str(tmp_path / "b.zip"), "--replace").exit_code == 0
    collect_reviews(3, 5)
    read_all()
    assert count_mentions() == 5


def test_a_backup_of_an_earlier_release_is_read_on(run, collect_reviews, tmp_path):
    """Its log has no identity and its offsets name none: the first start gives both."""
    collect_reviews(0, 3)
    read_all()
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute("DROP TABLE identity")
    with closing(sqlite3.connect(tmp_path / "vigie.db")) as connection, connection:
        connection.execute("UPDATE consumer_offset SET topic_id = NULL")
    collect_reviews(3, 5)
    read_all()
    assert count_mentions() == 5
