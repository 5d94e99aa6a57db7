"""What `vigie doctor` finds wrong, with the next step; each of its checks is explained in docs/operations.md."""

import sqlite3
import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from sqlalchemy import event

from ingest.found import Found
from tests.dashboards.test_pages_and_mail import hear
from tests.pipeline import analyse
from tests.test_docs import ROOT
from vigie import companies, counters, db
from vigie.cli import doctor
from vigie.cli.house import House
from vigie.db.migrate import migrate
from vigie.errors import UnavailableError, VigieError
from vigie.log import MENTIONS, Message


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(doctor, "LAG_SECONDS", 0.5)


def test_all_is_well_at_the_start(house):
    for check in doctor.CHECKS.values():
        assert check(house)


def test_a_lag_that_stands_still_is_a_failure(house):
    house.log.append(MENTIONS, [Message("co_1", b"{}")])
    with pytest.raises(VigieError, match="1 records wait and none is read"):
        doctor.check_reading(house)


def test_what_is_stored_between_two_looks_at_the_log_is_no_fault(house, monkeypatch):
    """Both the ends and the stored offsets move while the doctor looks: the offsets come first."""
    ends = house.log.ends

    def ends_before_more_is_stored(topic):
        answer = ends(topic)
        monkeypatch.undo()
        house.log.append(MENTIONS, [Message("co_1", b"{}")])
        analyse(house)
        return answer

    monkeypatch.setattr(house.log, "ends", ends_before_more_is_stored)
    assert "every offset lies within it" in doctor.check_log(house)


def test_analysis_that_reads_as_fast_as_records_come_is_no_failure(house, monkeypatch):
    """The number of unread records need not fall while analysis reads."""
    house.log.append(MENTIONS, [Message("co_1", b"{}")])

    def read_a_record_while_another_comes(seconds):
        analyse(house)
        house.log.append(MENTIONS, [Message("co_1", b"{}")])

    clock = SimpleNamespace(monotonic=time.monotonic, sleep=read_a_record_while_another_comes)
    monkeypatch.setattr(doctor, "time", clock)
    assert "analysis is reading them" in doctor.check_reading(house)


@pytest.fixture
def on_postgresql(house, postgresql):
    engine = db.connect(postgresql.new_database())
    migrate(engine)
    yield House(house.settings, engine, house.log)
    engine.dispose()


def test_a_mention_stored_during_the_recount_is_no_difference(on_postgresql):
    with db.writing(on_postgresql.engine) as connection:
        firm = dict(companies.get(connection, companies.add(connection, "Boulangerie Mercier")))
    hear(on_postgresql, firm, Found(text="Très bon pain.", author="Paul", rating=5))
    url = on_postgresql.engine.url.render_as_string(hide_password=False)
    other = House(on_postgresql.settings, db.connect(url), on_postgresql.log)
    stored = []

    @event.listens_for(on_postgresql.engine, "before_cursor_execute")
    def store_between_the_statements(connection, cursor, statement, parameters, context, executemany):
        if "FROM rollup" in statement and not stored:
            stored.append(True)
            hear(other, firm, Found(text="Accueil odieux.", author="Anne", rating=1))

    assert "equal a recount" in doctor.check_rollups(on_postgresql)
    assert stored
    other.engine.dispose()


def test_a_log_made_anew_is_told_with_the_next_step(house):
    house.log.append(MENTIONS, [Message("co_1", b"{}")])
    analyse(house)
    path = house.settings.log.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE identity SET id = 'another'")
    with pytest.raises(VigieError, match="vigie offsets reset"):
        doctor.check_log(house)
    with pytest.raises(VigieError, match="unknown"):
        doctor.check_reading(house)


@pytest.mark.parametrize("name", doctor.CHECKS)
def test_a_check_that_cannot_go_through_says_the_next_step(name):
    error = UnavailableError("the server does not answer")
    assert doctor.describe_failure(name, error) == f"the server does not answer: {doctor.NEXT_STEPS[name]}"


def test_dead_letters_are_a_failure_with_the_next_step(house):
    house.log.append(MENTIONS, [Message("co_1", b"not json")])
    analyse(house)
    with pytest.raises(VigieError, match="vigie deadletters list"):
        doctor.check_dead_letters(house)


def test_a_role_that_starts_again_is_a_failure(house):
    with db.writing(house.engine) as connection:
        counters.add(connection, counters.ROLE_RESTARTS, 1)
    with pytest.raises(VigieError, match="started again"):
        doctor.check_roles(house)


@pytest.mark.parametrize("name", doctor.CHECKS)
def test_each_check_is_explained(name):
    assert f"| {name} |" in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
