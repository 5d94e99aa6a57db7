"""Who may do what: keys for scripts; one-time links, codes and sessions for people.

Only hashes are stored. Tokens hold 256 random bits, so that a plain SHA-256 is enough: there is nothing to guess.
"""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, delete, func, or_, select

from vigie import clock
from vigie.db.tables import member, person, token
from vigie.errors import InvalidInputError, NotFoundError

# A reader looks; the team also handles what it sees; an editor also changes what is listened to and how it is read;
# an admin also says who may do what.
Role = Literal["reader", "team", "editor", "admin"]
_RANK: dict[str, int] = {"reader": 0, "team": 1, "editor": 2, "admin": 3}
# What a member of a firm may do for it.
_GRANTED: dict[str, str] = {"owner": "admin", "adviser": "editor", "team": "team"}
# The parts of the API, as its addresses name them; inbound webhooks are opened by their signature.
SCOPES = ("companies", "sources", "mentions", "trends", "rules", "webhooks")
LINK_LIFE = timedelta(hours=1)
_SHORT = 12  # characters of a hash that name a key
SESSION_LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who showed a token. Without a company or firms, it is the installation's own administrator."""

    role: str
    company_id: str | None
    name: str
    person_id: str | None = None
    # A person's firms, with the role granted for each.
    firms: Mapping[str, str] | None = None
    # The parts of the API that a key opens; None for all.
    scopes: frozenset[str] | None = None

    def may(self, role: Role, company_id: str | None) -> bool:
        """Whether `role` is granted for that company (None: for the whole installation)."""
        if self.firms is not None:
            granted = self.firms.get(company_id or "")
            return granted is not None and _RANK[granted] >= _RANK[role]
        own = self.company_id is None or self.company_id == company_id
        return own and _RANK[self.role] >= _RANK[role]


def create_key(
    connection: Connection,
    name: str,
    *,
    company_id: str | None = None,
    role: Role = "admin",
    expires_at: datetime | None = None,
    scopes: Collection[str] | None = None,
) -> str:
    """A new API key. It is returned once, and stored as its hash. Raises `InvalidInputError` for an unknown scope."""
    if scopes is not None and not set(scopes) <= set(SCOPES):
        raise InvalidInputError(f"a scope is one of {', '.join(SCOPES)}")
    values = {"company_id": company_id, "role": role, "expires_at": expires_at}
    return _create(connection, "key", name, scopes=sorted(scopes) if scopes is not None else None, **values)


def keys(connection: Connection) -> Sequence[RowMapping]:
    """The API keys, oldest first; each goes by the beginning of its hash, as the key itself is nowhere."""
    shown = func.substr(token.c.hash, 1, _SHORT).label("id")
    told = ("name", "role", "company_id", "created_at", "expires_at", "scopes")
    query = select(shown, *(token.c[name] for name in told))
    return connection.execute(query.where(token.c.kind == "key").order_by(token.c.created_at)).mappings().all()


def revoke_key(connection: Connection, short: str) -> None:
    """End a key at once. Raises `NotFoundError`."""
    ours = token.c.kind == "key", func.substr(token.c.hash, 1, _SHORT) == short
    if connection.execute(delete(token).where(*ours)).rowcount == 0:
        raise NotFoundError(f"there is no key {short!r}: see `vigie token list`")


def feed_mark(connection: Connection, company_id: str) -> str:
    """Return by what the present feed of alerts is told from others; empty where there is none."""
    ours = token.c.kind == "feed", token.c.company_id == company_id
    return connection.scalar(select(func.substr(token.c.hash, 1, _SHORT)).where(*ours)) or ""


def create_feed(connection: Connection, company_id: str) -> str:
    """A new key to read a firm's feed of alerts; the one before is over."""
    end_feed(connection, company_id)
    return _create(connection, "feed", "feed of alerts", company_id=company_id, role="reader")


def end_feed(connection: Connection, company_id: str) -> None:
    """Nobody reads a firm's feed of alerts any more."""
    connection.execute(delete(token).where(token.c.kind == "feed", token.c.company_id == company_id))


def create_link(connection: Connection, person_id: str | None = None, *, life: timedelta = LINK_LIFE) -> str:
    """A token that opens a session once, within `life`: a person's, or the installation's administrator's."""
    return _create(connection, "link", "one-time link", person_id=person_id, expires_at=clock.now() + life)


def open_session(connection: Connection, link: str) -> str | None:
    """Use a link up; the session's token, or None if the link was used, is too old or never was."""
    ours = token.c.hash == hash_of(link), token.c.kind == "link", token.c.expires_at > clock.now()
    row = connection.execute(select(token.c.person_id).where(*ours)).one_or_none()
    if row is None or connection.execute(delete(token).where(*ours)).rowcount != 1:
        return None
    return create_session(connection, row.person_id)


def create_session(connection: Connection, person_id: str | None) -> str:
    """A session's token."""
    return _create(connection, "session", "session", person_id=person_id, expires_at=clock.now() + SESSION_LIFE)


def sessions(connection: Connection, person_id: str) -> Sequence[RowMapping]:
    """A person's open sessions, the latest first: `hash`, `created_at`, `expires_at`."""
    ours = token.c.person_id == person_id, token.c.kind == "session", token.c.expires_at > clock.now()
    query = select(token.c.hash, token.c.created_at, token.c.expires_at).where(*ours)
    return connection.execute(query.order_by(token.c.created_at.desc())).mappings().all()


def end_session(connection: Connection, shown: str) -> None:
    """Sign out."""
    connection.execute(delete(token).where(token.c.hash == hash_of(shown), token.c.kind == "session"))


def end_sessions(connection: Connection, person_id: str) -> None:
    """Sign a person out everywhere; links that they were sent open nothing any more."""
    connection.execute(delete(token).where(token.c.person_id == person_id))


def authenticate(connection: Connection, shown: str, kind: Literal["key", "session", "feed"]) -> Principal | None:
    """Whose token this is, while it is valid."""
    alive = or_(token.c.expires_at.is_(None), token.c.expires_at > clock.now())
    row = (
        connection.execute(select(token).where(token.c.hash == hash_of(shown), token.c.kind == kind, alive))
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    if row["person_id"] is None:
        scopes = None if row["scopes"] is None else frozenset(row["scopes"])
        return Principal(row["role"], row["company_id"], row["name"], scopes=scopes)
    return _person(connection, row["person_id"])


def _person(connection: Connection, person_id: str) -> Principal | None:
    who = connection.execute(select(person).where(person.c.id == person_id)).mappings().one_or_none()
    if who is None:
        return None
    name = who["name"] or who["email"]
    if who["admin"]:
        return Principal("admin", None, name, person_id)
    rows = connection.execute(select(member.c.company_id, member.c.role).where(member.c.person_id == person_id))
    return Principal("reader", None, name, person_id, {row.company_id: _GRANTED[row.role] for row in rows})


def _create(connection: Connection, kind: str, name: str, **values: Any) -> str:
    made = f"vigie_{secrets.token_urlsafe(32)}"
    given = {"role": "admin", "created_at": clock.now(), **values}
    connection.execute(token.insert().values(hash=hash_of(made), kind=kind, name=name, **given))
    return made


def hash_of(shown: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()
