"""Where a firm is listened to: the rows of its sources, and their health."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, select

from ingest.sources import KINDS
from vigie import clock, db, due, ids
from vigie.db.tables import company, location, mention, rollup, source
from vigie.errors import InvalidInputError, NotFoundError
from vigie.events import Origin

_CHANGEABLE = {"name", "target", "options", "location_id", "paused"}


def add(
    connection: Connection,
    company_id: str,
    kind: str,
    target: str,
    *,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    location_id: str | None = None,
) -> str:
    """A new source; its id. A polled one is due at once. Raises `InvalidInputError`."""
    if kind not in KINDS:
        raise InvalidInputError(f"unknown kind {kind!r}: one of {', '.join(KINDS)}")
    values = {"target": target, "name": name or target, "options": dict(options or {}), "location_id": location_id}
    _check(connection, company_id, values)
    source_id = ids.drawn("so")
    connection.execute(
        source.insert().values(
            id=source_id, company_id=company_id, kind=kind, cursor={}, created_at=clock.now(), **values
        )
    )
    if KINDS[kind].polled:
        due.schedule(connection, due.POLL, [source_id])
    return source_id


def change(connection: Connection, source_id: str, values: Mapping[str, Any]) -> None:
    """Set some of a source's fields; a new target is polled from scratch."""
    row = get(connection, source_id)
    values = {name: value for name, value in values.items() if name in _CHANGEABLE}
    _check(connection, row["company_id"], values)
    if values.get("target", row["target"]) != row["target"]:
        values = {**values, "cursor": {}}
    if values:
        connection.execute(source.update().where(source.c.id == source_id).values(**values))
    if KINDS[row["kind"]].polled and not values.get("paused"):
        due.schedule(connection, due.POLL, [source_id])


def remove(connection: Connection, source_id: str, *, with_mentions: bool = False) -> None:
    """Stop listening there; what was collected stays, unless `with_mentions`."""
    due.cancel(connection, due.POLL, source_id)
    connection.execute(delete(source).where(source.c.id == source_id))
    if with_mentions:
        connection.execute(delete(mention).where(mention.c.source_id == source_id))
        connection.execute(delete(rollup).where(rollup.c.source_id == source_id))


def get(connection: Connection, source_id: str) -> RowMapping:
    """One source; raises `NotFoundError`."""
    row = connection.execute(select(source).where(source.c.id == source_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no source {source_id!r}")
    return row


def of_company(connection: Connection, company_id: str) -> Sequence[RowMapping]:
    """A firm's sources, oldest first."""
    ours = select(source).where(source.c.company_id == company_id)
    return connection.execute(ours.order_by(source.c.created_at, source.c.id)).mappings().all()


def named(connection: Connection, company_id: str, kind: str, name: str) -> RowMapping:
    """The firm's source of that kind and name, made if it is new: the same import or program comes again."""
    ours = source.c.company_id == company_id, source.c.kind == kind, source.c.name == name
    row = connection.execute(select(source).where(*ours)).mappings().first()
    return row or get(connection, add(connection, company_id, kind, name))


def origin(row: RowMapping) -> Origin:
    """The source as its events name it."""
    return Origin(row["id"], row["kind"], row["name"], row["location_id"])


def namespace(row: RowMapping) -> str:
    """Within what the source's ids are unique: its platform, else itself; for a file, the name given at import."""
    return KINDS[row["kind"]].platform or row["id"]


def received(connection: Connection, row: RowMapping, first_published: datetime | None) -> None:
    """Note that mentions came. Baselines count a polled source from its first poll, a file from its first mention."""
    timezone = connection.scalar(select(company.c.timezone).where(company.c.id == row["company_id"])) or "UTC"
    moment = clock.now()
    start = moment if KINDS[row["kind"]].polled or first_published is None else first_published
    since = clock.local_day(start, timezone).isoformat()
    known = row["listening_since"]
    connection.execute(
        source.update()
        .where(source.c.id == row["id"])
        .values(received_at=moment, listening_since=min(known, since) if known else since)
    )


def _check(connection: Connection, company_id: str, values: Mapping[str, Any]) -> None:
    if "target" in values and not (values["target"] or "").strip():
        raise InvalidInputError("the source needs an address or a name")
    if "\x00" in json.dumps(values, ensure_ascii=False):
        raise InvalidInputError("a text holds a character that cannot be stored")
    place = values.get("location_id")
    ours = location.c.id == place, location.c.company_id == company_id
    if (
        place is not None
        and connection.execute(db.locking(connection, select(location.c.id).where(*ours))).first() is None
    ):
        raise InvalidInputError(f"the firm has no location {place!r}")
