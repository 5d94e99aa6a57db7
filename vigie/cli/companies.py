"""Firms, their places, their mails."""

import json
from datetime import MAXYEAR
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vigie.cli.house import listed, opened, say, tell

company = typer.Typer(no_args_is_help=True, help="Firms: add, list, show, edit, remove.")
location = typer.Typer(no_args_is_help=True, help="A firm's places: add, list.")

AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]
Company = Annotated[str, typer.Argument(metavar="COMPANY", help="an id or an exact name")]
_SHOWN = ("id", "name", "city", "siren", "sector", "aliases", "website", "language", "timezone")


class Edition(StrEnum):
    owner = "owner"
    team = "team"


def add_to(app: typer.Typer) -> None:
    app.add_typer(company, name="company")
    app.add_typer(location, name="location")
    app.command("report")(report)
    app.command("forget")(forget)
    app.command("disclose")(disclose)


@company.command("add")
def add_company(
    name: str,
    siren: str | None = None,
    city: str | None = None,
    sector: Annotated[str | None, typer.Option(help="NAF code")] = None,
    alias: Annotated[list[str] | None, typer.Option(help="another name; may be repeated")] = None,
    website: str | None = None,
    language: str = "fr",
    timezone: str = "Europe/Paris",
    email: Annotated[list[str] | None, typer.Option(help="who receives the weekly mail; may be repeated")] = None,
    again: Annotated[bool, typer.Option("--again", help="even if there is one of that name and town")] = False,
) -> None:
    """Add a firm and print its id.

    Example: vigie company add "Boulangerie Mercier" --city Limoges --email marie@example.fr
    """
    from vigie import companies, db

    companies.check_identity(siren=siren, sector=sector, website=website)
    with opened() as house, db.writing(house.engine) as connection:
        if not again:
            companies.refuse_known(connection, name, city, siren)
        company_id = companies.add(
            connection, name, siren=siren, city=city, sector=sector, aliases=alias or [], website=website,
            language=language, timezone=timezone,
        )  # fmt: skip
        for address in email or []:
            companies.add_recipient(connection, company_id, address, language=language)
    say(company_id)


@company.command("list")
def list_companies(as_json: AsJson = False) -> None:
    """List the firms: id, name, town."""
    from vigie import companies, db

    with opened() as house, db.reading(house.engine) as connection:
        rows = companies.every(connection)
    listed([{name: row[name] for name in ("id", "name", "city")} for row in rows], as_json)


@company.command("show")
def show_company(company: Company, as_json: AsJson = False) -> None:
    """Show one firm."""
    from analysis import store
    from vigie import companies, db

    with opened() as house, db.reading(house.engine) as connection:
        row = companies.find(connection, company)
        shown = {name: row[name] for name in _SHOWN}
        shown["recipients"] = ", ".join(one["email"] for one in companies.recipients(connection, row["id"]))
        shown["mentions"] = store.count(connection, row["id"])
    listed([shown], True) if as_json else listed([{"name": k, "value": v} for k, v in shown.items()], False)


@company.command("edit")
def edit_company(
    company: Company,
    name: str | None = None,
    city: str | None = None,
    language: str | None = None,
    timezone: str | None = None,
    siren: str | None = None,
    sector: Annotated[str | None, typer.Option(help="NAF code")] = None,
    website: str | None = None,
    alias: Annotated[list[str] | None, typer.Option(help="one more name; may be repeated")] = None,
    email: Annotated[list[str] | None, typer.Option(help="one more who receives the weekly mail")] = None,
    alerts: Annotated[str | None, typer.Option(help="alerts to --email too: instant, daily, none")] = None,
    reminders: Annotated[
        bool | None, typer.Option(help="alerts to --email again until somebody has seen to them")
    ] = None,
    frequency: Annotated[str | None, typer.Option(help="how often to --email: weekly, daily, monthly")] = None,
    team_email: Annotated[list[str] | None, typer.Option(help="one more who receives the team's edition")] = None,
    pseudonyms: Annotated[bool | None, typer.Option(help="know authors by a pseudonym from now on")] = None,
) -> None:
    """Change what is given.

    Example: vigie company edit "Boulangerie Mercier" --email karim@example.fr
    """
    from vigie import companies, db

    given: dict[str, object] = {
        "name": name, "city": city, "language": language, "timezone": timezone, "siren": siren, "sector": sector,
        "website": website, "pseudonyms": pseudonyms,
    }  # fmt: skip
    with opened() as house, db.writing(house.engine) as connection:
        row = companies.find(connection, company)
        if alias:
            given["aliases"] = [*row["aliases"], *alias]
        companies.change(connection, row["id"], {key: value for key, value in given.items() if value is not None})
        for address in email or []:
            spoken = language or row["language"]
            companies.add_recipient(
                connection, row["id"], address, language=spoken, alerts=alerts, frequency=frequency, reminders=reminders
            )
        for address in team_email or []:
            spoken = language or row["language"]
            companies.add_recipient(connection, row["id"], address, edition="team", language=spoken)


@company.command("remove")
def remove_company(company: Company, yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False) -> None:
    """Remove a firm and all that belongs to it."""
    from vigie import companies, db

    with opened() as house, db.writing(house.engine) as connection:
        row = companies.find(connection, company)
        if not yes:
            typer.confirm(f"Remove {row['name']} and all its mentions?", abort=True, err=True)
        companies.remove(connection, row["id"])


@location.command("add")
def add_location(company: Company, name: str, city: str | None = None) -> None:
    """Add a place of a firm and print its id.

    Example: vigie location add "Boulangerie Mercier" "Les Halles"
    """
    from vigie import companies, db

    with opened() as house, db.writing(house.engine) as connection:
        say(companies.add_location(connection, companies.find(connection, company)["id"], name, city))


@location.command("list")
def list_locations(company: Company, as_json: AsJson = False) -> None:
    """List a firm's places."""
    from vigie import companies, db

    with opened() as house, db.reading(house.engine) as connection:
        rows = companies.locations(connection, companies.find(connection, company)["id"])
    listed([{name: row[name] for name in ("id", "name", "city")} for row in rows], as_json)


def forget(
    company: Company,
    author: Annotated[str | None, typer.Option(help="the name under which they wrote")] = None,
    source: Annotated[str | None, typer.Option(help="only what came by this source, where namesakes wrote too")] = None,
    mention: Annotated[str | None, typer.Option(help="only this mention")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Forget an author: their words go everywhere, and do not come back; stars and counts stay.

    Example: vigie forget "Boulangerie Mercier" --author "Sandrine L."
    """
    from analysis import forgetting
    from vigie import companies, db
    from vigie.errors import NotFoundError

    if author is None and mention is None:
        raise typer.BadParameter("give --author or --mention")
    with opened() as house:
        with db.reading(house.engine) as connection:
            company_id = companies.find(connection, company)["id"]
            asked = forgetting.Asked(
                key=house.settings.secret(), company_id=company_id, author=author, source_id=source, mention_id=mention
            )
            rows = forgetting.found(connection, asked)
        for row in rows:
            tell(f"{row['id']}  {row['day']}  {row['author'] or '-'}  {(row['title'] or row['text'])[:80]}")
        if not rows and mention:
            raise NotFoundError(f"there is no mention {mention!r}")
        if not yes:
            typer.confirm(f"Forget these {len(rows)} mentions, and what comes of them again?", abort=True, err=True)
        done = forgetting.forget(house.engine, house.log, asked, house.settings.outbox_dir)
        say(f"{done.mentions} mentions without words, {done.deliveries} deliveries and {done.files} mails removed")
        if done.log_clean_by and done.log_clean_by.year == MAXYEAR:
            say("Kafka keeps its records for ever: `vigie migrate` sets the retention of the topics")
        elif done.log_clean_by:
            say(f"Kafka drops the last of them by {done.log_clean_by:%Y-%m-%d %H:%M} UTC")


def disclose(
    company: Company,
    author: Annotated[str | None, typer.Option(help="the name under which they wrote")] = None,
    source: Annotated[str | None, typer.Option(help="only what came by this source, where namesakes wrote too")] = None,
    mention: Annotated[str | None, typer.Option(help="only this mention")] = None,
) -> None:
    """Print as JSON all that is kept of an author who asks, and to whom it was sent.

    Example: vigie disclose "Boulangerie Mercier" --author "Sandrine L." > sandrine.json
    """
    from analysis import disclosure
    from analysis.forgetting import Asked
    from vigie import companies, db

    if author is None and mention is None:
        raise typer.BadParameter("give --author or --mention")
    with opened() as house, db.reading(house.engine) as connection:
        company_id = companies.find(connection, company)["id"]
        key = house.settings.secret()
        asked = Asked(key=key, company_id=company_id, author=author, source_id=source, mention_id=mention)
        kept = disclosure.kept(connection, asked)
    say(json.dumps(kept, ensure_ascii=False, indent=2))


def report(
    company: Company,
    week: Annotated[str | None, typer.Option(help="such as 2026-W47; the last one that ended if left out")] = None,
    out: Annotated[Path, typer.Option(help="the folder to write to")] = Path("."),
    language: str | None = None,
    edition: Annotated[Edition, typer.Option(help="the owner's, or the team's: praise and one habit")] = Edition.owner,
    send: Annotated[bool, typer.Option("--send", help="send it to its recipients instead")] = False,
) -> None:
    """Write the weekly mail as .eml, .html and .txt, or send it.

    Example: vigie report "Boulangerie Mercier" --week 2026-W47 --out mails
    """
    from analysis.report import Week
    from dashboards import weekly
    from vigie import clock, companies, db
    from vigie.errors import InvalidInputError

    with opened() as house:
        with db.reading(house.engine) as connection:
            firm = dict(companies.find(connection, company))
        try:
            meant = Week.named(week) if week else Week.of(clock.local_day(clock.now(), firm["timezone"])).before()
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
        if send:
            count = weekly.send(house.engine, house.settings, firm, meant)
            count += weekly.send_again(house.engine, firm, meant)
            say(f"{count} mails handed over; `vigie deliver` sends them")
            return
        with db.reading(house.engine) as connection:
            facts = weekly.gather_edition(connection, firm, meant, edition.value)
        if facts is None:
            say("the team's edition has nothing to say that week, and is not sent")
            return
        facts = weekly.facts_for_mail(firm, facts, edition.value, language or firm["language"])
        page = weekly.page_of(house.settings, firm["id"])
        mail = weekly.render(facts, language or firm["language"], page=page, edition=edition.value)
        wire = weekly.message(mail, sender=weekly.sender(house.settings), recipient="", message_id=meant.name)
        out.mkdir(parents=True, exist_ok=True)
        for ending, content in ((".eml", wire.as_bytes()), (".html", mail.html.encode()), (".txt", mail.text.encode())):
            mark = "" if edition is Edition.owner else f"-{edition.value}"
            path = out / f"vigie-{firm['id']}-{meant.name}{mark}{ending}"
            path.write_bytes(content)
            say(str(path))
