"""`python -m benchmarks.poison`: hostile inputs of every kind in the running product, while others are served.

One company receives them all: pages and feeds that it polls, mails in its mailbox, files that somebody uploads. Forty
other companies are polled meanwhile, and their pages are read. Written to docs/benchmarks-poison.md: how long the pages
took, how late the others' polls were, and the most memory that any process used.
"""

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from sqlalchemy import Engine, select

from benchmarks import poison_inputs
from benchmarks.processes import roles
from ingest import sources_store
from tests.ingest.test_mailbox import Mailserver
from tests.servers import free_port, wait_until
from tests.web import Answer, Site
from vigie import access, clock, companies, db, due
from vigie.db.migrate import migrate
from vigie.db.tables import source
from vigie.secrets import Vault
from vigie.settings import Settings

HEALTHY_COMPANIES = 40
ROUND_SECONDS = 15.0
MIN_SECONDS, MAX_SECONDS = 180.0, 900.0
KEY = "benchmark-of-poison-0123456789abcdefghijklmnopqrstuvwxyz"
REPORT = Path(__file__).parent.parent / "docs" / "benchmarks-poison.md"
FEED = """<rss version="2.0"><channel><title>f</title><item><title>{title}</title><guid>{title}</guid></item></channel></rss>"""


@dataclass
class Measurements:
    """What was seen: seconds of page loads, seconds that polls were late, megabytes by process."""

    pages: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=lambda: defaultdict(float))


def measure(folder: Path) -> tuple[Measurements, list[tuple[str, str, str]]]:
    """Run the product among hostile inputs; return the measurements and the outcome of each input."""
    port = free_port()
    site = Site()
    mails = poison_inputs.make_mails()
    mailserver = Mailserver(dict(enumerate(mails.values(), start=1)))
    settings = Settings(data_dir=folder, secret_key=KEY, base_url=f"http://127.0.0.1:{port}")
    engine = db.connect(settings.database)
    migrate(engine)
    victim, others = _add_companies(engine, settings, site, mailserver)
    variables = {"VIGIE_ALLOW_HOSTS": "127.0.0.1", "VIGIE_SECRET_KEY": KEY, "VIGIE_BASE_URL": settings.base_url}
    try:
        with roles(settings, f"up --port {port}", **variables) as (process,):
            wait_until(lambda: _is_up(settings.base_url), timeout=60)
            measurements, outcomes = _observe(engine, settings, process.pid, victim, others)
    finally:
        site.close()
        mailserver.close()
        engine.dispose()
    return measurements, outcomes


def _add_companies(
    engine: Engine, settings: Settings, site: Site, mailserver: Mailserver
) -> tuple[str, dict[str, str]]:
    """Return the attacked company, and the source of each other company by its id."""
    others = {}
    with db.writing(engine) as connection:
        for number in range(HEALTHY_COMPANIES):
            company_id = companies.add(connection, f"Firme {number}", city="Limoges")
            path = f"/healthy/{number}"
            site.pages[path] = Answer(FEED.format(title=f"Article {number}").encode())
            others[company_id] = sources_store.add(connection, company_id, "feed", site.url + path)
        victim = companies.add(connection, "Victime", city="Limoges")
        for kind, inputs in (("page", poison_inputs.make_pages()), ("feed", poison_inputs.make_feeds())):
            for number, (name, body) in enumerate(inputs.items()):
                path = f"/{kind}/{number}"
                headers = {"Content-Type": "text/html" if kind == "page" else "application/xml"}
                site.pages[path] = Answer(poison_inputs.compress(body), 200, headers | {"Content-Encoding": "gzip"})
                sources_store.add(connection, victim, kind, site.url + path, name=name)
        target = f"imap://marie%40exemple.fr@{mailserver.host}/INBOX"
        vault = Vault(settings.secret())
        sources_store.add(connection, victim, "mailbox", target, options={"password": "secret"}, vault=vault)
    return victim, others


def _is_up(base_url: str) -> bool:
    try:
        return httpx2.get(f"{base_url}/health", timeout=2, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False


def _observe(
    engine: Engine, settings: Settings, pid: int, victim: str, others: dict[str, str]
) -> tuple[Measurements, list[tuple[str, str, str]]]:
    measurements = Measurements()
    stop = threading.Event()
    outcomes: list[tuple[str, str, str]] = []
    with _client(engine, settings) as uploader, _client(engine, settings) as reader:
        threads = [
            threading.Thread(target=_read_pages, args=(reader, list(others), measurements, stop)),
            threading.Thread(target=_poll_others, args=(engine, others, measurements, stop)),
            threading.Thread(target=_watch_memory, args=(pid, measurements, stop)),
        ]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        try:
            outcomes += _upload_files(uploader, victim)
            while time.monotonic() - began < MAX_SECONDS:
                polled = _read_outcomes(engine, victim)
                if all(outcome for _, _, outcome in polled) and time.monotonic() - began > MIN_SECONDS:
                    break
                time.sleep(2)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    return measurements, outcomes + [(kind, name, outcome or "not read in time") for kind, name, outcome in polled]


@contextmanager
def _client(engine: Engine, settings: Settings) -> Iterator[httpx2.Client]:
    with db.writing(engine) as connection:
        link = access.create_link(connection)
    headers = {"Origin": settings.base_url}
    with httpx2.Client(base_url=settings.base_url, headers=headers, timeout=300, trust_env=False) as client:
        client.post("/open", data={"link": link})
        yield client


def _read_pages(
    client: httpx2.Client, company_ids: list[str], measurements: Measurements, stop: threading.Event
) -> None:
    number = 0
    while not stop.wait(0.1):
        number += 1
        place = ("", "/reviews", "/alerts")[number % 3]
        began = time.monotonic()
        try:
            response = client.get(f"/companies/{company_ids[number % len(company_ids)]}{place}")
        except httpx2.HTTPError as error:
            measurements.failures.append(type(error).__name__)
        else:
            measurements.pages.append(time.monotonic() - began)
            if response.status_code != 200:
                measurements.failures.append(str(response.status_code))


def _poll_others(engine: Engine, others: dict[str, str], measurements: Measurements, stop: threading.Event) -> None:
    """Make the healthy companies' sources due again and again, and note how late each was polled."""
    source_ids = list(others.values())
    while not stop.is_set():
        asked_at = clock.now()
        with db.writing(engine) as connection:
            due.schedule(connection, due.POLL, source_ids)
        remaining = set(source_ids)
        while remaining and not stop.wait(0.5):
            remaining -= _note_polled(engine, remaining, asked_at, measurements)
        waiting = (clock.now() - asked_at).total_seconds()
        measurements.lateness += [waiting] * len(remaining)
        stop.wait(max(0.0, ROUND_SECONDS - waiting))


def _note_polled(engine: Engine, remaining: set[str], asked_at: datetime, measurements: Measurements) -> set[str]:
    query = select(source.c.id, source.c.polled_at).where(source.c.id.in_(remaining))
    with db.reading(engine) as connection:
        rows = connection.execute(query).all()
    polled = {source_id: moment for source_id, moment in rows if moment and moment >= asked_at - timedelta(seconds=1)}
    measurements.lateness += [max(0.0, (moment - asked_at).total_seconds()) for moment in polled.values()]
    return set(polled)


def _watch_memory(pid: int, measurements: Measurements, stop: threading.Event) -> None:
    """Note the most memory (PSS would miss a short life; RSS counts shared pages too) of each process of the tree."""
    while not stop.wait(0.2):
        for child in _process_tree(pid):
            with suppress(OSError, StopIteration):
                status = Path(f"/proc/{child}/status").read_text()
                line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
                command = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
                name = " ".join(command.split()[1:4])[:60]
                measurements.memory[name] = max(measurements.memory[name], int(line.split()[1]) / 1000)


def _process_tree(pid: int) -> list[int]:
    tree = [pid]
    for parent in tree:
        with suppress(OSError):
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                tree += [int(child) for child in children.read_text().split()]
    return tree


def _upload_files(client: httpx2.Client, victim: str) -> list[tuple[str, str, str]]:
    outcomes = []
    for name, body in poison_inputs.make_files().items():
        began = time.monotonic()
        try:
            response = client.post(f"/companies/{victim}/start/files", files={"files": (name, body)})
            outcome = f"answered {response.status_code}"
        except httpx2.HTTPError as error:
            outcome = type(error).__name__
        outcomes.append(("file", name, f"{outcome} after {time.monotonic() - began:.1f} s"))
    return outcomes


def _read_outcomes(engine: Engine, victim: str) -> list[tuple[str, str, str]]:
    """Return kind, name and outcome of each polled source; the outcome is empty before the first poll."""
    with db.reading(engine) as connection:
        rows = connection.execute(select(source).where(source.c.company_id == victim)).mappings().all()
    polled_kinds = {"page", "feed", "mailbox"}
    outcomes = []
    for row in rows:
        if row["kind"] in polled_kinds:
            outcome = row["error"] or ("read" if row["polled_at"] else "")
            outcomes.append((row["kind"], row["name"], outcome))
    return outcomes


def write_report(measurements: Measurements, outcomes: list[tuple[str, str, str]]) -> str:
    """Return the report as Markdown."""
    pages = sorted(measurements.pages)
    p95 = pages[int(len(pages) * 0.95)] * 1000
    lateness = sorted(measurements.lateness)
    lines = [
        "# Hostile inputs in the running product",
        "",
        f"`python -m benchmarks.poison`, {clock.now():%d %B %Y}, two cores. One company receives {len(outcomes) - 1} hostile "
        f"pages, feeds and files, and {len(poison_inputs.make_mails())} mails; {HEALTHY_COMPANIES} others are polled meanwhile and their "
        "pages are read.",
        "",
        "| figure | value | goal |",
        "| --- | --- | --- |",
        f"| pages of the others, median | {statistics.median(pages) * 1000:.0f} ms | |",
        f"| pages of the others, 95th percentile of {len(pages)} | {p95:.0f} ms | 200 |",
        f"| pages, slowest | {pages[-1] * 1000:.0f} ms | |",
        f"| pages that failed | {len(measurements.failures)} | 0 |",
        f"| polls of the others, latest of {len(lateness)} | {lateness[-1]:.1f} s | 60 |",
    ]
    for name, megabytes in sorted(measurements.memory.items(), key=lambda pair: -pair[1]):
        lines.append(f"| memory of `{name}`, most | {megabytes:.0f} MB | 250 |")
    lines += ["", "| kind | input | outcome |", "| --- | --- | --- |"]
    lines += [f"| {kind} | {_printable(name)} | {_printable(outcome)} |" for kind, name, outcome in outcomes]
    return "\n".join(lines) + "\n"


def _printable(text: str) -> str:
    """Return the beginning of a text as a table's cell."""
    return "".join(char for char in text if char.isprintable()).replace("|", " ")[:120]


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        report = write_report(*measure(Path(temporary)))
    REPORT.write_text(report)
    print(report)
