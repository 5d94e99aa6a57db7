"""Which webhooks are told of what: the deliveries that are enqueued with the results they tell of."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from analysis import erasure, queries, rules
from analysis.themes import trade_of
from vigie import clock, ids, outbox, traces
from vigie.db.tables import company, mention, webhook
from vigie.events import AlertRaised, MentionAnalysed, ReportReady, Told, encode

Row = Mapping[str, Any]
_WORDS = {"quote", "words", "term"}  # what of an alert's facts a customer wrote


def tell(connection: Connection, company_id: str, told: Iterable[tuple[Told, Row]]) -> None:
    """One delivery for each event and endpoint that asked for it; the event's id is the same for all of them.

    The row beside an event is the stored alert, mention or report that it tells of.
    """
    told = list(told)
    _enqueue(connection, hooks(connection, {company_id}) if told else [], told)


def tell_analysed(connection: Connection, fresh: Iterable[Row]) -> None:
    """Endpoints that ask for `mention.analysed` are told once of each mention, when it is first stored."""
    ids_of: dict[str, list[str]] = defaultdict(list)
    for row in fresh:
        ids_of[row["company_id"]].append(row["id"])
    asking = [hook for hook in hooks(connection, ids_of) if MentionAnalysed.TYPE in hook["events"]]
    for company_id in sorted({hook["company_id"] for hook in asking}):
        sources = queries.source_names(connection, company_id)
        found = connection.execute(select(mention).where(mention.c.id.in_(ids_of[company_id]))).mappings()
        rows = [dict(row) for row in found]
        ours = [hook for hook in asking if hook["company_id"] == company_id]
        _enqueue(connection, ours, [(_analysed(row, sources), row) for row in rows])


def tell_ready(connection: Connection, company_id: str, week: str, at: datetime) -> None:
    """Endpoints that ask for `report.ready` are told once that the owner's mail of a week was made."""
    event_id = ids.derived("report.ready", company_id, week)
    event = ReportReady(id=event_id, time=at, company_id=company_id, shown={"week": week, "company_id": company_id})
    tell(connection, company_id, [(event, {})])


def hooks(connection: Connection, company_ids: Collection[str]) -> list[dict[str, Any]]:
    """The webhooks of those firms that are on, each with its firm's `sector` and `timezone`."""
    on = webhook.c.company_id.in_(list(company_ids)), ~webhook.c.paused, webhook.c.off.is_(None)
    query = (
        select(webhook, company.c.sector, company.c.timezone)
        .join(company, company.c.id == webhook.c.company_id)
        .where(*on)
    )
    return [dict(hook) for hook in connection.execute(query).mappings()]


def wants(hook: Row, event: Told, row: Row) -> bool:
    """Whether a webhook asked for such an event."""
    if event.TYPE not in hook["events"]:
        return False
    if isinstance(event, AlertRaised):
        return hook["rules"] is None or row["rule"] in hook["rules"]
    if isinstance(event, MentionAnalysed) and hook["mentions"]:
        return rules.matches(rules.conditions(hook["mentions"]), row)
    return True


def delivery(event: Told, hook: Row, due_at: datetime | None = None) -> outbox.Delivery:
    """An event on its way to a webhook; that of a medical firm leaves without anybody's words."""
    shown = _WITHOUT_WORDS[event.TYPE](event.shown) if is_medical(hook["sector"]) else event.shown
    body = encode(type(event)(id=event.id, time=event.time, company_id=event.company_id, shown=shown))
    quoted = set(erasure.quoted_ids(event.shown))
    headers = traces.headers_for(quoted)
    return outbox.delivery(outbox.WEBHOOK, event.company_id, hook["id"], event.id, body, headers, due_at, quoted)


def body_without_words(body: bytes) -> bytes:
    """Return the body of an event that waited, without what a customer wrote."""
    event = json.loads(body)
    erase = _WITHOUT_WORDS.get(event["type"])
    return json.dumps({**event, "data": erase(event["data"])}, ensure_ascii=False).encode() if erase else body


def moment(hook: Row) -> datetime:
    """When what happens now is sent: now, or when the webhook's quiet hours are over."""
    now = clock.now()
    return clock.after_quiet(now, hook["quiet_hours"], hook["timezone"]) if hook["quiet_hours"] else now


def is_medical(sector: str | None) -> bool:
    """Whether what a firm's customers write may tell of their health, so that it does not leave by mail or webhook."""
    return trade_of(sector) == "medical"


def _enqueue(connection: Connection, asked: Iterable[Row], told: Iterable[tuple[Told, Row]]) -> None:
    meant = [(event, hook) for event, row in told for hook in asked if wants(hook, event, row)]
    outbox.enqueue(connection, [delivery(event, hook, moment(hook)) for event, hook in meant])


def _analysed(row: Row, sources: Mapping[str, Row]) -> MentionAnalysed:
    shown = queries.shown_mention(row, sources)
    shown = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in shown.items()}
    event_id = ids.derived(MentionAnalysed.TYPE, row["id"])
    return MentionAnalysed(id=event_id, time=row["stored_at"], company_id=row["company_id"], shown=shown)


def alert_without_words(shown: Row) -> dict[str, Any]:
    """An alert without what the customer wrote."""
    return {**shown, "facts": {name: value for name, value in shown["facts"].items() if name not in _WORDS}}


def _mention_without_words(shown: Row) -> dict[str, Any]:
    themes = [{**one, "quote": ""} for one in shown["themes"]]
    wishes = [{**one, "quote": ""} for one in shown["wishes"]]
    nothing = {"title": None, "author": None, "reply": None, "translation": None}
    return {**shown, **nothing, "text": "", "because": [], "themes": themes, "wishes": wishes}


_WITHOUT_WORDS: dict[str, Callable[[Row], dict[str, Any]]] = {
    "alert.raised": alert_without_words,
    "alert.resolved": alert_without_words,
    "mention.analysed": _mention_without_words,
    "report.ready": dict,
}
