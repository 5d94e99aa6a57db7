"""A backup comes back whole, into either database; damaged or strange files are refused in one line."""

import hashlib
import json
import sqlite3
import zipfile
from contextlib import closing

import pytest
from sqlalchemy import select

from analysis import search, store
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import hear
from tests.e2e.test_commands import vigie
from vigie import backup, companies, db
from vigie.db import migrate
from vigie.db.tables import company, metadata, token
from vigie.errors import InvalidInputError


def tables(engine):
    with db.reading(engine) as connection:
        return {
            table.name: sorted(str(ordered(list(row))) for row in connection.execute(select(table)).all())
            for table in metadata.sorted_tables
            if table.name != "token"
        }


def ordered(value):
    """Return a value of JSON with its keys in order: PostgreSQL's `jsonb` keeps none."""
    if isinstance(value, dict):
        return {name: ordered(value[name]) for name in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def lived(house, firm):
    hear(house, firm, Found(text="Accueil odieux, il faudrait répondre au téléphone. 🙁", author="Paul", rating=1.5))
    make_searchable(house.engine)
    return house


def make_searchable(engine):
    """The index of words is no part of a backup: the analysis worker makes it again."""
    while search.fill(engine):
        pass


def test_what_is_backed_up_comes_back_and_another_log_is_read_from_its_beginning(lived, tmp_path):
    counts = backup.write(lived.engine, tmp_path / "none", tmp_path / "b.zip")
    assert counts["mention"] == 1
    before = tables(lived.engine)
    other = db.connect(f"sqlite:///{tmp_path / 'other.db'}")
    backup.restore(other, None, tmp_path / "b.zip")
    make_searchable(other)
    after = tables(other)
    assert before.pop("consumer_offset")
    assert after.pop("consumer_offset") == []
    assert after == before
    with db.reading(other) as connection:
        kept, counted = store.recount(connection)
    assert kept == counted
    assert migrate.is_current(other)
    other.dispose()


def test_a_backup_of_one_database_is_restored_into_the_other(lived, engine, tmp_path):
    """`engine` is SQLite and PostgreSQL in turn."""
    backup.write(lived.engine, None, tmp_path / "b.zip")
    backup.restore(engine, None, tmp_path / "b.zip", replace=True)
    make_searchable(engine)
    expected, found = tables(lived.engine), tables(engine)
    assert expected.pop("consumer_offset") != found.pop("consumer_offset")
    assert found == expected


def test_nothing_is_overwritten_unasked(lived, tmp_path):
    backup.write(lived.engine, None, tmp_path / "b.zip")
    with db.writing(lived.engine) as connection:
        companies.add(connection, "Une firme de plus")
    with pytest.raises(InvalidInputError, match="--replace"):
        backup.restore(lived.engine, None, tmp_path / "b.zip")
    backup.restore(lived.engine, None, tmp_path / "b.zip", replace=True)
    with db.reading(lived.engine) as connection:
        assert len(connection.execute(select(company)).all()) == 1


@pytest.mark.parametrize("damage", ["text", "other zip", "cut", "later"])
def test_a_file_that_is_no_backup_is_refused(lived, tmp_path, damage):
    path = tmp_path / "b.zip"
    backup.write(lived.engine, None, path)
    if damage == "text":
        path.write_text("not a zip")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-300])
    else:
        with zipfile.ZipFile(path, "w") as archive:
            manifest = b'{"form": 1, "tables_at": "9999", "rows": {}}'
            archive.writestr("manifest.json" if damage == "later" else "x", manifest)
    before = tables(lived.engine)
    with pytest.raises(InvalidInputError):
        backup.restore(lived.engine, None, path, replace=True)
    assert tables(lived.engine) == before


@pytest.mark.parametrize("kind", ["session", "link"])
def test_a_way_in_that_somebody_wrote_into_a_backup_is_not_restored(lived, tmp_path, kind):
    path = tmp_path / "b.zip"
    backup.write(lived.engine, None, path)
    planted = {"hash": hashlib.sha256(b"x").hexdigest(), "kind": kind, "name": "x", "role": "admin", "created_at": 0}
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / "planted.zip", "w") as target:
        for name in source.namelist():
            body = source.read(name)
            target.writestr(name, body + json.dumps(planted).encode() + b"\n" if "/token." in name else body)
    backup.restore(lived.engine, None, tmp_path / "planted.zip", replace=True)
    with db.reading(lived.engine) as connection:
        assert set(connection.scalars(select(token.c.kind))).isdisjoint({"session", "link"})


def test_a_log_with_a_trigger_is_no_log_of_ours(lived, tmp_path):
    log = tmp_path / "log.db"
    with closing(sqlite3.connect(log)) as connection:
        connection.execute("CREATE TABLE record (topic)")
        connection.execute("CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END")
        connection.commit()
    path = tmp_path / "b.zip"
    backup.write(lived.engine, log, path)
    with pytest.raises(InvalidInputError, match="triggers"):
        backup.restore(lived.engine, tmp_path / "other.db", path, replace=True)


@pytest.mark.slow
def test_the_commands_back_up_and_restore_a_running_firm_and_keep_who_was_forgotten(tmp_path):
    data, file = tmp_path / "data", tmp_path / "b.zip"
    firm = vigie("company", "add", "Boulangerie Mercier", data=data).stdout.strip()
    (tmp_path / "avis.csv").write_text(
        "date;note;auteur;texte\n2026-11-02;1;Sandrine Malaval;Odieux.\n2026-11-03;5;Nadia;Bon.\n"
    )
    vigie("import", firm, tmp_path / "avis.csv", data=data)
    vigie("analyse", "--once", data=data)
    assert "secret key" in vigie("backup", file, data=data).stderr
    vigie("forget", firm, "--author", "Sandrine Malaval", "--yes", data=data)
    assert "restore with --replace" in vigie("restore", file, data=data, expect=1).stderr
    done = vigie("restore", file, "--replace", data=data)
    assert "1 firms and 2 mentions restored, 1 of them forgotten anew" in done.stdout
    assert "Malaval" not in vigie("export", firm, "mentions", data=data).stdout
    assert "FAILED" not in vigie("doctor", data=data).stdout
