"""Daily limits of the mails and test deliveries that a company can have sent to an address of its choice.

Without them a company could write to strangers from the host's domain as often as it likes. The command line does not
ask here: whoever runs it owns the domain.
"""

import hashlib
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, select

from vigie import clock, db, ids
from vigie.db.tables import company, quota_use
from vigie.errors import TooManyError

MAILS_OF_COMPANY, MAILS_TO_ADDRESS, TESTS_OF_COMPANY = 20, 3, 100  # in `PERIOD`
PERIOD = timedelta(days=1)
_MAIL, _TEST = "mail", "test"


def take_mail(connection: Connection, company_id: str, email: str) -> None:
    """Count a mail to `email`, an address that the company wrote into a form.

    Raises `TooManyError` when the company, or all companies to this address, reached the limit of a day.
    """
    address_hash = hashlib.sha256(email.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()
    _prepare(connection, company_id)
    if _count(connection, _MAIL, quota_use.c.company_id == company_id) >= MAILS_OF_COMPANY:
        raise TooManyError("so many addresses were written to today: the next mail can leave tomorrow")
    if _count(connection, _MAIL, quota_use.c.address_hash == address_hash) >= MAILS_TO_ADDRESS:
        raise TooManyError("this address was written to several times today: try again tomorrow")
    _note(connection, company_id, _MAIL, address_hash)


def take_test(connection: Connection, company_id: str) -> None:
    """Count a test delivery of a webhook. Raises `TooManyError` when the company reached the limit of a day."""
    _prepare(connection, company_id)
    if _count(connection, _TEST, quota_use.c.company_id == company_id) >= TESTS_OF_COMPANY:
        raise TooManyError(f"a company sends {TESTS_OF_COMPANY} tests a day at most: try again tomorrow")
    _note(connection, company_id, _TEST, "")


def _prepare(connection: Connection, company_id: str) -> None:
    """Let one request of a company count at a time, and forget what no longer counts."""
    connection.execute(db.locking(connection, select(company.c.id).where(company.c.id == company_id)))
    connection.execute(delete(quota_use).where(quota_use.c.at <= clock.now() - PERIOD))


def _count(connection: Connection, kind: str, condition: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(quota_use).where(quota_use.c.kind == kind, condition)
    return int(connection.scalar(query) or 0)


def _note(connection: Connection, company_id: str, kind: str, address_hash: str) -> None:
    row = {"company_id": company_id, "kind": kind, "address_hash": address_hash, "at": clock.now()}
    connection.execute(quota_use.insert().values(id=ids.drawn("qu"), **row))
