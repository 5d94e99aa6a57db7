"""An author who asks to be forgotten (RGPD, article 17): their words go everywhere, the counts stay.

What is erased: the mention's words, name and link; quotes in its opinions, wishes, alerts and kept reports; deliveries
and mails that carried them; dead letters; the embedded log's records. What stays: stars, label, score, day. A keyed
hash of the name keeps the next poll, a replay or a restored backup from bringing the words back.
"""

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import Connection, Engine, RowMapping, delete, select, update

from analysis import search
from analysis.erasure import Quotes, erase_objects, erase_quotes, names_mention, readable_mail
from analysis.words import folded, written
from vigie import clock, db, outbox
from vigie.db.tables import dead_letter, dispute, forgotten, mention, saved_filter
from vigie.db.tables import outbox as outbox_table
from vigie.log import EventLog
from vigie.pseudonyms import pseudonym

Row = dict[str, Any]
GONE: Row = {
    "text": "", "title": None, "author": None, "contact": None, "wish": None, "reply": None, "translation": None,
    "url": None, "because": [], "expired": True,
}  # fmt: skip
_NAME_CHARS = 3  # shorter words of a name are particles: de, le, du


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom to forget: an author's name, told from namesakes by one source or one mention.

    `key` is the installation's secret: by it the author's pseudonym is found too.
    """

    key: str
    company_id: str
    author: str | None = None
    source_id: str | None = None
    mention_id: str | None = None

    @property
    def names(self) -> set[str]:
        """The author's name and pseudonym, folded."""
        if not self.author:
            return set()
        return {_name(self.author), _name(pseudonym(self.key, self.company_id, self.author))}


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done: how many of each, the files that went, and by when a log that forgets by itself has forgotten."""

    mentions: int
    deliveries: int
    files: int
    log_clean_by: datetime | None


def found(connection: Connection, asked: Asked) -> list[RowMapping]:
    """The mentions that are meant, to be shown before anything goes."""
    ours = select(mention).where(mention.c.company_id == asked.company_id).order_by(mention.c.published_at)
    if asked.mention_id:
        ours = ours.where(mention.c.id == asked.mention_id)
    if asked.source_id:
        ours = ours.where(mention.c.source_id == asked.source_id)
    rows = connection.execute(ours).mappings()
    return [row for row in rows if asked.author is None or _people_of(row) & asked.names]


def forget(engine: Engine, log: EventLog, asked: Asked, mails: Path | None = None) -> Forgotten:
    """Erase, and remember not to bring back. `mails` is the folder of mails."""
    with db.writing(engine) as connection:
        rows = [dict(row) for row in found(connection, asked)]
        ids = {row["id"] for row in rows}
        names = {row[name] for row in rows for name in ("author", "contact") if row[name]}
        names |= {asked.author} if asked.author else set()
        _remember(connection, asked, ids)
        for row in rows:
            values = erased(row)
            connection.execute(update(mention).where(mention.c.id == row["id"]).values(**values))
        search.remove(connection, ids)
        search.scrub(connection)
        quotes = Quotes([asked.company_id], ids, names, [text for row in rows for text in _texts(row)])
        gone = erase_quotes(connection, quotes, lambda value: _is_meant(value, asked, ids))
        _remove_filters(connection, asked.company_id, names)
        connection.execute(delete(dispute).where(dispute.c.mention_id.in_(ids)))
        gone |= _clean_dead_letters(connection, asked, ids)
    files = _remove_files(mails, gone, names)
    clean_by = log.rewrite(asked.company_id, lambda value: without(value, asked, ids))
    db.scrub(engine)
    return Forgotten(len(rows), len(gone), files, clean_by)


def apply(engine: Engine, key: str) -> int:
    """Erase whatever a restored backup brought back, also where it is quoted; return how many mentions."""
    erased_rows: list[Row] = []
    with db.writing(engine) as connection:
        pairs = is_forgotten(connection)
        rows = connection.execute(select(mention).where(mention.c.company_id.in_(list(pairs)))).mappings().all()
        for row in map(dict, rows):
            if not row["expired"] and must_go(row, pairs[row["company_id"]], key):
                connection.execute(update(mention).where(mention.c.id == row["id"]).values(**erased(row)))
                erased_rows.append(row)
        mention_ids = {row["id"] for row in erased_rows}
        search.remove(connection, mention_ids)
        if erased_rows:
            company_ids = {row["company_id"] for row in erased_rows}
            texts = [text for row in erased_rows for text in _texts(row)]
            erase_quotes(connection, Quotes(company_ids, mention_ids, texts=texts))
    return len(erased_rows)


def is_forgotten(connection: Connection, company_ids: Collection[str] | None = None) -> dict[str, set[tuple[str, str]]]:
    """For each firm, or each of those, the (hash, source) pairs that must not come back."""
    asked = select(forgotten)
    rows = connection.execute(asked if company_ids is None else asked.where(forgotten.c.company_id.in_(company_ids)))
    pairs: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        pairs.setdefault(row.company_id, set()).add((row.author_hash, row.source_id))
    return pairs


def must_go(row: Mapping[str, Any], pairs: Collection[tuple[str, str]], key: str) -> bool:
    """Whether a collected mention is of somebody who was forgotten."""
    hashes = [_hash(key, row["company_id"], "mention", row["id"])]
    hashes += [_hash(key, row["company_id"], "author", name) for name in sorted(_people_of(row))]
    return any((one, source) in pairs for one in hashes for source in ("", row["source_id"]))


def erased(row: Row) -> Row:
    """What is left of a mention's words: nothing."""
    quotes = {said: [{**one, "quote": ""} for one in row[said]] for said in ("themes", "wishes")}
    return {**GONE, **quotes}


def _texts(row: Row) -> list[str]:
    """Return what a mention says, for bodies that name no mention."""
    return [row[column] for column in ("text", "title", "translation") if row[column]]


def without(value: bytes | None, asked: Asked, ids: Collection[str]) -> bytes | None:
    """A record without those words; the same value where it holds none of them."""
    try:
        event = json.loads(value or b"")
    except ValueError:
        named = asked.author is not None and asked.author.encode() in (value or b"")
        return b"" if named else value
    changed = erase_objects(event, lambda value: _is_meant(value, asked, ids))
    return value if changed == event else json.dumps(changed, ensure_ascii=False, separators=(",", ":")).encode()


def _is_meant(value: Mapping[str, Any], asked: Asked, ids: Collection[str]) -> bool:
    is_everywhere = asked.author and not (asked.source_id or asked.mention_id)
    people = (value.get("author"), value.get("contact"))
    if is_everywhere and any(isinstance(name, str) and _name(name) in asked.names for name in people):
        return True
    return names_mention(value, ids)


def _remember(connection: Connection, asked: Asked, ids: Collection[str]) -> None:
    hashes = [_hash(asked.key, asked.company_id, "mention", one) for one in ids]
    if asked.author and not asked.mention_id:
        hashes += [_hash(asked.key, asked.company_id, "author", name) for name in asked.names]
    row = {"company_id": asked.company_id, "source_id": asked.source_id or "", "at": clock.now()}
    db.upsert(connection, forgotten, [{**row, "author_hash": one} for one in hashes])


def _clean_dead_letters(connection: Connection, asked: Asked, ids: Collection[str]) -> set[str]:
    """Remove the words from dead letters, and what announced these; return the ids of the announcements."""
    cleaned = []
    for row in connection.execute(select(dead_letter)).mappings().all():
        if (row["key"] or b"").decode("utf-8", "replace") == asked.company_id:
            value = without(row["value"], asked, ids)
            if value != row["value"]:
                connection.execute(update(dead_letter).where(dead_letter.c.id == row["id"]).values(value=value))
                cleaned.append(row["id"])
    announced = outbox_table.c.kind == outbox.TOPIC, outbox_table.c.event_id.in_(cleaned)
    delivery_ids = set(connection.scalars(select(outbox_table.c.id).where(*announced)))
    connection.execute(delete(outbox_table).where(outbox_table.c.id.in_(delivery_ids)))
    return delivery_ids


def _remove_filters(connection: Connection, company_id: str, names: Collection[str]) -> None:
    """Remove the saved filters that look for one of those people or are named after them."""
    words = {word for name in names for word in written(folded(name)) if len(word) >= _NAME_CHARS}
    rows = connection.execute(select(saved_filter).where(saved_filter.c.company_id == company_id)).mappings().all()
    for row in rows:
        searched = " ".join(value for _, value in parse_qsl(row["query"]))
        if words & set(written(folded(f"{row['name']} {searched}"))):
            connection.execute(delete(saved_filter).where(saved_filter.c.id == row["id"]))


def _remove_files(folder: Path | None, gone: Collection[str], names: Collection[str]) -> int:
    removed = 0
    for path in folder.glob("*.eml") if folder else ():
        if path.stem in gone or any(name in readable_mail(path.read_bytes()) for name in names):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _people_of(row: RowMapping | Mapping[str, Any]) -> set[str]:
    """Return the author's name and the contact of a mention, folded."""
    return {_name(row[column]) for column in ("author", "contact") if row.get(column)}


def _name(author: str | None) -> str:
    return " ".join(folded(author or "").split())


def _hash(key: str, company_id: str, *parts: str) -> str:
    text = "\x1f".join((company_id, *parts))
    return hmac.new(key.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
