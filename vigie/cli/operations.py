"""What a host needs: migrations, keys, dead letters, offsets."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from vigie.cli.companies import AsJson
from vigie.cli.house import listed, opened, say, tell

token = typer.Typer(no_args_is_help=True, help="Keys for programs, links for people.")
deadletters = typer.Typer(no_args_is_help=True, help="Records that could not be handled: list, replay.")

offsets = typer.Typer(no_args_is_help=True, help="Where analysis stands in the log: show, reset.")


class Target(StrEnum):
    """Where analysis is to go on after a reset."""

    BEGINNING = "beginning"
    END = "end"


def add_to(app: typer.Typer) -> None:
    app.command()(migrate)
    app.command()(reread)
    app.add_typer(token, name="token")
    app.add_typer(deadletters, name="deadletters")
    app.add_typer(offsets, name="offsets")


def migrate() -> None:
    """Bring the database to this release's form, create the log's topics, and bring them to the settings."""
    from vigie.db.migrate import HEAD
    from vigie.db.migrate import migrate as run

    with opened(migrated=False) as house:
        run(house.engine)
        house.log.prepare()
        for fault in house.log.find_faults():
            tell(f"still differs: {fault.text}")
    say(f"the database is at {HEAD}")


def reread(
    background: Annotated[
        bool, typer.Option("--background", help="leave it to the workers, who do it behind what comes in")
    ] = False,
) -> None:
    """Read anew, with this release's model, what an older one read. Corrections stand, and nobody is alerted; a firm's
    trends change when all its mentions are read.

    Example: vigie reread
    """
    from analysis import rereading
    from analysis.themes import Vocabulary

    done = 0
    with opened() as house:
        firms = rereading.ask(house.engine)
        if background:
            say(f"firms that will be read anew: {firms}")
            return
        vocabulary = Vocabulary(house.settings.lexicon_dir)
        while (count := rereading.advance(house.engine, house.settings.sentiment_engine, vocabulary)) is not None:
            done += count
            tell(f"{done} mentions read")
    say(f"{done} mentions read anew")


@token.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="what the key is for")],
    company: Annotated[str | None, typer.Option(help="one firm only")] = None,
    role: Annotated[str, typer.Option(help="reader, editor or admin")] = "admin",
    days: Annotated[int | None, typer.Option(min=1, max=3_650, help="how long it is valid")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="only this part of the API: mentions, trends … (again)")
    ] = None,
) -> None:
    """Print a new API key, this once.

    Example: vigie token create "our CRM" --company "Boulangerie Mercier" --role reader --days 365
    """
    from vigie import access, clock, companies, db
    from vigie.errors import InvalidInputError

    if role not in {"reader", "editor", "admin"}:
        raise InvalidInputError("role is one of reader, editor, admin")
    until = clock.now() + timedelta(days=days) if days else None
    with opened() as house, db.writing(house.engine) as connection:
        company_id = companies.find(connection, company)["id"] if company else None
        values = {"company_id": company_id, "role": role, "expires_at": until, "scopes": scope}
        say(access.create_key(connection, name, **values))  # type: ignore[arg-type]


@token.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List the API keys: what for, whose, and until when. The keys themselves are stored nowhere."""
    from vigie import access, db

    with opened() as house, db.reading(house.engine) as connection:
        rows = access.keys(connection)
    listed([{name: _told(value) for name, value in row.items()} for row in rows], as_json)


@token.command("revoke")
def revoke_token(key: Annotated[str, typer.Argument(help="as `vigie token list` names it")]) -> None:
    """End an API key at once.

    Example: vigie token revoke 3f9a0c2b17de
    """
    from vigie import access, db

    with opened() as house, db.writing(house.engine) as connection:
        access.revoke_key(connection, key)


@token.command("link")
def create_link() -> None:
    """Print a link that opens the pages once, within the hour."""
    from vigie.cli.roles import one_time_link

    with opened() as house:
        say(one_time_link(house))


@deadletters.command("list")
def list_dead(as_json: AsJson = False) -> None:
    """List the records that could not be handled, and why."""
    from vigie import db
    from vigie import deadletters as letters

    with opened() as house, db.reading(house.engine) as connection:
        rows = letters.waiting(connection)
        names = letters.company_names(connection, rows)
    shown = ("id", "topic", "partition", "offset", "reason", "created_at")
    listed([{**{name: row[name] for name in shown}, "company": names[row["id"]]} for row in rows], as_json)


@deadletters.command("replay")
def replay_dead(letter: Annotated[list[str] | None, typer.Argument(help="ids; all if left out")] = None) -> None:
    """Put records back where they came from. One that fails again comes back here."""
    from vigie import deadletters as letters

    with opened() as house:
        say(f"{letters.replay(house.engine, house.log, letter or [])} records put back")


@offsets.command("show")
def show_offsets(as_json: AsJson = False) -> None:
    """List for each partition: the stored offset, the log's first and next one, how many are unread, what is wrong."""
    from vigie import positions
    from vigie.log import ANALYSIS, MENTIONS

    with opened() as house:
        standing = positions.read_standing(house.engine, house.log, ANALYSIS, MENTIONS)
        listed(positions.describe(standing), as_json)


@offsets.command("reset")
def reset_offsets(
    to: Annotated[Target, typer.Option(help="read everything again, or pass over what is unread")] = Target.BEGINNING,
) -> None:
    """Let analysis read the log from its beginning, after it was made anew or cut. A mention that is stored already
    counts once, and nobody is alerted twice. With --to end, what is unread is never read.

    Example: vigie offsets reset
    """
    from vigie import db, positions
    from vigie.errors import UnavailableError
    from vigie.log import ANALYSIS, MENTIONS

    with opened() as house:
        ends = house.log.ends(MENTIONS)
        topic_id = house.log.topic_ids().get(MENTIONS)
        if not ends:
            raise UnavailableError(f"the log has no topic {MENTIONS}: run `vigie migrate`")
        starts = {source: end if to is Target.END else beginning for source, (beginning, end) in ends.items()}
        with db.writing(house.engine) as connection:
            positions.reset(connection, ANALYSIS, MENTIONS, starts, topic_id)
    records = sum(end - beginning for beginning, end in ends.values())
    if to is Target.END:
        say(f"analysis begins behind the {records} records that the log holds: those not read yet are passed over")
    else:
        say(f"analysis reads all {records} records that the log holds: what is stored already counts once")
    tell("start `vigie analyse`, or start it again if it runs")


def _told(value: object) -> object:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
