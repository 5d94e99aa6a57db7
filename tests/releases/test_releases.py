"""What earlier releases wrote stays readable: their tables migrate, their events decode. On both databases."""

import json
from pathlib import Path

import pytest

from analysis import queries, store
from tests.releases.dump import load
from vigie import companies, db, events
from vigie.db.migrate import is_current, migrate

RELEASES = sorted(path for path in Path(__file__).parent.iterdir() if (path / "database.json").exists())


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_a_database_of_that_release_migrates(database_url, release):
    engine = db.connect(database_url)
    migrate(engine, release.name)
    with db.writing(engine) as connection:
        load(connection, json.loads((release / "database.json").read_text()))
    migrate(engine)
    assert is_current(engine)
    with db.reading(engine) as connection:
        (firm,) = companies.every(connection)
        kept, counted = store.recount(connection)
        assert kept == counted
        assert store.count(connection, firm["id"]) == 52
        assert len(queries.alerts(connection, firm["id"])) == 2
    engine.dispose()


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*/events/*.json")), ids=lambda path: path.stem)
def test_an_event_of_that_release_is_read(path):
    event = events.decode(path.read_bytes())
    assert event.company_id
    if isinstance(event, events.MentionsCollected):
        assert event.mentions
        assert not event.unusable
