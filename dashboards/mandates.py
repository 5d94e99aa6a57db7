"""An adviser's firms, from a table: each firm, its owner, and the mandate that the owner may end."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, select

from analysis.words import folded
from dashboards import letters
from vigie import companies, people
from vigie.db.tables import company
from vigie.errors import InvalidInputError
from vigie.settings import Settings

_COLUMNS = {
    "name": ("name", "nom", "raison sociale", "entreprise", "firm"),
    "siren": ("siren", "siret"),
    "city": ("city", "town", "ville", "commune"),
    "sector": ("sector", "naf", "code naf", "ape"),
    "website": ("website", "site", "site web", "url"),
    "email": ("email", "e mail", "mail", "courriel"),
}
_MOST_BYTES = 1_000_000


def add_firms(
    connection: Connection, settings: Settings, file: Path, *, adviser: str, mandate: str, invite: bool
) -> tuple[list[str], list[str]]:
    """The ids of the firms made, and the lines that could not be used. Raises `InvalidInputError` for no such table."""
    adviser_id = people.add(connection, adviser)
    made, bad = [], []
    for number, row in enumerate(_rows(file), start=2):
        try:
            with connection.begin_nested():
                company_id = _managed(connection, row, adviser_id)
                if company_id:
                    _refuse_stranger(connection, company_id, row["email"])
                else:
                    company_id = _add_firm(connection, row)
                people.grant(connection, adviser_id, company_id, "adviser", by=mandate)
                if row["email"]:
                    _owner(connection, settings, company_id, row["email"], mandate, invite=invite)
            made.append(company_id)
        except InvalidInputError as error:
            bad.append(f"line {number}: {error}")
    return made, bad


def _managed(connection: Connection, row: Mapping[str, str], adviser_id: str) -> str | None:
    """Return the firm of that SIREN and name which the adviser manages already; None when there is none.

    Anybody may write any SIREN into their firm, so it alone never leads to one.
    """
    siren = _siren(row)
    if not siren:
        return None
    for known in connection.execute(select(company.c.id, company.c.name).where(company.c.siren == siren)):
        members = {person["person_id"] for person in people.of_company(connection, known.id)}
        if adviser_id in members and folded(known.name) == folded(row["name"]):
            return str(known.id)
    return None


def _refuse_stranger(connection: Connection, company_id: str, email: str) -> None:
    """Raise `InvalidInputError` for an owner whom the firm does not know: a table opens no firm that is there."""
    members = {person["email"] for person in people.of_company(connection, company_id)}
    if email and email.strip().lower() not in members:
        raise InvalidInputError("the firm is there already, with other owners: let this one in by `vigie user add`")


def _siren(row: Mapping[str, str]) -> str:
    return "".join(filter(str.isalnum, row["siren"]))[:14]


def _add_firm(connection: Connection, row: Mapping[str, str]) -> str:
    siren = _siren(row)
    return companies.add(
        connection,
        row["name"],
        siren=siren or None,
        city=row["city"] or None,
        sector=row["sector"] or None,
        website=row["website"] or None,
    )


def _owner(
    connection: Connection, settings: Settings, company_id: str, email: str, mandate: str, *, invite: bool
) -> None:
    owner_id = people.add(connection, email)
    if owner_id in {row["person_id"] for row in people.of_company(connection, company_id)}:
        return
    people.grant(connection, owner_id, company_id, "owner", by=mandate)
    companies.add_recipient(connection, company_id, email)
    if invite:
        firm = dict(companies.get(connection, company_id))
        letters.invite(connection, settings, people.get(connection, owner_id), firm, "owner", mandate)


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        body = file.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read: {error.strerror}") from error
    if len(body) > _MOST_BYTES:
        raise InvalidInputError(f"{file.name} is too large for a list of firms")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252", "replace")
    header, _, _ = text.partition("\n")
    separator = max(";,\t", key=header.count)
    table = list(csv.reader(io.StringIO(text), delimiter=separator))
    at = {name: _column(table[0] if table else [], names) for name, names in _COLUMNS.items()}
    if at["name"] is None:
        raise InvalidInputError(f"{file.name} has no column with the firms' names: name, nom or raison sociale")
    lines = (line for line in table[1:] if any(cell.strip() for cell in line))
    return [
        {name: line[where].strip() if where is not None and where < len(line) else "" for name, where in at.items()}
        for line in lines
    ]


def _column(header: list[str], names: tuple[str, ...]) -> int | None:
    said = [" ".join(folded(cell).replace("-", " ").split()) for cell in header]
    return next((said.index(name) for name in names if name in said), None)
