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

from sqlalchemy import Connection, Engine, RowMapping, delete, select, update

from analysis import search
from analysis.words import folded
from vigie import clock, db, outbox
from vigie.db.tables import alert, dead_letter, dispute, forgotten, mention, report
from vigie.db.tables import outbox as deliveries
from vigie.log import EventLog
from vigie.pseudonyms import pseudonym

Row = dict[str, Any]
GONE: Row = {
    "text": "", "title": None, "author": None, "contact": None, "reply": None, "translation": None, "url": None, "because": [],
    "expired": True,
}  # fmt: skip
_WORDS = {"text", "title", "author", "contact", "quote", "reply", "translation", "url", "external_id"}
_LEFT = "…"  # what stands in the log for a text, so that the record can still be read


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
    return [row for row in rows if asked.author is None or asked.names & {_name(row["author"]), _name(row["contact"])}]


def forget(engine: Engine, log: EventLog, asked: Asked, mails: Path | None = None) -> Forgotten:
    """Erase, and remember not to bring back. `mails` is the folder of mails."""
    with db.writing(engine) as connection:
        rows = [dict(row) for row in found(connection, asked)]
        ids = {row["id"] for row in rows}
        names = {row[column] for row in rows for column in ("author", "contact") if row[column]}
        names |= {asked.author} if asked.author else set()
        _remember(connection, asked, ids)
        for row in rows:
            values = erased(row)
            connection.execute(update(mention).where(mention.c.id == row["id"]).values(**values))
        search.remove(connection, ids)
        search.scrub(connection)
        alerts = _clean_alerts(connection, asked.company_id, ids)
        _clean_reports(connection, asked, ids)
        connection.execute(delete(dispute).where(dispute.c.mention_id.in_(ids)))
        gone = _clean_deliveries(connection, asked.company_id, ids | alerts, names, [row["text"] for row in rows])
        _clean_dead_letters(connection, asked, ids)
    files = _remove_files(mails, gone, names)
    clean_by = log.rewrite(asked.company_id, lambda value: without(value, asked, ids))
    db.scrub(engine)
    return Forgotten(len(rows), len(gone), files, clean_by)


def apply(engine: Engine, key: str) -> int:
    """Erase whatever a restored backup brought back; how many mentions."""
    count = 0
    with db.writing(engine) as connection:
        pairs = is_forgotten(connection)
        for row in connection.execute(select(mention).where(mention.c.company_id.in_(list(pairs)))).mappings().all():
            one = dict(row)
            if not one["expired"] and must_go(one, pairs[one["company_id"]], key):
                connection.execute(update(mention).where(mention.c.id == one["id"]).values(**erased(one)))
                search.remove(connection, [one["id"]])
                count += 1
    return count


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
    names = [_name(name) for name in (row["author"], row.get("contact")) if name]
    hashes += [_hash(key, row["company_id"], "author", name) for name in names]
    return any((one, source) in pairs for one in hashes for source in ("", row["source_id"]))


def erased(row: Row) -> Row:
    """What is left of a mention's words: nothing."""
    quotes = {said: [{**one, "quote": ""} for one in row[said]] for said in ("themes", "wishes")}
    return {**GONE, **quotes}


def without(value: bytes | None, asked: Asked, ids: Collection[str]) -> bytes | None:
    """A record without those words; the same value where it holds none of them."""
    try:
        event = json.loads(value or b"")
    except ValueError:
        named = asked.author is not None and asked.author.encode() in (value or b"")
        return b"" if named else value
    changed = _cleaned(event, asked, ids)
    return value if changed == event else json.dumps(changed, ensure_ascii=False, separators=(",", ":")).encode()


def _cleaned(value: Any, asked: Asked, ids: Collection[str]) -> Any:
    """Any JSON, every object in it that is of the author or of one of those mentions left without words."""
    if isinstance(value, list):
        return [_cleaned(one, asked, ids) for one in value]
    if not isinstance(value, dict):
        return value
    if _is_meant(value, asked, ids):
        return _blank(value)
    return {name: _cleaned(one, asked, ids) for name, one in value.items()}


def _is_meant(value: Mapping[str, Any], asked: Asked, ids: Collection[str]) -> bool:
    is_everywhere = asked.author and not (asked.source_id or asked.mention_id)
    names = [value[name] for name in ("author", "contact") if isinstance(value.get(name), str)]
    if is_everywhere and asked.names & set(map(_name, names)):
        return True
    named = value.get("mention_ids")
    if isinstance(named, list) and any(one in ids for one in named if isinstance(one, str)):
        return True
    return any(isinstance(value.get(name), str) and value[name] in ids for name in ("id", "mention_id"))


def _blank(value: Any) -> Any:
    if isinstance(value, list):
        return [_blank(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: (_LEFT if name == "text" else None if one is None or name != "quote" else "")
        if name in _WORDS
        else _blank(one)
        for name, one in value.items()
    }


def _remember(connection: Connection, asked: Asked, ids: Collection[str]) -> None:
    hashes = [_hash(asked.key, asked.company_id, "mention", one) for one in ids]
    if asked.author and not asked.mention_id:
        hashes += [_hash(asked.key, asked.company_id, "author", name) for name in asked.names]
    row = {"company_id": asked.company_id, "source_id": asked.source_id or "", "at": clock.now()}
    db.upsert(connection, forgotten, [{**row, "author_hash": one} for one in hashes])


def _clean_alerts(connection: Connection, company_id: str, ids: Collection[str]) -> set[str]:
    cleaned = set()
    for row in connection.execute(select(alert).where(alert.c.company_id == company_id)).mappings().all():
        if set(row["mention_ids"]) & set(ids):
            connection.execute(update(alert).where(alert.c.id == row["id"]).values(facts=_blank(row["facts"])))
            cleaned.add(row["id"])
    return cleaned


def _clean_reports(connection: Connection, asked: Asked, ids: Collection[str]) -> None:
    for row in connection.execute(select(report).where(report.c.company_id == asked.company_id)).mappings().all():
        cleaned = _cleaned(row["snapshot"], asked, ids)
        if cleaned != row["snapshot"]:
            same = [report.c[name] == row[name] for name in ("company_id", "edition", "period", "recipient")]
            connection.execute(update(report).where(*same).values(snapshot=cleaned))


def _clean_deliveries(
    connection: Connection, company_id: str, ids: Collection[str], names: Collection[str], texts: Collection[str]
) -> set[str]:
    """Deliveries that carried the words, sent or not, go whole."""
    rows = connection.execute(select(deliveries).where(deliveries.c.company_id == company_id)).mappings()
    gone = {row["id"] for row in rows if row["event_id"] in ids or carries(row, names, texts)}
    connection.execute(delete(deliveries).where(deliveries.c.id.in_(gone)))
    return gone


def carries(row: RowMapping, names: Collection[str], texts: Collection[str]) -> bool:
    """Whether a delivery holds one of those names or texts."""
    said = _readable(row["body"]) if row["kind"] == outbox.MAIL else row["body"].decode("utf-8", "replace")
    return any(one in said for one in (*names, *filter(None, texts)))


def _readable(mail: bytes) -> str:
    from email import message_from_bytes, policy

    wire = message_from_bytes(mail, policy=policy.default)
    parts = [part.get_content() for part in wire.walk() if part.get_content_maintype() == "text"]
    return "\n".join([str(wire["Subject"]), *parts])


def _clean_dead_letters(connection: Connection, asked: Asked, ids: Collection[str]) -> None:
    for row in connection.execute(select(dead_letter)).mappings().all():
        if (row["key"] or b"").decode("utf-8", "replace") == asked.company_id:
            value = without(row["value"], asked, ids)
            if value != row["value"]:
                connection.execute(update(dead_letter).where(dead_letter.c.id == row["id"]).values(value=value))


def _remove_files(folder: Path | None, gone: Collection[str], names: Collection[str]) -> int:
    removed = 0
    for path in folder.glob("*.eml") if folder else ():
        if path.stem in gone or any(name in _readable(path.read_bytes()) for name in names):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _name(author: str | None) -> str:
    return " ".join(folded(author or "").split())


def _hash(key: str, company_id: str, *parts: str) -> str:
    text = "\x1f".join((company_id, *parts))
    return hmac.new(key.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
