"""What is kept of an author who asks (RGPD, article 15): their words, and where these were carried."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from analysis import erasure, forgetting
from analysis.forgetting import Asked
from vigie.db.tables import alert, dispute, outbox, quotation, report, source

_TOLD = (
    "id", "source_id", "platform", "url", "author", "contact", "wish",
    "title", "text", "translation", "reply", "rating", "rating_given",
    "published_at", "experienced_at", "collected_at", "language", "label", "score", "themes", "wishes", "status",
    "assigned_to", "expires_at",
)  # fmt: skip


def kept(connection: Connection, asked: Asked) -> dict[str, Any]:
    """Everything, as plain data: the mentions, what quotes them, and what was sent with them to whom and when."""
    rows = forgetting.found(connection, asked)
    ids = {row["id"] for row in rows}
    names = {row["author"] for row in rows if row["author"]}
    texts = [row["text"] for row in rows if row["text"]]
    ours = source.c.company_id == asked.company_id
    sources = {row.id: row.name for row in connection.execute(select(source.c.id, source.c.name).where(ours))}
    alerts = connection.execute(select(alert).where(alert.c.company_id == asked.company_id)).mappings()
    reports = connection.execute(select(report).where(report.c.company_id == asked.company_id)).mappings()
    copies = connection.execute(select(dispute).where(dispute.c.mention_id.in_(ids))).mappings()
    sent = connection.execute(select(outbox).where(outbox.c.company_id == asked.company_id)).mappings()
    linked = set(connection.scalars(select(quotation.c.delivery_id).where(quotation.c.mention_id.in_(ids))))
    return {
        "mentions": [_plain({**{name: row[name] for name in _TOLD}, "source": sources.get(row["source_id"])})
                     for row in rows],
        "alerts": [_plain({"id": one["id"], "rule": one["rule"], "raised_at": one["raised_at"], "facts": one["facts"]})
                   for one in alerts if ids & set(one["mention_ids"])],
        "contested": [_plain({"reason": one["reason"], "copy": one["copy"], "at": one["at"]}) for one in copies],
        "reports": [_plain({"period": one["period"], "edition": one["edition"], "sent_to": one["recipient"]})
                    for one in reports if _tells(one["snapshot"], ids)],
        "sent": [_plain({"kind": one["kind"], "to": one["address"], "state": one["state"], "at": one["settled_at"]})
                 for one in sent
                 if one["id"] in linked or one["event_id"] in ids or erasure.carries(dict(one), names, texts)],
    }  # fmt: skip


def _tells(snapshot: Any, ids: set[str]) -> bool:
    """Whether a kept report names one of those mentions."""
    if isinstance(snapshot, Mapping):
        return any(_tells(value, ids) for value in snapshot.values())
    return any(_tells(one, ids) for one in snapshot) if isinstance(snapshot, list) else snapshot in ids


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
