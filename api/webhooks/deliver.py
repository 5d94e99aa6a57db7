"""One webhook delivery: signed, bounded, never redirected.

Signatures follow the Standard Webhooks specification: `webhook-id` is the event's own, the same for every endpoint
and attempt, so that a receiver can tell a repeat.
"""

from collections.abc import Iterable

import httpx2
from sqlalchemy import Engine, select
from standardwebhooks import Webhook

from ingest import http as web
from vigie import clock, db
from vigie.db.tables import webhook
from vigie.errors import SourceError
from vigie.outbox import Delivery, DeliveryError
from vigie.secrets import Vault

_TIMEOUT = 15.0  # seconds, as the specification advises


class WebhookSender:
    """Sends deliveries whose address is a webhook's id."""

    def __init__(self, engine: Engine, vault: Vault, *, allow_hosts: Iterable[str] = ()) -> None:
        self._engine, self._vault = engine, vault
        self._http = web.client(allow_hosts)

    def send(self, delivery: Delivery) -> None:
        with db.reading(self._engine) as connection:
            hook = connection.execute(select(webhook).where(webhook.c.id == delivery.address)).one_or_none()
        if hook is None or hook.paused:
            raise DeliveryError("the webhook was removed or paused", permanent=True)
        self._post(hook.url, signed(self._vault.decrypt(hook.secret), delivery), delivery.body)

    def close(self) -> None:
        self._http.close()

    def _post(self, url: str, headers: dict[str, str], body: bytes) -> None:
        try:
            web.check_address(url)
            with self._http.stream("POST", url, content=body, headers=headers, timeout=_TIMEOUT) as answer:
                status, asked = answer.status_code, answer.headers.get("retry-after")
        except (httpx2.HTTPError, httpx2.InvalidURL, SourceError, ValueError) as error:
            raise DeliveryError(f"{type(error).__name__}: {error}"[:300]) from error
        if not 200 <= status < 300:
            raise DeliveryError(f"HTTP {status}", permanent=status == 410, retry_after=web.retry_after(asked))


def signed(secret: str, delivery: Delivery) -> dict[str, str]:
    """The headers of one attempt."""
    moment = clock.now()
    signature = Webhook(secret).sign(delivery.event_id, moment, delivery.body.decode())
    return {
        "content-type": "application/cloudevents+json; charset=UTF-8",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }
