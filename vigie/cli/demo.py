"""The demonstration: the whole loop on an invented bakery, over real sockets on this machine."""

import csv
import html
import http.server
import io
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from vigie import clock
from vigie.cli.house import House, opened, say, tell
from vigie.errors import InvalidInputError

_MARK = ".vigie-demo"
_FIRM, _CITY, _MAIL = "Boulangerie Mercier", "Limoges", "marie.mercier@exemple.fr"


def run(port: int, *, once: bool) -> None:
    """Everything, from sockets to a mail; then stay open, unless `once`."""
    port = _free_port() if once else port
    with _sample_sites() as sites, opened(**_settings(port, sites)) as house:
        company_id = _listen(house, sites)
        _collect(house, "first look: what is already there counts, and alerts nobody")
        sites.show_news = True
        _collect(house, "second look: what is new", every=True)
        _push(house, company_id, port)
        _work(house, "analyse", "deliver")
        _mail(house, company_id)
        _summary(house, company_id)
        if not once:
            _stay(house, port)


class _Sites(http.server.ThreadingHTTPServer):
    """The sample's web: a page that names a feed, that feed, and a forum's."""

    show_news = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def _sample_sites() -> Iterator[_Sites]:
    sites = _Sites(("127.0.0.1", 0), _Handler)
    threading.Thread(target=sites.serve_forever, daemon=True).start()
    try:
        yield sites
    finally:
        sites.shutdown()
        sites.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Sites

    def do_GET(self) -> None:
        pages: dict[str, tuple[str, Callable[[], str]]] = {
            "/": ("text/html", _page),
            "/actus.rss": ("application/rss+xml", lambda: _rss(_rows("press"), self.server)),
            "/forum.atom": ("application/atom+xml", lambda: _atom(_rows("forum"), self.server)),
        }
        if self.path not in pages:
            self.send_error(404)
            return
        kind, make = pages[self.path]
        body = make().encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Not on the terminal."""


def _settings(port: int, sites: _Sites) -> dict[str, Any]:
    """The embedded default in a folder of its own, whatever else is set."""
    from vigie import settings

    folder = settings.load().data_dir / "demo"
    if folder.exists() and not (folder / _MARK).exists():
        raise InvalidInputError(f"{folder} exists and is not a demonstration's: choose another VIGIE_DATA_DIR")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()
    for name in ("VIGIE_DATABASE_URL", "VIGIE_LOG_URL", "VIGIE_SMTP_URL"):
        os.environ.pop(name, None)  # the analysis runs as a child process, and reads its own
    given = {
        "VIGIE_DATA_DIR": str(folder),
        "VIGIE_BASE_URL": f"http://127.0.0.1:{port}",
        "VIGIE_ALLOW_HOSTS": sites.address.removeprefix("http://"),
    }
    os.environ.update(given)
    return {"data_dir": folder, "base_url": given["VIGIE_BASE_URL"], "allow_hosts": given["VIGIE_ALLOW_HOSTS"]}


def _listen(house: House, sites: _Sites) -> str:
    from ingest import sources_store
    from ingest.imports import import_file
    from vigie import companies, db

    with db.writing(house.engine) as connection:
        company_id = companies.add(connection, _FIRM, city=_CITY)
        companies.add_recipient(connection, company_id, _MAIL)
        sources_store.add(connection, company_id, "feed", f"{sites.address}/", name="Le Populaire du Centre")
        sources_store.add(connection, company_id, "feed", f"{sites.address}/forum.atom", name="Forum de Limoges")
        firm = companies.get(connection, company_id)
    export = house.settings.data_dir / "avis.csv"
    _write_export(export)
    done = import_file(house.engine, house.intake, firm, export, name="Google")
    tell(f"imported {done.mentions} reviews from an export")
    return company_id


def _collect(house: House, what: str, *, every: bool = False) -> None:
    from vigie.cli import work

    work.ingest(house, threading.Event(), once=True, every=every)
    tell(f"collected, {what}")
    _work(house, "analyse")


def _work(house: House, *roles: str) -> None:
    from vigie.cli import work

    for role in roles:
        getattr(work, role)(house, threading.Event(), once=True)


def _push(house: House, company_id: str, port: int) -> None:
    """One review over the API, with a key, as the firm's own till or site would send it."""
    import httpx2

    from vigie import access, db
    from vigie.cli import work

    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "demo", company_id=company_id, role="editor")
    stop = threading.Event()
    server = threading.Thread(target=work.serve, args=(house, stop, "127.0.0.1", port), daemon=True)
    server.start()
    review = {"id": "till-1", "text": "Attente très longue ce matin, dommage.", "rating": 2, "author": "Odette"}
    url = f"http://127.0.0.1:{port}/api/v1/companies/{company_id}/mentions"
    try:
        _until_open(port)
        body = {"source": "Caisse", "mentions": [review]}
        answer = httpx2.post(url, json=body, headers={"Authorization": f"Bearer {key}"}, trust_env=False)
        tell(f"pushed a review over the API: {answer.status_code}")
    finally:
        stop.set()
        server.join(10)


def _mail(house: House, company_id: str) -> None:
    from analysis.report import Week
    from dashboards import weekly
    from vigie import companies, db

    with db.reading(house.engine) as connection:
        firm = dict(companies.get(connection, company_id))
    week = Week.of(clock.local_day(clock.now(), firm["timezone"])).before()
    weekly.send(house.engine, house.settings, firm, week)
    _work(house, "deliver")


def _summary(house: House, company_id: str) -> None:
    from analysis import queries, store
    from analysis.report import score_facts
    from dashboards import i18n
    from vigie import db

    today = clock.local_day(clock.now(), "Europe/Paris")
    with db.reading(house.engine) as connection:
        count = store.count(connection, company_id)
        days = queries.daily(connection, company_id, today - timedelta(days=364), today)
        themes = list(queries.themes(connection, company_id, today - timedelta(days=364), today).items())
        alerts = queries.alerts(connection, company_id)
        kept, counted = store.recount(connection, company_id)
    score = score_facts(days, today)
    say(f"{_FIRM}: {count} mentions, {score['mean']} of 5, very probably {score['low']} to {score['high']}")
    say("themes: " + ", ".join(f"{i18n.theme(theme, 'en')} {sums.mentions}" for theme, sums in themes[:5]))
    for alert in alerts:
        say(f"alert: {i18n.rule(alert['rule'], 'en')}: {alert['facts'].get('quote', alert['facts'])}")
    say(f"rollups equal a recount: {'yes' if kept == counted else 'NO'}")
    for mail in sorted(house.settings.outbox_dir.glob("*.eml")):
        say(f"mail: {mail}")


def _stay(house: House, port: int) -> None:
    from vigie.cli.roles import one_time_link, until_signal
    from vigie.cli.supervisor import Supervisor

    supervisor = Supervisor(house, "127.0.0.1", port)
    until_signal(supervisor.stop, end_within=15)
    supervisor.start()
    supervisor.await_pages()
    say(f"open: {one_time_link(house)}")
    tell("Ctrl-C ends it")
    supervisor.stop.wait()
    supervisor.join()


def _rows(name: str) -> list[dict[str, str]]:
    text = files("vigie.demo").joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def _write_export(path: Path) -> None:
    """The reviews as a platform's export, dated back from today."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Date", "Auteur", "Note", "Avis"])
        for row in _rows("reviews"):
            day = clock.now() - timedelta(days=int(row["days_ago"]))
            writer.writerow([f"{day:%d/%m/%Y}", row["author"], row["rating"], row["text"]])


def _page() -> str:
    link = '<link rel="alternate" type="application/rss+xml" href="/actus.rss">'
    return (
        f'<!doctype html><html lang="fr"><head><title>Le Populaire du Centre</title>{link}</head><body></body></html>'
    )


def _shown(rows: list[dict[str, str]], sites: _Sites) -> list[dict[str, str]]:
    return [row for row in rows if row["new"] == "no" or sites.show_news]


def _rss(rows: list[dict[str, str]], sites: _Sites) -> str:
    items = "".join(
        f"<item><guid isPermaLink='false'>press-{row['days_ago']}</guid><title>{html.escape(row['title'])}</title>"
        f"<description>{html.escape(row['text'])}</description><pubDate>{format_datetime(_ago(row))}</pubDate></item>"
        for row in _shown(rows, sites)
    )
    return f'<rss version="2.0"><channel><title>Le Populaire du Centre</title>{items}</channel></rss>'


def _atom(rows: list[dict[str, str]], sites: _Sites) -> str:
    entries = "".join(
        f"<entry><id>forum-{row['days_ago']}</id><title>{html.escape(row['title'])}</title>"
        f"<author><name>{row['author']}</name></author><content>{html.escape(row['text'])}</content>"
        f"<updated>{_ago(row).isoformat()}</updated></entry>"
        for row in _shown(rows, sites)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Forum</title>{entries}</feed>'


def _ago(row: dict[str, str]) -> Any:
    return clock.now() - timedelta(days=int(row["days_ago"]))


def _until_open(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise InvalidInputError(f"port {port} does not open: choose another with --port")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
