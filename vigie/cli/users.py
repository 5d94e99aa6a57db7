"""People: who may open the pages, and of which firms."""

from pathlib import Path
from typing import Annotated

import typer

from vigie.cli.companies import AsJson
from vigie.cli.house import listed, opened, say, tell

user = typer.Typer(no_args_is_help=True, help="People who open the pages: add, list, link, remove, import.")

Firms = Annotated[list[str] | None, typer.Option("--company", help="a firm, by id or name; may be repeated")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(user, name="user")


@user.command("add")
def add(
    email: str,
    company: Firms = None,
    role: Annotated[str, typer.Option(help="owner, adviser, team; or admin, for the whole installation")] = "owner",
    name: str | None = None,
    language: str = "fr",
    invite: Annotated[bool, typer.Option("--invite", help="write to them, with a link")] = False,
) -> None:
    """Let somebody open the pages of firms. Prints their id.

    Example: vigie user add marie@example.fr --company "Boulangerie Mercier" --role owner --invite
    """
    from dashboards import letters
    from vigie import companies, db, people
    from vigie.errors import InvalidInputError

    if (role == "admin") == bool(company):
        raise InvalidInputError("give --company with owner, adviser or team; an admin sees every firm")
    with opened() as house, db.writing(house.engine) as connection:
        person_id = people.add(connection, email, name=name, language=language, admin=role == "admin")
        for one in company or []:
            firm = dict(companies.find(connection, one))
            people.grant(connection, person_id, firm["id"], role, by="command line", name=name)
            if invite:
                who = people.get(connection, person_id)
                letters.invite(connection, house.settings, who, firm, role, "Vigie")
    say(person_id)


@user.command("list")
def list_users(as_json: AsJson = False) -> None:
    """List people: address, name, and their firms."""
    from vigie import db, people

    with opened() as house, db.reading(house.engine) as connection:
        rows = []
        for who in people.every(connection):
            firms = [f"{firm['name']} ({firm['role']})" for firm in people.firms_of(connection, who["id"])]
            may = "every firm (admin)" if who["admin"] else ", ".join(firms)
            rows.append({"id": who["id"], "email": who["email"], "name": who["name"] or "", "firms": may})
    listed(rows, as_json)


@user.command("link")
def link(email: str) -> None:
    """Print a link that opens somebody's pages once, within the hour.

    Example: vigie user link marie@example.fr
    """
    from vigie import access, db, people

    with opened() as house, db.writing(house.engine) as connection:
        made = access.create_link(connection, people.find(connection, email)["id"])
        say(f"{house.settings.base_url.rstrip('/')}/open?link={made}")


@user.command("remove")
def remove(email: str, company: Firms = None) -> None:
    """Take somebody off some firms, or altogether; what they have open closes at once."""
    from vigie import companies, db, people

    with opened() as house, db.writing(house.engine) as connection:
        person_id = people.find(connection, email)["id"]
        for one in company or []:
            people.revoke(connection, person_id, companies.find(connection, one)["id"])
        if not company:
            people.remove(connection, person_id)


@user.command("import")
def import_firms(
    file: Annotated[Path, typer.Argument(help="CSV: name, siren, city, sector, website, email")],
    adviser: Annotated[str, typer.Option(help="the adviser's address, who receives the mandates")],
    mandate: Annotated[str, typer.Option(help="who gave the mandates, and when: it is recorded")],
    invite: Annotated[bool, typer.Option("--invite", help="write to each owner, with a link")] = False,
) -> None:
    """Add an adviser's firms from a table, each with its owner and a recorded mandate; a firm known by its SIREN stays.

    Example: vigie user import firms.csv --adviser claire@conseil.example --mandate "signed on 3 November 2026"
    """
    from dashboards import mandates
    from vigie import db

    with opened() as house:
        with db.writing(house.engine) as connection:
            made, bad = mandates.add_firms(
                connection, house.settings, file, adviser=adviser, mandate=mandate, invite=invite
            )
        for company_id in made:
            say(company_id)
        for trouble in bad:
            tell(trouble)
        if bad:
            raise typer.Exit(1)
