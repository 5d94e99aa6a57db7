"""Remove the words of mentions from everything that quotes them: alerts, reports and deliveries.

A delivery names the mentions it quotes (`quotation`). Rows written by earlier releases name none, so their bodies are
read instead. A webhook that still waits is sent without the words, a waiting mail is dropped, and of what was sent
only the id, the times and the result stay.
"""

import html
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, delete, or_, select, update

from vigie import due, ids, outbox
from vigie.db.tables import alert, attempt, quotation, report
from vigie.db.tables import outbox as deliveries
from vigie.events import MentionAnalysed

IsQuoting = Callable[[Mapping[str, Any]], bool]
_WORDS = {"text", "title", "author", "contact", "wish", "quote", "reply", "translation", "url", "external_id"}
_PLACEHOLDER = "…"  # stands in a record for a text, so that the record can still be read
_SEARCHED_CHARS = 100  # of a text, in bodies that name no mention: mails cut what they quote


@dataclass(frozen=True, slots=True)
class Quotes:
    """The words to remove: of these mentions of these companies, by these authors."""

    company_ids: Collection[str]
    mention_ids: Collection[str]
    names: Collection[str] = ()
    texts: Collection[str] = field(default=(), repr=False)


def erase_quotes(connection: Connection, quotes: Quotes, is_quoting: IsQuoting | None = None) -> set[str]:
    """Remove the words everywhere and return the ids of the deliveries that held them."""
    is_quoting = is_quoting or (lambda value: names_mention(value, quotes.mention_ids))
    alert_ids = _erase_alerts(connection, quotes)
    _erase_reports(connection, quotes, is_quoting)
    delivery_ids = _erase_deliveries(connection, quotes, alert_ids, is_quoting)
    if delivery_ids:
        due.schedule(connection, due.MAIL_FILES, ["all"])
    return delivery_ids


def names_mention(value: Mapping[str, Any], mention_ids: Collection[str]) -> bool:
    """Whether a JSON object is one of those mentions or quotes it."""
    listed = value.get("mention_ids")
    if isinstance(listed, list) and any(isinstance(item, str) and item in mention_ids for item in listed):
        return True
    return any(isinstance(value.get(name), str) and value[name] in mention_ids for name in ("id", "mention_id"))


def quoted_ids(value: Any) -> Iterator[str]:
    """Yield the ids that JSON names, those of mentions among them."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name in {"id", "mention_id"} and isinstance(part, str):
                yield part
            elif name == "mention_ids" and isinstance(part, list):
                yield from (item for item in part if isinstance(item, str))
            else:
                yield from quoted_ids(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from quoted_ids(part)


def erase_objects(value: Any, is_quoting: IsQuoting) -> Any:
    """Return the JSON value with every object that quotes a mention left without words."""
    if isinstance(value, list):
        return [erase_objects(item, is_quoting) for item in value]
    if not isinstance(value, dict):
        return value
    if is_quoting(value):
        return blank(value)
    return {name: erase_objects(item, is_quoting) for name, item in value.items()}


def blank(value: Any) -> Any:
    """Return the JSON value without anything that a customer wrote."""
    if isinstance(value, list):
        return [blank(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _blank_field(name, item) for name, item in value.items()}


def _blank_field(name: str, value: Any) -> Any:
    if name == "because":
        return []
    if name not in _WORDS:
        return blank(value)
    if name == "text":
        return _PLACEHOLDER
    return "" if name == "quote" and value is not None else None


def carries(row: Mapping[str, Any], names: Collection[str], texts: Collection[str]) -> bool:
    """Whether the body of a delivery holds one of those names, or the beginning of one of those texts."""
    body = _folded(_readable(row))
    wanted = [_folded(text)[:_SEARCHED_CHARS].strip() for text in (*names, *texts)]
    return any(text in body for text in wanted if text)


def readable_mail(mail: bytes) -> str:
    """Return the subject and the text parts of a mail."""
    from email import message_from_bytes, policy

    wire = message_from_bytes(mail, policy=policy.default)
    parts = [part.get_content() for part in wire.walk() if part.get_content_maintype() == "text"]
    return "\n".join([str(wire["Subject"]), *parts])


def _readable(row: Mapping[str, Any]) -> str:
    if row["kind"] == outbox.MAIL:
        return html.unescape(readable_mail(row["body"]))
    try:
        return "\n".join(_strings(json.loads(row["body"])))
    except ValueError:
        return str(row["body"].decode("utf-8", "replace"))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def _folded(text: str) -> str:
    """Return the text with each run of white space as one space, and without the marks of a quotation in a mail."""
    return " ".join(text.replace(">", " ").split())


def _erase_alerts(connection: Connection, quotes: Quotes) -> set[str]:
    erased = set()
    wanted = set(quotes.mention_ids)
    rows = connection.execute(select(alert).where(alert.c.company_id.in_(quotes.company_ids))).mappings().all()
    for row in rows:
        if wanted & set(row["mention_ids"]):
            connection.execute(update(alert).where(alert.c.id == row["id"]).values(facts=blank(row["facts"])))
            erased.add(row["id"])
    return erased


def _erase_reports(connection: Connection, quotes: Quotes, is_quoting: IsQuoting) -> None:
    rows = connection.execute(select(report).where(report.c.company_id.in_(quotes.company_ids))).mappings().all()
    for row in rows:
        erased = erase_objects(row["snapshot"], is_quoting)
        if erased != row["snapshot"]:
            same_row = [report.c[name] == row[name] for name in ("company_id", "edition", "period", "recipient")]
            connection.execute(update(report).where(*same_row).values(snapshot=erased))


def _erase_deliveries(
    connection: Connection, quotes: Quotes, alert_ids: Collection[str], is_quoting: IsQuoting
) -> set[str]:
    delivery_ids = set()
    for row in _quoting_deliveries(connection, quotes, alert_ids):
        _erase_delivery(connection, row, quotes, is_quoting)
        delivery_ids.add(row["id"])
    return delivery_ids


def _quoting_deliveries(connection: Connection, quotes: Quotes, alert_ids: Collection[str]) -> list[RowMapping]:
    linked = select(quotation.c.delivery_id).where(quotation.c.mention_id.in_(quotes.mention_ids))
    has_links = select(quotation.c.delivery_id).where(quotation.c.delivery_id == deliveries.c.id).exists()
    is_unlinked = and_(deliveries.c.company_id.in_(quotes.company_ids), ~has_links)
    rows = connection.execute(
        select(deliveries).where(or_(deliveries.c.id.in_(linked), is_unlinked), deliveries.c.body != b"")
    ).mappings()
    linked_ids = set(connection.scalars(linked))
    analysed_ids = {ids.derived(MentionAnalysed.TYPE, mention_id) for mention_id in quotes.mention_ids}
    event_ids = {*quotes.mention_ids, *alert_ids, *analysed_ids}
    return [
        row
        for row in rows
        if row["id"] in linked_ids or row["event_id"] in event_ids or carries(dict(row), quotes.names, quotes.texts)
    ]


def _erase_delivery(connection: Connection, row: RowMapping, quotes: Quotes, is_quoting: IsQuoting) -> None:
    this = deliveries.c.id == row["id"]
    if row["state"] == "waiting" and row["kind"] == outbox.WEBHOOK:
        body = json.dumps(erase_objects(json.loads(row["body"]), is_quoting), ensure_ascii=False).encode()
        if not carries({**row, "body": body}, quotes.names, quotes.texts):
            connection.execute(update(deliveries).where(this).values(body=body))
            connection.execute(update(attempt).where(attempt.c.delivery_id == row["id"]).values(answer=None))
            return
    if row["state"] == "waiting":
        connection.execute(delete(deliveries).where(this))
        connection.execute(delete(quotation).where(quotation.c.delivery_id == row["id"]))
        return
    outbox.empty(connection, [row["id"]])
