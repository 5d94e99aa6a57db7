"""Counts and lists that grow with a firm are served by an index, on both databases."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection, event, insert

from analysis import queries, reading, rollups, store
from vigie import companies, db
from vigie.db.tables import mention
from vigie.events import Mention, Origin

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WISH = [{"request": "opening_hours", "quote": "Ouvrez le dimanche !"}]
COUNT = 3_000


@pytest.fixture
def company_id(engine):
    """A firm with so many mentions; of a hundred, one has a wish and one is excluded, in either way."""
    with db.writing(engine) as connection:
        company_id = companies.add(connection, "Boulangerie")
        firm = dict(companies.get(connection, company_id))
        rows = [_row(firm, number) for number in range(COUNT)]
        connection.execute(insert(mention), rows)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE mention")
    return company_id


def _row(firm, number: int) -> dict:
    published_at = NOW - timedelta(hours=number)
    said = Mention(id=f"m{number}", text="Bon pain.", published_at=published_at, collected_at=NOW)
    row = store.row_of(firm, Origin("so_1", "push", "API"), said, reading.read("Bon pain.", rating=None), "never")
    row["wishes"] = WISH if number % 100 == 1 else []
    row["apart"] = "note" if number % 200 == 0 else None
    row["status"] = "aside" if number % 200 == 100 else "new"
    return row


def _plans(connection: Connection, ask) -> str:
    """Return the plans of the statements that `ask` executes."""
    statements = []

    def note(conn, cursor, statement, parameters, context, executemany):
        statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    ask(connection)
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    rows = [row for statement in statements for row in connection.exec_driver_sql(explain + statement[0], statement[1])]
    return "\n".join(str(row[-1]) for row in rows)


def test_excluded_mentions_are_counted_by_their_own_index(engine, company_id):
    with db.reading(engine) as connection:
        assert queries.apart(connection, company_id) == {"note": COUNT // 200, "aside": COUNT // 200}
        assert "ix_mention_excluded" in _plans(connection, lambda asked: queries.apart(asked, company_id))


def test_customer_requests_are_found_by_their_day(engine, company_id):
    first, last = date(2026, 10, 1), date(2026, 10, 30)

    def ask(connection):
        return queries.wishes(connection, company_id, first, last)

    with db.reading(engine) as connection:
        (row,) = ask(connection)
        assert row == {"request": "opening_hours", "count": 7, "quote": "Ouvrez le dimanche !"}
        assert "ix_mention_wishes" in _plans(connection, ask)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Paris"])
def test_the_days_of_a_filter_are_the_firms_own_in_any_zone(engine, zone):
    day = date(2026, 11, 23)
    with db.writing(engine) as connection:
        company_id = companies.add(connection, "Boulangerie", timezone=zone)
        firm = dict(companies.get(connection, company_id))
        rows = [_row(firm, number) for number in range(3 * 24)]
        connection.execute(insert(mention), rows)
        found = queries.mentions(connection, company_id, queries.Filter(first=day, last=day), limit=100)
        expected = {row["id"] for row in rows if row["day"] == "2026-11-23" and rollups.counts(row)}
        assert {row["id"] for row in found} == expected


def test_days_without_a_neighbour_are_no_mistake(engine):
    every = queries.Filter(first=date.min, last=date.max)
    with db.reading(engine) as connection:
        assert queries.mentions(connection, "co_1", every) == []
