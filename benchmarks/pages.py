"""`python -m benchmarks.pages`: how long each page takes as the database grows.

Real reviews, each read once, stand again and again under other days and firms: the store works as it always does, and
only the reading is spared. A page is asked for in this process, over ASGI; the time is the server's, templates included.
"""

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from analysis import queries, reading, report, store
from analysis.reading import Asked, Reading
from benchmarks.__main__ import sample
from dashboards import weekly
from ingest import sources_store
from vigie import access, clock, companies, db, ids
from vigie.cli import work
from vigie.cli.house import House
from vigie.db import tables
from vigie.db.migrate import migrate
from vigie.events import Mention
from vigie.log import open_log
from vigie.settings import Settings

SIZES = tuple(int(size) for size in os.environ.get("VIGIE_BENCH_SIZES", "5000 50000 500000").split())
A_FIRM, SOURCES, DAYS = 1_250, 4, 1_000
TIMES, WARM = 100, 5
# What the copy of a row says in the place of what the row says.
_OURS = {"company": "id = :ours", "mention_search": "mention_id IN (SELECT id FROM mention WHERE company_id = :ours)"}
_OTHERS = {
    ("company", "id"): ":other",
    **{(table, "company_id"): ":other" for table in ("source", "mention", "rollup")},
    **{where: f"{where[1]} || '-' || :number" for where in (("source", "id"), ("rollup", "source_id"), ("mention", "id"),
                                                           ("mention", "source_id"), ("mention_search", "mention_id"))},
    ("mention_search", "number"): "number + :number * 7919",
    ("mention_search", "words"): "replace(words, :our_token, :other_token)",
}  # fmt: skip
PLACES = ("", "/reviews", "/reviews?q=accueil", "/reviews?theme=service&sentiment=negative", "/reviews/{mention}",
          "/subjects", "/subjects?by=week&theme=service", "/alerts", "/year", "/settings", "/guides")  # fmt: skip


def filled(folder: str, mentions: int, a_firm: int) -> tuple[House, str]:
    """A house with so many mentions, `a_firm` of them in each firm, and the first firm."""
    settings = Settings(data_dir=Path(folder))
    engine = db.connect(settings.database)
    migrate(engine)
    log = open_log(settings)
    log.prepare()
    texts = sample()[:1_000]
    read = reading.read_all([Asked(text, rating=stars) for text, stars in texts])
    company_id = fill(engine, texts, read, a_firm)
    for number in range(1, mentions // a_firm):
        copy_firm(engine, company_id, number)
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    return House(settings, engine, log), company_id


def fill(engine: Engine, texts: list[tuple[str, float | None]], read: list[Reading], count: int) -> str:
    with db.writing(engine) as connection:
        company_id = companies.add(connection, "Firme", city="Limoges")
        firm = dict(companies.get(connection, company_id))
        origins = []
        for name in range(SOURCES):
            origin = sources_store.named(connection, company_id, "push", f"Source {name}")
            sources_store.received(connection, origin, None)
            origins.append(sources_store.origin(origin))
    for first in range(0, count, 5_000):
        rows = [
            store.row_of(
                firm, origins[at % SOURCES], _mention(texts[at % len(texts)], company_id, at, count), one, "never"
            )
            for at, one in _numbered(read, first, min(count, first + 5_000))
        ]
        with db.writing(engine) as connection:
            store.store(connection, rows)
    return company_id


def copy_firm(engine: Engine, company_id: str, number: int) -> None:
    """Another firm that heard the same: its rows are those of the first under other ids."""
    other = f"co_{number:09d}"
    values = {"ours": company_id, "other": other, "number": number}
    values |= {"our_token": f"f{company_id.encode().hex()}", "other_token": f"f{other.encode().hex()}"}
    with db.writing(engine) as connection:
        for table in (tables.company, tables.source, tables.mention, tables.mention_search, tables.rollup):
            names = [column.name for column in table.columns]
            shown = [_OTHERS.get((table.name, name), name) for name in names]
            where = _OURS.get(table.name, "company_id = :ours")
            copied = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(shown)} FROM {table.name} WHERE {where}"
            statement = text(copied)
            connection.execute(statement, {name: values[name] for name in statement.compile().params})


def _numbered(read: list[Reading], first: int, last: int) -> Iterator[tuple[int, Reading]]:
    return ((at, read[at % len(read)]) for at in range(first, last))


def _mention(said: tuple[str, float | None], company_id: str, at: int, count: int) -> Mention:
    moment = clock.now() - timedelta(days=at * DAYS / count)
    return Mention(
        id=ids.derived(company_id, at),
        text=said[0],
        published_at=moment,
        collected_at=moment,
        author=f"Client {at % 97}",
        rating=said[1],
    )


class Opened:
    """A database of so many mentions, `a_firm` of them in each firm, and a browser before its first firm's pages."""

    def __init__(self, folder: str, mentions: int, a_firm: int) -> None:
        self.house, self.company_id = filled(folder, mentions, a_firm)
        self._client = TestClient(work.make_app(self.house), base_url="http://127.0.0.1", follow_redirects=False)
        with db.writing(self.house.engine) as connection:
            link = access.create_link(connection, None)
            self._mention_id = queries.mentions(connection, self.company_id, queries.Filter(), limit=1)[0]["id"]
        self._client.post("/open", data={"link": link})
        print(f"{mentions:,} mentions, {a_firm:,} a firm", file=sys.stderr)

    def asked(self, place: str) -> float:
        """Milliseconds that the page at `place` takes."""
        address = f"/companies/{self.company_id}{place.format(mention=self._mention_id)}"
        started = time.perf_counter()
        answer = self._client.get(address)
        taken = (time.perf_counter() - started) * 1e3
        if answer.status_code != 200:
            raise SystemExit(f"{address}: {answer.status_code}")
        return taken

    def close(self) -> None:
        self.house.log.close()
        self.house.engine.dispose()


def timed(opened: list[Opened], place: str) -> list[float]:
    """The 95th percentile of the time that a page takes in each database, which are asked in turn: what else the
    machine does falls on all of them."""
    rounds = [[one.asked(place) for one in opened] for _ in range(WARM + TIMES)][WARM:]
    return [statistics.quantiles(taken, n=20)[-1] for taken in zip(*rounds, strict=True)]


def mails() -> tuple[float, float]:
    """Weekly mails a CPU-second, of forty firms over five weeks with one reader each: rendered; and from the question what
    happened to the outbox."""
    with tempfile.TemporaryDirectory() as folder:
        house, _ = filled(folder, 40 * A_FIRM, A_FIRM)
        with db.writing(house.engine) as connection:
            firms = [dict(row) for row in companies.every(connection)]
            for firm in firms:
                companies.add_recipient(connection, firm["id"], "reader@example.org")
        weeks = [report.ended(clock.now().date() - timedelta(days=7 * ago))[1] for ago in range(6)]
        weekly.send(house.engine, house.settings, firms[0], weeks.pop())  # templates load once
        started = time.process_time()
        sent = [weekly.send(house.engine, house.settings, firm, week) for week in reversed(weeks) for firm in firms]
        whole = time.process_time() - started
        with db.reading(house.engine) as connection:
            told = [weekly.gather(connection, firm, week, recipient="other") for week in weeks for firm in firms]
        started = time.process_time()
        for facts in told:
            weekly.render(facts, "fr", page=house.settings.base_url)
        rendered = time.process_time() - started
        house.log.close()
        house.engine.dispose()
    return len(told) / rendered, sum(sent) / whole


def measured() -> tuple[list[str], dict[str, list[float]]]:
    """The databases, and what each page takes in each of them."""
    sizes = [(size, A_FIRM) for size in SIZES] + [(size, size) for size in SIZES[:2]]
    names = [f"{size:,}" if a_firm == A_FIRM else f"{size:,} in one firm" for size, a_firm in sizes]
    with tempfile.TemporaryDirectory() as folder:
        opened = [Opened(f"{folder}/{at}", *size) for at, size in enumerate(sizes)]
        found = {place: timed(opened, place) for place in PLACES}
        for one in opened:
            one.close()
    return names, found


def main() -> None:
    columns, found = measured()
    lines = [
        f"| `{place or '/'}` | " + " | ".join(f"{one:.0f}" for one in taken)
        + f" | {taken[len(SIZES) - 1] / taken[0]:.2f} |"
        for place, taken in found.items()
    ]  # fmt: skip
    rendered, whole = mails()
    written = f"""# Benchmark of the pages

Made by `python -m benchmarks.pages` on {datetime.now(UTC):%Y-%m-%d}: real reviews over {DAYS:,} days, {A_FIRM:,} a firm of {SOURCES}
sources, SQLite. Milliseconds of the server at the 95th percentile of {TIMES} requests, by mentions in the database; the
databases are asked in turn.

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}.

| page | {" | ".join(columns)} | {SIZES[-1]:,} against {SIZES[0]:,} |
| --- |{" --- |" * (len(columns) + 1)}
{chr(10).join(lines)}

Goals: under 100 ms with 50,000 mentions in the database; the last column under 1.5.

Weekly mails rendered: {rendered:.0f} a CPU-second (goal 11: 200); with the questions to the database, the kept snapshot and
the outbox, {whole:.0f}.
"""
    (Path(__file__).parent.parent / "docs" / "benchmarks-pages.md").write_text(written, encoding="utf-8")
    print(written)


if __name__ == "__main__":
    main()
