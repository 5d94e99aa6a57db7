"""Firms and their places: plain rows that every room refers to."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from sqlalchemy import Connection, RowMapping, case, delete, func, select, update

from vigie import clock, db, deadletters, due, ids
from vigie.db.tables import company, location, mention, recipient, source
from vigie.errors import InvalidInputError, NotFoundError
from vigie.names import check_name

LANGUAGES = ("fr", "en")
EDITIONS = ("owner", "team")
ALERTS = ("none", "instant", "daily")
# How often a mail goes out: on which days.
FREQUENCIES: dict[str, Callable[[date], bool]] = {
    "weekly": lambda day: day.weekday() == 0,
    "daily": lambda day: True,
    "monthly": lambda day: day.day == 1,
}
_NAF = re.compile(r"\d{2}(?:\.?\d{1,2}[A-Z]?)?", re.I)
_WEBSITE = re.compile(r"(?:https?://)?[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?::\d{1,5})?(?:/\S{0,2000})?", re.I)
# By these a text is known to speak of the firm: a new one decides its stored mentions anew.
_TELLING = {"name", "aliases", "city", "siren", "sector", "website"}


def add(
    connection: Connection,
    name: str,
    *,
    city: str | None = None,
    siren: str | None = None,
    sector: str | None = None,
    aliases: Sequence[str] = (),
    website: str | None = None,
    language: str = "fr",
    timezone: str = "Europe/Paris",
) -> str:
    """A new firm; its id. Raises `InvalidInputError`."""
    values = {
        "name": name, "city": city, "siren": siren, "sector": sector, "aliases": list(aliases),
        "website": website, "language": language, "timezone": timezone,
    }  # fmt: skip
    check(values)
    company_id = ids.drawn("co")
    connection.execute(company.insert().values(id=company_id, created_at=clock.now(), **values))
    due.schedule(connection, due.REPORT, [company_id], at=clock.next_morning(timezone, FREQUENCIES["weekly"]))
    due.schedule(connection, due.SOURCES, [company_id], at=clock.now() + timedelta(days=1))
    return company_id


def change(connection: Connection, company_id: str, values: Mapping[str, Any]) -> None:
    """Set some of a firm's fields. A new time zone holds for what comes from now on."""
    check(values)
    if values:
        connection.execute(company.update().where(company.c.id == company_id).values(**values))
    if _TELLING & set(values):
        due.schedule(connection, due.RELEVANCE, [company_id])


def check(values: Mapping[str, Any]) -> None:
    """Raise `InvalidInputError` for the first value that cannot be used."""
    if "name" in values and not (values["name"] and values["name"].strip()):
        raise InvalidInputError("the firm needs a name")
    if "name" in values:
        check_name(values["name"])
    for alias in (*(values.get("aliases") or ()), *(values.get("staff") or ())):
        check_name(alias)
    check_name(values.get("city") or "")
    if "\x00" in "".join(str(value) for value in values.values()):
        raise InvalidInputError("a text holds a character that cannot be stored")
    if values.get("language", "fr") not in LANGUAGES:
        raise InvalidInputError(f"language is one of {', '.join(LANGUAGES)}")
    try:
        clock.zone(values.get("timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError(f"unknown time zone {values['timezone']!r}: try Europe/Paris") from error


def check_identity(*, siren: str | None, sector: str | None, website: str | None) -> None:
    """Raise `InvalidInputError` for a SIREN, a NAF code or a web address that cannot be one."""
    if siren and not is_siren(siren):
        raise InvalidInputError(f"{siren!r} is no SIREN (9 digits) or SIRET (14): a digit is wrong or missing")
    if sector and not _NAF.fullmatch(sector):
        raise InvalidInputError(f"{sector!r} is no NAF code, such as 10.71C")
    if website and not _WEBSITE.fullmatch(website):
        raise InvalidInputError(f"{website!r} is no web address, such as https://example.fr")


def is_siren(number: str) -> bool:
    """Whether it is a SIREN, or a SIRET that begins with one; its ninth digit is a check digit (Luhn, ISO 7812-1)."""
    digits = "".join(number.split())
    if len(digits) not in {9, 14} or not digits.isdecimal() or not digits.isascii():
        return False
    doubled = [int(digit) * (2 if index % 2 else 1) for index, digit in enumerate(digits[:9])]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def refuse_known(connection: Connection, name: str, city: str | None, siren: str | None) -> None:
    """Raise `InvalidInputError` when there is a company of that name and town, or of that SIREN."""
    for row in every(connection):
        is_same_name = _fold(row["name"]) == _fold(name) and _fold(row["city"]) == _fold(city)
        is_same_siren = bool(siren) and row["siren"] == siren
        if is_same_name or is_same_siren:
            raise InvalidInputError(f"there is such a firm already: {row['id']} (for a second one: --again)")


def _fold(text: str | None) -> str:
    return " ".join((text or "").casefold().split())


def every(connection: Connection) -> Sequence[RowMapping]:
    """All firms, by name."""
    return connection.execute(select(company).order_by(company.c.name, company.c.id)).mappings().all()


def get(connection: Connection, company_id: str) -> RowMapping:
    """One firm, by its id; raises `NotFoundError`."""
    row = connection.execute(select(company).where(company.c.id == company_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no firm {company_id!r}")
    return row


def find(connection: Connection, name_or_id: str) -> RowMapping:
    """Return one company, by its id, else by its exact name.

    Raises `NotFoundError`, also when two companies have that name.
    """
    same = (company.c.id == name_or_id) | (company.c.name == name_or_id)
    rows = connection.execute(select(company).where(same)).mappings().all()
    # A company may be named like another's id: the id decides.
    rows = [row for row in rows if row["id"] == name_or_id] or rows
    if len(rows) != 1:
        what = "no firm" if not rows else f"{len(rows)} firms (give the id)"
        raise NotFoundError(f"{what} called {name_or_id!r}: `vigie company list` shows them")
    return rows[0]


def remove(connection: Connection, company_id: str) -> None:
    """Remove a firm and all that belongs to it."""
    connection.execute(company.delete().where(company.c.id == company_id))
    deadletters.remove_of_company(connection, company_id)
    for kind in (due.REPORT, due.SOURCES, due.RELEVANCE, due.ALERT_MAIL):
        due.cancel(connection, kind, company_id)


def add_location(connection: Connection, company_id: str, name: str, city: str | None = None) -> str:
    """A new place of a firm; its id."""
    location_id = ids.drawn("lo")
    check_name(name)
    check_name(city or "")
    connection.execute(location.insert().values(id=location_id, company_id=company_id, name=name, city=city))
    return location_id


def change_location(connection: Connection, company_id: str, location_id: str, values: Mapping[str, Any]) -> RowMapping:
    """Change name or city. Raises `NotFoundError` for a place of another firm."""
    ours = location.c.id == location_id, location.c.company_id == company_id
    for field in ("name", "city"):
        check_name(values.get(field) or "")
    if values:
        connection.execute(update(location).where(*ours).values(**values))
    row = connection.execute(select(location).where(*ours)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no location {location_id!r}")
    return row


def remove_location(connection: Connection, company_id: str, location_id: str) -> None:
    """Its mentions stay, without a place; so do its sources. Raises `NotFoundError` for a place of another firm."""
    change_location(connection, company_id, location_id, {})
    for table in (source, mention):
        at = table.c.company_id == company_id, table.c.location_id == location_id
        connection.execute(update(table).where(*at).values(location_id=None))
    connection.execute(delete(location).where(location.c.id == location_id))


def locations(connection: Connection, company_id: str) -> Sequence[RowMapping]:
    """A firm's places, by name."""
    ours = select(location).where(location.c.company_id == company_id)
    return connection.execute(ours.order_by(location.c.name)).mappings().all()


def add_recipient(
    connection: Connection,
    company_id: str,
    address: str,
    *,
    edition: str = "owner",
    language: str = "fr",
    alerts: str | None = None,
    frequency: str | None = None,
    rules: Sequence[str] | None = None,
    reminders: bool | None = None,
) -> None:
    """Send that firm's mail to `address` from now on, weekly, daily, monthly, or as before; and its alerts: none,
    instant, daily, or as before; of those `rules`, of all (none named), or as before; again until somebody has seen to
    them, once, or as before. The team's edition is weekly."""
    if edition not in EDITIONS:
        raise InvalidInputError(f"{edition!r} is not an edition: {', '.join(EDITIONS)}")
    if alerts not in {None, *ALERTS}:
        raise InvalidInputError(f"{alerts!r} is none of {', '.join(ALERTS)}")
    if frequency not in {None, *FREQUENCIES} or (edition == "team" and frequency not in {None, "weekly"}):
        raise InvalidInputError(f"{frequency!r} is none of {', '.join(FREQUENCIES)}; the team's edition is weekly")
    email = check_email(address)
    row = {
        "company_id": company_id,
        "email": _stored_spelling(connection, company_id, email) or email,
        "edition": edition,
        "language": language,
        "created_at": clock.now(),
    }
    if edition == "team":
        frequency = "weekly"
    chosen: dict[str, Any] = {name: value for name, value in (("alerts", alerts), ("frequency", frequency)) if value}
    if rules is not None:
        chosen["rules"] = list(rules) or None
    if reminders is not None:
        chosen["reminders"] = reminders
    db.upsert(connection, recipient, [row | chosen], update=("edition", "language", *chosen))
    due.schedule(connection, due.REPORT, [company_id], at=next_report(connection, dict(get(connection, company_id))))


def _stored_spelling(connection: Connection, company_id: str, email: str) -> str | None:
    """Return the address as this company's recipient has it already, whatever its case: one person gets one mail."""
    is_same = recipient.c.company_id == company_id, func.lower(recipient.c.email) == email.lower()
    return connection.scalar(select(recipient.c.email).where(*is_same).limit(1))


def next_report(connection: Connection, firm: Mapping[str, Any]) -> datetime:
    """When the next of the firm's mails is due: at seven, on each Monday and on the days that its readers ask for."""
    asked = {"weekly"} | {one["frequency"] for one in recipients(connection, firm["id"])}
    wanted = [FREQUENCIES[one] for one in asked]
    return clock.next_morning(firm["timezone"], lambda day: any(is_wanted(day) for is_wanted in wanted))


def check_email(given: str) -> str:
    """Return the address, stripped, its domain in ASCII (IDNA 2008); raises `InvalidInputError` where it is none."""
    address = _with_ascii_domain(given.strip())
    sound = address.isprintable() and address.isascii() and not any(letter.isspace() for letter in address)
    if address.count("@") != 1 or address[0] == "@" or address[-1] == "@" or not sound or len(address) > 320:
        raise InvalidInputError(f"{given!r} is not an e-mail address")
    return address


def _with_ascii_domain(address: str) -> str:
    """Return the address with a domain such as boulangerie-léa.fr as mail servers know it."""
    local, at, domain = address.rpartition("@")
    if not at or domain.isascii():
        return address
    import idna  # its tables take 10 ms

    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError:
        return address


def is_recipient(connection: Connection, company_id: str, email: str) -> bool:
    """Return whether this company's mails go to that address already, whatever its case."""
    return _stored_spelling(connection, company_id, _with_ascii_domain(email.strip())) is not None


def remove_recipient(connection: Connection, company_id: str, email: str) -> bool:
    """Send that firm's mails to `email` no more; whether it received them."""
    ours = recipient.c.company_id == company_id, recipient.c.email == email
    return connection.execute(delete(recipient).where(*ours)).rowcount == 1


def read_monthly(connection: Connection, company_id: str, email: str) -> None:
    """Send one mail a month to `email`, and alerts at once where none were sent."""
    ours = recipient.c.company_id == company_id, recipient.c.email == email
    alerts = case((recipient.c.alerts == "none", "instant"), else_=recipient.c.alerts)
    connection.execute(update(recipient).where(*ours).values(frequency="monthly", alerts=alerts))


def recipients(connection: Connection, company_id: str) -> Sequence[RowMapping]:
    """Who receives that firm's mails."""
    ours = select(recipient).where(recipient.c.company_id == company_id).order_by(recipient.c.email)
    return connection.execute(ours).mappings().all()
