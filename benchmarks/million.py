"""`python -m benchmarks.million`: how long the pages take with a million mentions on PostgreSQL, 0.9 million in one firm.

Real reviews are read and stored once as always; the rest are copies of those rows, made by INSERT … SELECT, at other
moments of the same days. Pages are asked by HTTP through the application, in this process, as the firm's owner.
"""

import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, select, text
from starlette.testclient import TestClient

from analysis import reading
from analysis.reading import Asked
from benchmarks import pages
from benchmarks.__main__ import sample
from tests.servers import Postgres
from vigie import access, db
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.migrate import migrate
from vigie.db.tables import mention, metadata
from vigie.log import open_log
from vigie.settings import Settings

BASE, COPIES = 10_000, 90
SMALL, SMALL_FIRMS = 1_250, 80
TIMES, WARM = 40, 5
INBOX_GOAL_MS, WEEK_GOAL_MS = 300, 600
DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks-million.md"
PLACES = {
    "": "the week",
    "/reviews": "the inbox",
    "/reviews?after={half}": "the inbox, 450,000 mentions down",
    "/reviews?sentiment=negative&status=new": "the inbox, complaints",
    "/reviews?theme=price&sentiment=negative": "the inbox, a subject",
    "/reviews?apart=copy": "the inbox, duplicates",
    "/reviews?from={early}&to={early}": "the inbox, an early day",
    "/reviews?q=accueil": "a search, a common word",
    "/reviews?q=accueil+chaleureux": "a search, two words",
    "/reviews?q=parking": "a search, a rare word",
    "/reviews?q=zanzibar": "a search, a word that nobody wrote",
    "/reviews?q=serv*": "a search, the beginning of a word",
    "/reviews/{mention}": "one mention",
    "/subjects": "the subjects",
    "/alerts": "the alerts",
}
# One mention in ten is a duplicate, one in a hundred about another firm.
_EXCLUDE = (
    "UPDATE mention SET apart = 'copy' WHERE company_id = :company AND number_of(id) % 10 = 0",
    "UPDATE mention SET status = 'aside' WHERE company_id = :company AND number_of(id) % 100 = 1",
)
_NUMBER_OF = """CREATE FUNCTION number_of(id text) RETURNS int IMMUTABLE LANGUAGE sql
    AS $$ SELECT abs(hashtext(id)) $$"""
_MOVED = {
    "mention": {"id": "id || '-' || copy", "published_at": "published_at + copy * interval '7 seconds'"},
    "mention_search": {"number": "number + copy * 7919", "mention_id": "mention_id || '-' || copy"},
}
_WHOSE = {
    "mention": "company_id = :company",
    "mention_search": "mention_id IN (SELECT id FROM base_mention)",
}
_SUMS = ("mentions", "negative", "neutral", "positive", "rated", "rating_sum", "rating_squares", "score_sum")


@dataclass(frozen=True)
class Filled:
    """A database of a million mentions and its largest firm."""

    engine: Engine
    company_id: str


def fill(url: str) -> Filled:
    """Return the database at `url` with 0.9 million mentions in one firm and 100,000 in eighty others."""
    engine = db.connect(url)
    migrate(engine)
    texts = sample()[:1_000]
    readings = reading.read_all([Asked(words, rating=stars) for words, stars in texts])
    small_id = pages.fill(engine, texts, readings, SMALL)
    for number in range(1, SMALL_FIRMS):
        pages.copy_firm(engine, small_id, number)
    company_id = pages.fill(engine, texts, readings, BASE)
    with db.writing(engine) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(_NUMBER_OF))
        for statement in _EXCLUDE:
            connection.execute(text(statement), {"company": company_id})
        _multiply(connection, company_id)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))
    return Filled(engine, company_id)


def _multiply(connection: Connection, company_id: str) -> None:
    """Copy the firm's mentions until it has ninety times as many, and count them in its rollups."""
    index = "ix_mention_search_words"
    made_by = connection.scalar(text("SELECT indexdef FROM pg_indexes WHERE indexname = :index"), {"index": index})
    connection.execute(text(f"DROP INDEX {index}"))
    for table, moved in _MOVED.items():
        columns = [column.name for column in metadata.tables[table].columns]
        values = [moved.get(name, name) for name in columns]
        base = f"CREATE TEMPORARY TABLE base_{table} ON COMMIT DROP AS SELECT * FROM {table} WHERE {_WHOSE[table]}"
        copying = (
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM base_{table}"
            f" CROSS JOIN generate_series(1, {COPIES - 1}) AS copy"
        )
        connection.execute(text(base), {"company": company_id})
        connection.execute(text(copying))
    connection.execute(text(str(made_by)))
    sums = ", ".join(f"{name} = {name} * {COPIES}" for name in _SUMS)
    connection.execute(text(f"UPDATE rollup SET {sums} WHERE company_id = :company"), {"company": company_id})


def time_pages(filled: Filled, places: dict[str, str]) -> dict[str, list[float]]:
    """Return the milliseconds that each place took, in order of their length."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        log = open_log(settings)
        log.prepare()
        client = TestClient(
            work.make_app(House(settings, filled.engine, log)),
            base_url="http://127.0.0.1",
            follow_redirects=False,
        )
        with db.writing(filled.engine) as connection:
            link = access.create_link(connection, None)
            example = _example(connection, filled.company_id)
        client.post("/open", data={"link": link})
        root = f"/companies/{filled.company_id}"
        taken = {place: _time_page(client, root + place.format(**example)) for place in places}
        log.close()
    return taken


def _example(connection: Connection, company_id: str) -> dict[str, str]:
    """Return a mention in the midst of the firm's, its place in the inbox and its day."""
    half = (
        select(mention.c.id, mention.c.published_at, mention.c.day)
        .where(mention.c.company_id == company_id)
        .order_by(mention.c.published_at.desc(), mention.c.id.desc())
        .offset(BASE * COPIES // 2)
        .limit(1)
    )
    row = connection.execute(half).one()
    place = quote(f"{row.published_at.isoformat()}~{row.id}")
    return {"mention": row.id, "half": place, "early": row.day}


def _time_page(client: TestClient, address: str) -> list[float]:
    taken = []
    for _ in range(WARM + TIMES):
        started = time.perf_counter()
        answer = client.get(address)
        taken.append((time.perf_counter() - started) * 1e3)
        if answer.status_code != 200:
            raise SystemExit(f"{address}: {answer.status_code}")
    return sorted(taken[WARM:])


def describe(taken: dict[str, list[float]], version: str) -> str:
    """Return the document of the times."""
    lines = [
        f"| {PLACES[place]} | `{place or '/'}` | {statistics.median(times):.0f} | {_p95(times):.0f} |"
        for place, times in taken.items()
    ]
    return f"""# Benchmark of a million mentions

Made by `python -m benchmarks.million` on {datetime.now(UTC):%Y-%m-%d}: PostgreSQL {version}, a million mentions over
{pages.DAYS:,} days, {BASE * COPIES:,} of them in the firm whose pages are asked and the others in {SMALL_FIRMS} firms. One mention in
ten is a duplicate, one in a hundred is about another firm. Milliseconds of {TIMES} requests, after {WARM} that do not count.

Goals at the 95th percentile: the inbox {INBOX_GOAL_MS} ms, the week {WEEK_GOAL_MS} ms.

Machine: {os.cpu_count()} cores with a load of {os.getloadavg()[1]:.0f} over five minutes, {platform.machine()}, Python {platform.python_version()}, {platform.system()}.

| page | address | median | 95th percentile |
| --- | --- | --- | --- |
{chr(10).join(lines)}
"""


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def main() -> None:
    server = Postgres()
    try:
        filled = fill(server.new_database())
        with db.reading(filled.engine) as connection:
            version = connection.scalar(text("SHOW server_version"))
        written = describe(time_pages(filled, PLACES), str(version))
        filled.engine.dispose()
    finally:
        server.stop()
    DOCUMENT.write_text(written, encoding="utf-8")
    print(written)


if __name__ == "__main__":
    main()
