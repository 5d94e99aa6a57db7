"""One page after another, on both databases: everything once, and the index goes to where a page begins."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from analysis import queries, reading, store
from api.webhooks import store as webhooks
from vigie import companies, db
from vigie.events import Mention, Origin
from vigie.secrets import Vault

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
COUNT = 30


def filled(engine):
    """A firm's id, and its mentions' ids, latest first; five are as old as one another."""
    with db.writing(engine) as connection:
        firm = dict(companies.get(connection, companies.add(connection, "Boulangerie")))
        read = reading.read("Bon pain.", rating=None)
        rows = [
            store.row_of(firm, Origin("so_1", "push", "API"),
                         Mention(id=f"m{number:02}", text="Bon pain.", collected_at=NOW,
                                 published_at=NOW - timedelta(days=number // 5)), read, "never")
            for number in range(COUNT)
        ]  # fmt: skip
        store.store(connection, rows)
    order = sorted(range(COUNT), key=lambda number: (-(number // 5), number), reverse=True)
    return firm["id"], [f"m{number:02}" for number in order]


def test_pages_hold_everything_once_also_where_many_have_one_moment(engine):
    firm, expected = filled(engine)
    seen, last = [], None
    with db.reading(engine) as connection:
        while page := queries.mentions(connection, firm, queries.Filter(), limit=3, after=last):
            seen += [row["id"] for row in page]
            last = page[-1]["published_at"], page[-1]["id"]
    assert seen == expected


def _mentions(connection, after):
    return queries.mentions(connection, "co", queries.Filter(), after=after)


def _alerts(connection, after):
    return queries.alerts(connection, "co", after=after)


def _deliveries(connection, after):
    firm = companies.add(connection, "Boulangerie")
    hook, _ = webhooks.add(connection, Vault("secret"), firm, "https://crm.example.fr/hook")
    return webhooks.deliveries(connection, firm, hook, after=after)


@pytest.mark.parametrize(
    ("asked", "at"), [(_mentions, "published_at"), (_alerts, "happened_at"), (_deliveries, "created_at")]
)
def test_a_late_page_costs_no_more_than_the_first(engine, asked, at):
    """The pages before it are not read: both columns stand in the condition of the index."""
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2:4]))
    with db.writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        found = asked(connection, (NOW, "m01"))
        explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        (page,) = [one for one in statements if "LIMIT" in one[0]]
        statement, parameters = page
        plan = [row[-1] for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)]
    assert found == []
    assert any(f"({at},id)<(?,?)" in line or ("Index Cond" in line and f"ROW({at}" in line) for line in plan), plan
