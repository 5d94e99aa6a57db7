"""Each database keeps moments, days and JSON in its own form; the program sees the same values from both."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, MetaData, insert, inspect, select, text

from vigie import backup, db, due, ids
from vigie.db import tables
from vigie.db.migrate import migrate
from vigie.db.types import Day, Instant, Json

NOON = datetime(2026, 11, 23, 12, 0, 0, 123457, tzinfo=UTC)
EXTREMES = (datetime(1, 1, 2, tzinfo=UTC), NOON, datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC))
_ON_POSTGRESQL = {Instant: "TIMESTAMP", Day: "DATE", Json: "JSONB"}


def _company(at: datetime, **values) -> dict:
    firm = {"id": ids.derived(at), "name": "Firme", "language": "fr", "timezone": "Europe/Paris"}
    return firm | {"aliases": [], "staff": [], "created_at": at} | values


def _stored(connection: Connection) -> list[dict]:
    query = select(tables.company).order_by(tables.company.c.created_at)
    return [dict(row) for row in connection.execute(query).mappings()]


def test_every_column_has_its_type_on_postgresql(postgresql):
    engine = db.connect(postgresql.new_database())
    migrate(engine)
    found = inspect(engine)
    for table in tables.metadata.sorted_tables:
        stored = {column["name"]: column["type"] for column in found.get_columns(table.name)}
        for column in table.columns:
            wanted = _ON_POSTGRESQL.get(type(column.type))
            if wanted:
                assert type(stored[column.name]).__name__ == wanted, f"{table.name}.{column.name}"
                assert getattr(stored[column.name], "timezone", True), f"{table.name}.{column.name}"
    engine.dispose()


def test_moments_come_back_to_the_microsecond(engine):
    in_paris = NOON.astimezone(timezone(timedelta(hours=1)))
    with db.writing(engine) as connection:
        connection.execute(insert(tables.company), [_company(at) for at in EXTREMES])
        rows = _stored(connection)
        assert [row["created_at"] for row in rows] == list(EXTREMES)
        assert all(row["created_at"].tzinfo is UTC for row in rows)
        same = select(tables.company.c.id).where(tables.company.c.created_at == in_paris)
        assert connection.scalars(same).all() == [rows[1]["id"]]
        moment = db.present(connection)
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=5)


def test_the_earliest_day_of_a_job_stays(engine):
    with db.writing(engine) as connection:
        for day in ("2026-11-23", "2026-02-09", "2026-10-01"):
            due.schedule(connection, due.ALERTS, ["co_1"], since={"co_1": day})
        since = select(tables.due.c.since).where(tables.due.c.kind == due.ALERTS)
        assert connection.scalar(since) == "2026-02-09"


def test_values_hold_whatever_a_stranger_wrote(engine):
    given = [{"words": "été 😀 \0 \ud83d \udc00", "numbers": [1, 0.1, None, True]}]
    with db.writing(engine) as connection:
        connection.execute(insert(tables.company), [_company(NOON, aliases=given)])
        (row,) = _stored(connection)
    if engine.dialect.name == "postgresql":
        given[0]["words"] = "été 😀 � � �"
    assert row["aliases"] == given


def test_what_jsonb_refuses_is_replaced_by_the_migration(postgresql):
    engine = db.connect(postgresql.new_database())
    migrate(engine, "0022")
    at = 1_795_435_200_123_457
    with db.writing(engine) as connection:
        company = MetaData()
        company.reflect(connection, only=["company"])
        row = _company(NOON, created_at=at, aliases=["a\0b", "\ud83d", "😀", "\\u0000"])
        connection.execute(insert(company.tables["company"]), [row])
        for number in range(2):
            connection.execute(
                text("INSERT INTO due (kind, key, due_at, since) VALUES ('alerts', :key, :at, '2026-02-09')"),
                {"key": str(number), "at": number * at},
            )
    migrate(engine)
    with db.reading(engine) as connection:
        (stored,) = _stored(connection)
        timers = select(tables.due.c.due_at, tables.due.c.since).where(tables.due.c.kind == "alerts")
        due_at = sorted(connection.execute(timers).all())
    assert stored["aliases"] == ["a�b", "�", "😀", "\\u0000"]
    assert stored["created_at"] == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    assert due_at == [(datetime(1970, 1, 1, tzinfo=UTC), "2026-02-09"), (stored["created_at"], "2026-02-09")]
    engine.dispose()


@pytest.mark.parametrize("there_and_back", [("sqlite", "postgresql"), ("postgresql", "sqlite")], ids="-to-".join)
def test_a_backup_carries_equal_values_to_the_other_database(tmp_path, postgresql, there_and_back):
    urls = {"sqlite": f"sqlite:///{tmp_path / 'a.db'}", "postgresql": postgresql.new_database()}
    here, there = (db.connect(urls[name]) for name in there_and_back)
    migrate(here)
    with db.writing(here) as connection:
        connection.execute(insert(tables.company), [_company(at, aliases=[{"é": [0.1]}]) for at in EXTREMES])
        due.schedule(connection, due.ALERTS, ["co_1"], since={"co_1": date(2026, 2, 9).isoformat()})
        rows = _stored(connection)
    backup.write(here, None, tmp_path / "copy.zip")
    backup.restore(there, None, tmp_path / "copy.zip")
    with db.reading(there) as connection:
        assert _stored(connection) == rows
        since = select(tables.due.c.since).where(tables.due.c.kind == due.ALERTS)
        assert connection.scalar(since) == "2026-02-09"
    here.dispose()
    there.dispose()
