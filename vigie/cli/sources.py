"""Sources and imports."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vigie.cli.companies import AsJson, Company
from vigie.cli.house import listed, opened, say, tell
from vigie.cli.secret_values import read_values

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from vigie.cli.house import House

source = typer.Typer(no_args_is_help=True, help="Where a firm is listened to: add, list, check, kinds, pause …")


def add_to(app: typer.Typer) -> None:
    app.add_typer(source, name="source")
    app.command("import")(import_)
    app.command("export")(export)


@source.command("add")
def add_source(
    company: Company,
    kind: str,
    target: str,
    name: str | None = None,
    location: Annotated[str | None, typer.Option(help="the id of the place it belongs to")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="repeatable; K=- asks, K=@FILE reads a file")
    ] = None,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="do not ask TARGET before")] = False,
) -> None:
    """Listen at TARGET from now on, and print the source's id. TARGET is asked once before.

    KIND is one of those that `vigie source kinds` lists.
    Example: vigie source add "Boulangerie Mercier" feed https://example.fr/avis.rss
    """
    from ingest import sources_store
    from vigie import companies, db
    from vigie.secrets import Vault

    options = read_values(_pairs(option))
    with opened() as house:
        with db.reading(house.engine) as connection:
            row = companies.find(connection, company)
            _refuse_known(connection, row["id"], kind, target)
        if not unchecked:
            _try_target(house, kind, target, options)
        with db.writing(house.engine) as connection:
            source_id = sources_store.add(
                connection, row["id"], kind, target, name=name, options=options, location_id=location,
                vault=Vault(house.settings.secret()), by_host=True,
            )  # fmt: skip
        say(source_id)
        _tell_next_step(house, row["id"], kind, source_id)


def _refuse_known(connection: "Connection", company_id: str, kind: str, target: str) -> None:
    from ingest import sources_store
    from vigie.errors import InvalidInputError

    for row in sources_store.of_company(connection, company_id):
        if (row["kind"], row["target"]) == (kind, target):
            raise InvalidInputError(f"this firm is listened to there already, by {row['id']}")


def _try_target(house: "House", kind: str, target: str, options: dict[str, str]) -> None:
    """Ask the target once. Raises `InvalidInputError` when nothing is to be had there."""
    from ingest.http import Web
    from ingest.sources import KINDS
    from vigie.errors import InvalidInputError, VigieError

    connector = KINDS.get(kind)
    if connector is None:
        raise InvalidInputError(f"unknown kind {kind!r}: one of {', '.join(KINDS)}")
    if kind == "webhook" and "secret" not in options:
        raise InvalidInputError("give the sender's signing secret: --option secret=-")
    if not connector.polled:
        return
    try:
        with Web(house.settings.allow_hosts, delay=0) as web:
            connector.poll(web, target, options, {})
    except VigieError as error:
        raise InvalidInputError(f"{error} (to add it all the same: --unchecked)") from error


def _tell_next_step(house: "House", company_id: str, kind: str, source_id: str) -> None:
    base_url = house.settings.base_url.rstrip("/")
    if kind == "form":
        tell(f"your customers answer at {base_url}/avis/{source_id}")
        tell(f"its card with the QR code: {base_url}/companies/{company_id}/sources/{source_id}/card")
    elif kind == "webhook":
        tell(f"the sender posts to {base_url}/api/v1/inbound/{source_id}")
    elif kind not in {"push", "file", "counter"}:
        tell("`vigie up` (or `vigie ingest`) asks there from now on")


@source.command("list")
def list_sources(company: Company, as_json: AsJson = False) -> None:
    """List a firm's sources and how they fare."""
    from ingest import sources_store
    from vigie import companies, db

    with opened() as house, db.reading(house.engine) as connection:
        rows = sources_store.of_company(connection, companies.find(connection, company)["id"])
    names = ("id", "kind", "name", "target", "paused", "error", "received_at", "next_poll_at")
    listed([{name: row[name] for name in names} for row in rows], as_json)


@source.command("check")
def check_source(target: str) -> None:
    """Say what TARGET is, and what would be collected there.

    Example: vigie source check https://example.fr
    """
    from ingest.recognise import recognise
    from vigie import settings

    for found in recognise(target, settings.load().allow_hosts):
        say(f"{found.kind}: {found.name} ({found.found} entries), at {found.target}")
        if found.aggregate:
            say(f"customers see {found.aggregate.given}, {found.aggregate.count} ratings")
        say(f"the first: {found.sample or '(empty)'}")


@source.command("kinds")
def kinds(as_json: AsJson = False) -> None:
    """List what Vigie can listen to."""
    from ingest.sources import KINDS

    rows = [
        {"kind": kind, "description": one.description, "target": one.target, "options": ", ".join(one.options)}
        for kind, one in KINDS.items()
    ]
    listed(rows, as_json)


@source.command("pause")
def pause(source_id: str) -> None:
    """Stop asking there, for now."""
    _change(source_id, paused=True)


@source.command("resume")
def resume(source_id: str) -> None:
    """Ask there again, at once."""
    _change(source_id, paused=False)


@source.command("remove")
def remove(source_id: str, with_mentions: Annotated[bool, typer.Option("--with-mentions")] = False) -> None:
    """Stop listening there; what was collected is kept unless --with-mentions."""
    from ingest import sources_store
    from vigie import db

    with opened() as house, db.writing(house.engine) as connection:
        sources_store.get(connection, source_id)
        sources_store.remove(connection, source_id, with_mentions=with_mentions)


# Of rows that were read with something less, by `ingest.files.table.Read.counts`.
_LACKS = {
    "undated": "without a readable date: dated today",
    "approximate": "with an approximate date",
    "unrated": "without a readable rating",
    "no_visit": "without a readable date of the visit",
    "refused": "left out: the file marks them as spam, rejected or unpublished",
}


def import_(
    company: Company,
    file: Path,
    name: Annotated[str | None, typer.Option(help="what the file continues; its own name if left out")] = None,
    mapping: Annotated[list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="may be repeated")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="csv, xlsx, jsonl, takeout or mail")] = None,
    notify: Annotated[bool, typer.Option("--notify", help="raise alerts as if it were news")] = False,
    platform: Annotated[str | None, typer.Option(help="where they were written, if no column says so")] = None,
) -> None:
    """Import reviews: CSV, XLSX, JSON lines, Google Takeout's zip, mails.

    Twice counts once; bad rows are listed and do not stop the rest.

    Example: vigie import "Boulangerie Mercier" avis.csv --map text=Verbatim
    """
    from ingest.imports import import_file
    from vigie import companies, db

    with opened() as house:
        with db.reading(house.engine) as connection:
            firm = companies.find(connection, company)
        with _progress() as show:
            done = import_file(
                house.engine, house.intake, firm, file, name=name, kind=format_, mapping=_pairs(mapping), notify=notify,
                platform=platform, progress=show,
            )  # fmt: skip
    tell("read as: " + ", ".join(f"{field}={column}" for field, column in done.columns.items()))
    if done.unread:
        tell("columns not read: " + ", ".join(done.unread))
    for row in done.bad:
        tell(f"line {row.line}: {row.reason}")
    for name, words in _LACKS.items():
        if count := done.counts.get(name):
            tell(f"{count} {words}")
    say(f"{done.mentions} mentions imported, {len(done.bad)} rows could not be used")


def export(
    company: Company,
    what: Annotated[str, typer.Argument(help="mentions, trends or alerts")] = "mentions",
    format_: Annotated[str, typer.Option("--format", help="csv, jsonl or xlsx")] = "csv",
    out: Annotated[Path | None, typer.Option(help="the file to write; standard output if left out")] = None,
) -> None:
    """Take away a firm's mentions, weekly trends or alerts.

    Example: vigie export "Boulangerie Mercier" mentions --format xlsx --out avis.xlsx
    """
    from analysis import export as exporting
    from ingest.files.writing import write
    from vigie import companies, db
    from vigie.errors import InvalidInputError

    makers = {"mentions": exporting.mentions, "trends": exporting.trend, "alerts": exporting.alerts}
    if what not in makers:
        raise InvalidInputError(f"unknown {what!r}: one of {', '.join(makers)}")
    with opened() as house:
        with db.reading(house.engine) as connection:
            firm = dict(companies.find(connection, company))
        sys.stdout.write(write(makers[what](house.engine, firm), format_, out))


@source.command("seen")
def seen(
    source_id: str,
    average: Annotated[float, typer.Argument(help="such as 4.3")],
    count: Annotated[int, typer.Argument(min=1, help="of how many ratings")],
    best: Annotated[float, typer.Option(help="the best that can be given there")] = 5.0,
    platform: str = "",
) -> None:
    """Type in what customers see on a platform today: its average and how many ratings made it.

    Example: vigie source seen so_1x2y3z 4.3 127 --platform tripadvisor
    """
    from ingest import sources_store
    from ingest.rating import on_five
    from ingest.source import Aggregate
    from vigie import db
    from vigie.errors import InvalidInputError

    try:
        rating = on_five(average, best=best)
    except ValueError as error:
        raise InvalidInputError(str(error)) from error
    with opened() as house, db.writing(house.engine) as connection:
        row = sources_store.get(connection, source_id)
        sources_store.observe(connection, row, [Aggregate(rating or 0.0, count, f"{average:g}/{best:g}", platform)])


@contextmanager
def _progress() -> Iterator[Callable[[int, int], object]]:
    """A bar on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("import")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _change(source_id: str, *, paused: bool) -> None:
    from ingest import sources_store
    from vigie import db

    with opened() as house, db.writing(house.engine) as connection:
        sources_store.change(connection, source_id, {"paused": paused})


def _pairs(given: list[str] | None) -> dict[str, str]:
    pairs = {}
    for one in given or []:
        name, equals, value = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"{one!r} is not NAME=VALUE")
        pairs[name.strip()] = value.strip()
    return pairs
