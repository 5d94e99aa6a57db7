"""One page after another, on both databases: everything once, and the index goes to where a page begins."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text

from analysis import queries, reading, store
from vigie import companies, db
from vigie.db.tables import mention
from vigie.events import Mention, Origin

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


def test_a_late_page_costs_no_more_than_the_first(engine):
    """The pages before it are not read: both columns stand in the condition of the index."""
    begins = db.before(mention.c.published_at, mention.c.id, (NOW, "m01"))
    query = select(mention.c.id).where(mention.c.company_id == "co", begins).order_by(mention.c.published_at.desc())
    asked = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
    with db.reading(engine) as connection:
        if engine.dialect.name == "sqlite":
            plan = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {asked}"))]
        else:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            plan = [row[0] for row in connection.execute(text(f"EXPLAIN {asked}"))]
    assert any(
        "(published_at,id)<(?,?)" in line or ("Index Cond" in line and "ROW(published_at" in line) for line in plan
    ), plan
