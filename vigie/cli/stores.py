"""The store as a whole: backed up, brought back, moved to where it can grow."""

import re
from pathlib import Path
from typing import Annotated

import typer

from vigie.cli.house import House, opened, say, tell


def add_to(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)
    app.command("migrate-store")(migrate_store)


def backup(
    out: Annotated[Path | None, typer.Argument(help="the file to write; a name with today's date if left out")] = None,
) -> None:
    """Write everything to one file, while Vigie runs. The secret key is left out: keep it elsewhere.

    Example: vigie backup /mnt/nas/vigie.zip
    """
    from vigie import backup as backups
    from vigie import clock

    path = out or Path(f"vigie-{clock.now():%Y-%m-%d}.zip")
    with opened() as house:
        counts = backups.write(house.engine, _log_file(house), path)
        tell(f"{counts['company']} firms, {counts['mention']} mentions")
        tell("not in it: the secret key (VIGIE_SECRET_KEY, or secret.key in the data folder); passwords need it")
    say(str(path))


def restore(
    file: Annotated[Path, typer.Argument(help="what `vigie backup` wrote")],
    replace: Annotated[bool, typer.Option("--replace", help="remove the firms that are there first")] = False,
) -> None:
    """Bring a backup back, into SQLite or PostgreSQL. Whoever was forgotten meanwhile stays forgotten.

    Example: vigie restore vigie-2026-11-24.zip
    """
    from sqlalchemy import inspect, select

    from analysis import forgetting
    from vigie import backup as backups
    from vigie import db
    from vigie.db.tables import company as company_table
    from vigie.db.tables import forgotten

    with opened(migrated=False) as house:
        with db.reading(house.engine) as connection:
            is_there = inspect(connection).has_table(forgotten.name)
            meanwhile = [dict(row) for row in connection.execute(select(forgotten)).mappings()] if is_there else []
        counts = backups.restore(house.engine, _log_file(house), file, replace=replace)
        with db.writing(house.engine) as connection:
            present = set(connection.scalars(select(company_table.c.id)))
            db.upsert(connection, forgotten, [row for row in meanwhile if row["company_id"] in present])
        erased = forgetting.apply(house.engine, house.settings.secret())
    say(f"{counts['company']} firms and {counts['mention']} mentions restored, {erased} of them forgotten anew")


def migrate_store(
    database_url: Annotated[str, typer.Option(help="the PostgreSQL that is to hold everything")],
    log_url: Annotated[str, typer.Option(help="the Kafka that is to carry everything")],
) -> None:
    """Move from the embedded store to PostgreSQL and Kafka, with what is still unread. Stop Vigie first; if it is cut
    off, start it again.

    Example: vigie migrate-store --database-url postgresql://vigie@db/vigie --log-url kafka://k1:9092,k2:9092
    """
    from analysis import store
    from vigie import db, moving
    from vigie.db.migrate import migrate as bring_up
    from vigie.errors import InvalidInputError
    from vigie.log import open_log
    from vigie.settings import load

    with opened() as house:
        if house.settings.database_url or house.settings.log_url:
            raise InvalidInputError("the data lies in PostgreSQL or Kafka already: this moves the embedded store")
        to = load(database_url=database_url, log_url=log_url)
        engine, log = db.connect(to.database), open_log(to)
        try:
            name = f"{database_url} {log_url}"
            records = moving.move(house.engine, house.log, house.settings.data_dir, engine, log, name)
            bring_up(engine)
            with db.reading(engine) as connection:
                kept, counted = store.recount(connection)
                mentions = store.count(connection)
        finally:
            log.close()
            engine.dispose()
    if kept != counted:
        raise InvalidInputError("the trends there differ from a recount: run `vigie doctor` with the new settings")
    tell(f"{mentions} mentions copied, trends equal a recount, {records} unread records handed on")
    tell(f"from now on set VIGIE_DATABASE_URL={_hidden(database_url)} and VIGIE_LOG_URL={_hidden(log_url)}")
    tell("keep the secret key: VIGIE_SECRET_KEY, or secret.key in the data folder")


def _hidden(url: str) -> str:
    """An address without its password."""
    return re.sub(r"://([^:/@]+):[^@]*@", r"://\1:…@", url)


def _log_file(house: House) -> Path | None:
    """The embedded log's file; None where the log is Kafka."""
    return Path(house.settings.log.removeprefix("sqlite:///")) if house.settings.log.startswith("sqlite:") else None
