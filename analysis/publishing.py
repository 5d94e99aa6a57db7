"""Results for others: each alert as a record of the topic `alerts`, where the setting `publish_alerts` asks for it.

The record is a delivery of the outbox, written in the transaction of its alert and sent by the role `deliver`.
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection, Engine

from analysis.endpoints import alert_without_words
from vigie import outbox
from vigie.events import CONTENT_TYPE, AlertRaised, encode
from vigie.log import ALERTS

_OPTION = "vigie_publishes_alerts"


def enable(engine: Engine) -> None:
    """Let alerts of all transactions of this engine be published."""
    engine.update_execution_options(**{_OPTION: True})


def publish(connection: Connection, events: Iterable[AlertRaised]) -> None:
    """Enqueue a record for each alert that was raised or resolved, if publishing is enabled."""
    if connection.get_execution_options().get(_OPTION):
        outbox.enqueue(connection, [_record(event) for event in events])


def _record(event: AlertRaised) -> outbox.Delivery:
    """Return an event on its way to the topic, keyed by company, without customers' words: an erasure cannot reach
    what others have read."""
    body = encode(replace(event, shown=alert_without_words(event.shown)))
    headers = {"key": event.company_id, "content-type": CONTENT_TYPE}
    return outbox.delivery(outbox.TOPIC, event.company_id, ALERTS, event.id, body, headers)
