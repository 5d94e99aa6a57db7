"""Where a firm is listened to: the rows of its sources, and their health."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, RowMapping, Select, and_, delete, select

from ingest import inbound_secret, secret_custody
from ingest.source import Aggregate
from ingest.sources import KINDS
from vigie import clock, db, due, ids
from vigie.db.tables import aggregate, company, learnt, location, mention, rollup, rollup_pending, source
from vigie.db.tables import due as due_table
from vigie.errors import InvalidInputError, NotFoundError
from vigie.events import Origin
from vigie.names import check_name
from vigie.secrets import Vault

_CHANGEABLE = {"name", "target", "options", "sealed", "held_by_host", "location_id", "paused"}


def add(
    connection: Connection,
    company_id: str,
    kind: str,
    target: str,
    *,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    location_id: str | None = None,
    vault: Vault | None = None,
    by_host: bool = False,
) -> str:
    """Add a source and return its id. A polled one is due at once. Secret options need a `vault`.

    Secrets set `by_host` (the command line, or a key of the whole installation) stay in the host's hands.

    Raises `InvalidInputError`.
    """
    if kind not in KINDS:
        raise InvalidInputError(f"unknown kind {kind!r}: one of {', '.join(KINDS)}")
    values: dict[str, Any] = {"target": target, "name": name or target, "location_id": location_id}
    values |= _sealed(kind, dict(options or {}), vault)
    values["held_by_host"] = by_host and values["sealed"] is not None
    check_name(values["name"])
    _check(connection, company_id, values)
    _check_inbound(connection, kind, (options or {}).get("secret"), vault)
    source_id = ids.drawn("so")
    connection.execute(
        source.insert().values(
            id=source_id, company_id=company_id, kind=kind, cursor={}, created_at=clock.now(), **values
        )
    )
    if KINDS[kind].polled:
        due.schedule(connection, due.POLL, [source_id])
    return source_id


def change(
    connection: Connection,
    source_id: str,
    values: Mapping[str, Any],
    vault: Vault | None = None,
    *,
    by_host: bool = False,
) -> None:
    """Set some of a source's fields; a new target is polled from scratch.

    A stored secret never follows a source to another destination: see `secret_custody`.
    """
    row = get(connection, source_id)
    check_name(values.get("name") or "")
    secret_custody.check_change(row, values, by_host=by_host)
    if "options" in values:
        new_options = dict(values["options"])
        values = {**values, **_sealed(row["kind"], new_options, vault)}
        values["held_by_host"] = by_host and values["sealed"] is not None
        _check_inbound(connection, row["kind"], new_options.get("secret"), vault, source_id)
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
    company_id = connection.scalar(select(source.c.company_id).where(source.c.id == source_id))
    due.cancel(connection, due.POLL, source_id)
    connection.execute(delete(aggregate).where(aggregate.c.source_id == source_id))
    connection.execute(delete(source).where(source.c.id == source_id))
    for table in (mention, rollup, rollup_pending) if with_mentions else ():
        connection.execute(delete(table).where(table.c.company_id == company_id, table.c.source_id == source_id))


def get(connection: Connection, source_id: str) -> RowMapping:
    """One source; raises `NotFoundError`."""
    row = connection.execute(_with_next_poll().where(source.c.id == source_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no source {source_id!r}")
    return row


def of_company(connection: Connection, company_id: str) -> Sequence[RowMapping]:
    """A firm's sources, oldest first."""
    ours = _with_next_poll().where(source.c.company_id == company_id)
    return connection.execute(ours.order_by(source.c.created_at, source.c.id)).mappings().all()


def _with_next_poll() -> Select[Any]:
    """Sources, and when each is asked next."""
    timer = and_(due_table.c.kind == due.POLL, due_table.c.key == source.c.id)
    return select(source, due_table.c.due_at.label("next_poll_at")).outerjoin(due_table, timer)


def named(connection: Connection, company_id: str, kind: str, name: str) -> RowMapping:
    """The firm's source of that kind and name, made if it is new: the same import or program comes again."""
    ours = source.c.company_id == company_id, source.c.kind == kind, source.c.name == name
    row = connection.execute(select(source).where(*ours)).mappings().first()
    return row or get(connection, add(connection, company_id, kind, name))


def origin(row: RowMapping) -> Origin:
    """The source as its events name it."""
    guarded = KINDS[row["kind"]].guarded
    return Origin(row["id"], row["kind"], row["name"], row["location_id"], guarded)


def options(row: RowMapping, vault: Vault | None) -> dict[str, str]:
    """A source's options, its secrets among them. Raises `SettingsError` when the key is not the one they need."""
    secrets = json.loads(vault.decrypt(row["sealed"])) if row["sealed"] and vault else {}
    return {**row["options"], **secrets}


def mappings(connection: Connection, company_id: str) -> dict[str, Mapping[str, str]]:
    """How the firm's earlier files were read, by the shape of their header."""
    ours = learnt.c.company_id == company_id, learnt.c.kind == "columns"
    return {row.shape: row.value for row in connection.execute(select(learnt).where(*ours))}


def learn_mapping(connection: Connection, company_id: str, shape: str, mapping: Mapping[str, str]) -> None:
    """Remember how such a file is read."""
    row = {"company_id": company_id, "kind": "columns", "shape": shape, "value": dict(mapping), "at": clock.now()}
    db.upsert(connection, learnt, [row], update=("value", "at"))


def received(
    connection: Connection, row: RowMapping, first_published: datetime | None = None, *, came: bool = True
) -> None:
    """Note that mentions came. Baselines count a polled source from its first poll, a file from its first mention."""
    timezone = connection.scalar(select(company.c.timezone).where(company.c.id == row["company_id"])) or "UTC"
    moment = clock.now()
    start = moment if KINDS[row["kind"]].polled or first_published is None else first_published
    since = clock.local_day(start, timezone).isoformat()
    known = row["listening_since"]
    values: dict[str, Any] = {"listening_since": min(known, since) if known else since}
    if came:
        values["received_at"] = moment
    connection.execute(source.update().where(source.c.id == row["id"]).values(**values))


def observe(connection: Connection, row: RowMapping, seen: Sequence[Aggregate]) -> None:
    """Keep what customers see on a platform today, one row a day."""
    timezone = connection.scalar(select(company.c.timezone).where(company.c.id == row["company_id"])) or "UTC"
    moment = clock.now()
    day = clock.local_day(moment, timezone).isoformat()
    rows = [
        {
            "source_id": row["id"], "company_id": row["company_id"], "platform": one.platform or row["name"][:64],
            "day": day, "average": one.average, "count": one.count, "given": one.given[:64], "seen_at": moment,
        }
        for one in seen
    ]  # fmt: skip
    db.upsert(connection, aggregate, rows, update=("average", "count", "given", "seen_at"))


def _sealed(kind: str, given: dict[str, str], vault: Vault | None) -> dict[str, Any]:
    """The options as they are stored: secrets apart, encrypted. Raises `InvalidInputError` for an unknown one."""
    one = KINDS[kind]
    if unknown := sorted(set(given) - set(one.options)):
        known = f"one of {', '.join(one.options)}" if one.options else "it has none"
        raise InvalidInputError(f"{kind} knows no option {unknown[0]!r}: {known}")
    secrets = {name: value for name, value in given.items() if name in one.secrets}
    if secrets and vault is None:
        raise InvalidInputError("a secret option needs VIGIE_SECRET_KEY")
    sealed = vault.encrypt(json.dumps(secrets)) if secrets and vault else None
    return {"options": {name: value for name, value in given.items() if name not in secrets}, "sealed": sealed}


def _check_inbound(
    connection: Connection, kind: str, secret: str | None, vault: Vault | None, source_id: str | None = None
) -> None:
    """Raise `InvalidInputError` for a weak signing secret, and for one that another source has.

    A signature does not name its source: with one secret, two companies would accept each other's messages.
    """
    if kind != "webhook" or secret is None:
        return
    inbound_secret.check(secret)
    others = select(source).where(source.c.kind == kind, source.c.sealed.is_not(None), source.c.id != (source_id or ""))
    for row in connection.execute(others).mappings():
        if inbound_secret.is_same(secret, options(row, vault).get("secret")):
            raise InvalidInputError("another source has this signing secret already: let the sender make a new one")


def _check(connection: Connection, company_id: str, values: Mapping[str, Any]) -> None:
    if "target" in values and not (values["target"] or "").strip():
        raise InvalidInputError("the source needs an address or a name")
    if "target" in values and _has_password(values["target"]):
        raise InvalidInputError("a password does not belong into the address: it has an option of its own")
    if "\x00" in "".join(map(str, values.values())):
        raise InvalidInputError("a text holds a character that cannot be stored")
    place = values.get("location_id")
    ours = location.c.id == place, location.c.company_id == company_id
    if (
        place is not None
        and connection.execute(db.locking(connection, select(location.c.id).where(*ours))).first() is None
    ):
        raise InvalidInputError(f"the firm has no location {place!r}")


def _has_password(target: str) -> bool:
    try:
        return urlsplit(target).password is not None
    except ValueError:
        return False  # its connector says that it is no address
