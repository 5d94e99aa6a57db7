"""People, the firms that they belong to, and how they sign in: a link and six digits, by mail.

Roles: the owner decides who belongs; an adviser works for the firm under a mandate; the team sees and handles what
customers say. An administrator runs the installation.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, delete, select, update

from vigie import access, clock, companies, db, due, ids
from vigie.db.tables import company, member, person, sign_in, sign_in_code, token
from vigie.errors import InvalidInputError, NotFoundError
from vigie.names import check_name

ROLES = ("owner", "adviser", "team")
CODE_LIFE = timedelta(minutes=15)
_PAUSE = timedelta(minutes=1)
# Wrong tries that a day allows one browser, new codes included; a stranger's tries leave others theirs. All browsers
# together have a hundred, or one code a minute would allow 14,400 guesses a day.
_MAX_BROWSER_TRIES, _MAX_PERSON_TRIES, _TRIES_LAST = 10, 100, timedelta(days=1)


def add(
    connection: Connection, email: str, *, name: str | None = None, language: str = "fr", admin: bool = False
) -> str:
    """The person of that address, made if new; their id. Raises `InvalidInputError`."""
    email = companies.check_email(email).lower()
    known = connection.scalar(select(person.c.id).where(person.c.email == email))
    if known is not None:
        if admin:
            connection.execute(update(person).where(person.c.id == known).values(admin=True))
        return str(known)
    if language not in companies.LANGUAGES:
        raise InvalidInputError(f"language is one of {', '.join(companies.LANGUAGES)}")
    check_name(name or "")
    values = {"id": ids.drawn("pe"), "email": email, "name": name or None, "language": language, "admin": admin}
    connection.execute(person.insert().values(created_at=clock.now(), **values))
    return str(values["id"])


def grant(
    connection: Connection, person_id: str, company_id: str, role: str, *, by: str, name: str | None = None
) -> None:
    """Let a person, whom that firm calls `name`, do for it what `role` may; for an adviser this is the mandate.

    Raises `InvalidInputError`.
    """
    check_name(name or "")
    if role not in ROLES:
        raise InvalidInputError(f"role is one of {', '.join(ROLES)}")
    mandates = select(member.c.person_id).where(member.c.person_id == person_id, member.c.role == "adviser")
    if role == "adviser" and connection.execute(mandates).first() is None:
        tell_on_mondays(connection, person_id)
    row = {"company_id": company_id, "person_id": person_id, "role": role, "by": by[:120], "since": clock.now()}
    row |= {"name": name} if name else {}
    db.upsert(connection, member, [row], update=("role", "by", "since", *(("name",) if name else ())))


def tell_on_mondays(connection: Connection, person_id: str, wanted: bool = True) -> None:
    """Whether to write to a person each Monday which of the firms that they advise needs help first."""
    if wanted:
        due.schedule(connection, due.ROUND, [person_id], at=next_round())
    else:
        due.cancel(connection, due.ROUND, person_id)


def next_round() -> datetime:
    """Next Monday at seven, in Paris: people have no time zone of their own."""
    return clock.next_morning("Europe/Paris", companies.FREQUENCIES["weekly"])


def revoke(connection: Connection, person_id: str, company_id: str) -> bool:
    """A person no longer belongs to a firm; whether they did."""
    theirs = member.c.person_id == person_id, member.c.company_id == company_id
    return connection.execute(delete(member).where(*theirs)).rowcount == 1


def remove(connection: Connection, person_id: str) -> None:
    """Forget a person: their sessions end at once."""
    access.end_sessions(connection, person_id)
    due.cancel(connection, due.ROUND, person_id)
    connection.execute(delete(person).where(person.c.id == person_id))


def find(connection: Connection, email: str) -> RowMapping:
    """The person of that address; raises `NotFoundError`."""
    row = connection.execute(select(person).where(person.c.email == email.strip().lower())).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"nobody has the address {email!r}: `vigie user list` shows who there is")
    return row


def get(connection: Connection, person_id: str) -> RowMapping:
    """One person; raises `NotFoundError`."""
    row = connection.execute(select(person).where(person.c.id == person_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no person {person_id!r}")
    return row


def every(connection: Connection) -> Sequence[RowMapping]:
    """All people, by address."""
    return connection.execute(select(person).order_by(person.c.email)).mappings().all()


def has_administrator(connection: Connection) -> bool:
    """Return whether somebody can open the whole installation: an administrator, or an open session of the host."""
    administrator = select(person.c.id).where(person.c.admin)
    is_open = token.c.kind == "session", token.c.person_id.is_(None), token.c.expires_at > clock.now()
    session = select(token.c.hash).where(*is_open)
    return any(connection.execute(query.limit(1)).first() is not None for query in (administrator, session))


def of_company(connection: Connection, company_id: str) -> Sequence[RowMapping]:
    """Who belongs to a firm: `person_id`, `email`, the `name` that this firm gave, `role`, `by`, `since`."""
    query = select(member, person.c.email).join(person, person.c.id == member.c.person_id)
    return connection.execute(query.where(member.c.company_id == company_id).order_by(person.c.email)).mappings().all()


def firms_of(connection: Connection, person_id: str) -> Sequence[RowMapping]:
    """A person's firms by name, each with their `role`."""
    query = select(company, member.c.role).join(member, member.c.company_id == company.c.id)
    return connection.execute(query.where(member.c.person_id == person_id).order_by(company.c.name)).mappings().all()


def begin(connection: Connection, email: str, secret: str, browser: str) -> tuple[RowMapping, str, str] | None:
    """The person, a one-time link and six digits to send them; None for nobody, or within a minute of the last time.

    The digits work only with the token `browser`, which the browser that asked keeps; the link works anywhere.
    """
    who = connection.execute(select(person).where(person.c.email == email.strip().lower())).mappings().one_or_none()
    if who is None:
        return None
    now = clock.now()
    last = connection.execute(select(sign_in).where(sign_in.c.person_id == who["id"])).mappings().one_or_none()
    if last is not None and last["asked_at"] > now - _PAUSE:
        return None
    connection.execute(delete(sign_in_code).where(sign_in_code.c.asked_at <= now - _TRIES_LAST))
    tries = last["tries"] if last is not None and last["asked_at"] > now - _TRIES_LAST else 0
    asked = {"person_id": who["id"], "code_hash": "", "tries": tries, "asked_at": now}
    db.upsert(connection, sign_in, [asked], update=("code_hash", "tries", "asked_at"))
    code = f"{secrets.randbelow(1_000_000):06d}"
    row = {
        "browser_hash": access.hash_of(browser),
        "person_id": who["id"],
        "code_hash": _sealed(who["id"], code, secret),
        "asked_at": now,
    }
    db.upsert(connection, sign_in_code, [row], update=("code_hash", "asked_at"))
    return who, access.create_link(connection, who["id"]), code


def enter(connection: Connection, email: str, code: str, secret: str, browser: str) -> str | None:
    """A session for whoever shows the six digits in time, in the browser that asked for them.

    Each try counts, and the right one uses them up; after too many only the link opens.
    """
    who = connection.execute(select(person).where(person.c.email == email.strip().lower())).mappings().one_or_none()
    if who is None:
        return None
    this = sign_in_code.c.browser_hash == access.hash_of(browser), sign_in_code.c.person_id == who["id"]
    is_fresh = sign_in_code.c.asked_at > clock.now() - CODE_LIFE
    is_open = is_fresh, sign_in_code.c.tries < _MAX_BROWSER_TRIES
    counted = update(sign_in_code).where(*this, *is_open).values(tries=sign_in_code.c.tries + 1)
    if connection.execute(counted).rowcount != 1:
        return None
    theirs = sign_in.c.person_id == who["id"]
    counted_of_all = update(sign_in).where(theirs, sign_in.c.tries < _MAX_PERSON_TRIES)
    if connection.execute(counted_of_all.values(tries=sign_in.c.tries + 1)).rowcount != 1:
        return None
    kept = connection.scalar(select(sign_in_code.c.code_hash).where(*this))
    if not hmac.compare_digest(str(kept), _sealed(who["id"], code.strip().replace(" ", ""), secret)):
        return None
    connection.execute(update(sign_in).where(theirs).values(tries=0))
    connection.execute(delete(sign_in_code).where(*this))
    return access.create_session(connection, who["id"])


def _sealed(person_id: str, code: str, secret: str) -> str:
    """Six digits could be guessed from a plain hash: this one needs the installation's key."""
    said = f"sign-in {person_id} {code}".encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()
