"""Who may do what: keys for scripts, one-time links and sessions for people.

Only hashes are stored. Tokens hold 256 random bits, so that a plain SHA-256 is enough: there is nothing to guess.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, delete, or_, select

from vigie import clock
from vigie.db.tables import token

Role = Literal["reader", "editor", "admin"]
_RANK: dict[str, int] = {"reader": 0, "editor": 1, "admin": 2}
LINK_LIFE = timedelta(hours=1)
SESSION_LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who showed a token. Without a company, it is the installation's own administrator."""

    role: str
    company_id: str | None
    name: str

    def may(self, role: Role, company_id: str | None) -> bool:
        """Whether `role` is granted for that company (None: for the whole installation)."""
        own = self.company_id is None or self.company_id == company_id
        return own and _RANK[self.role] >= _RANK[role]


def create_key(
    connection: Connection,
    name: str,
    *,
    company_id: str | None = None,
    role: Role = "admin",
    expires_at: datetime | None = None,
) -> str:
    """A new API key. It is returned once, and stored as its hash."""
    return _create(connection, "key", name, company_id=company_id, role=role, expires_at=expires_at)


def create_link(connection: Connection) -> str:
    """A token that opens a session once, within the hour."""
    return _create(connection, "link", "one-time link", expires_at=clock.now() + LINK_LIFE)


def open_session(connection: Connection, link: str) -> str | None:
    """Use a link up; the session's token, or None if the link was used, is too old or never was."""
    ours = token.c.hash == _hash(link), token.c.kind == "link", token.c.expires_at > clock.now()
    if connection.execute(delete(token).where(*ours)).rowcount != 1:
        return None
    return _create(connection, "session", "session", expires_at=clock.now() + SESSION_LIFE)


def authenticate(connection: Connection, shown: str, kind: Literal["key", "session"]) -> Principal | None:
    """Whose token this is, while it is valid."""
    alive = or_(token.c.expires_at.is_(None), token.c.expires_at > clock.now())
    row = connection.execute(
        select(token).where(token.c.hash == _hash(shown), token.c.kind == kind, alive)
    ).one_or_none()
    return Principal(row.role, row.company_id, row.name) if row else None


def _create(
    connection: Connection,
    kind: str,
    name: str,
    *,
    company_id: str | None = None,
    role: Role = "admin",
    expires_at: datetime | None = None,
) -> str:
    made = f"vigie_{secrets.token_urlsafe(32)}"
    connection.execute(
        token.insert().values(
            hash=_hash(made),
            kind=kind,
            company_id=company_id,
            role=role,
            name=name,
            created_at=clock.now(),
            expires_at=expires_at,
        )
    )
    return made


def _hash(shown: str) -> str:
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()
