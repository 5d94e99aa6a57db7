"""One webhook delivery: signed, bounded, never redirected; what it met is written down.

Signatures follow the Standard Webhooks specification: `webhook-id` is the event's own, the same for every endpoint
and attempt, so that a receiver can tell a repeat.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx2
from sqlalchemy import Engine
from standardwebhooks import Webhook

from api.webhooks import store
from ingest import http as web
from vigie import clock, db
from vigie.errors import SourceError
from vigie.outbox import Delivery, DeliveryError
from vigie.secrets import Vault

_TIMEOUT = 15.0  # seconds, as the specification advises
_MOST_ANSWER = 2_000  # bytes that are kept of what a receiver says


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt met: an HTTP answer, or an `error` before there was one."""

    took_ms: int
    status: int | None = None
    answer: str | None = None
    error: str | None = None
    retry_after: float | None = None

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == 410

    @property
    def reason(self) -> str:
        return self.error or f"HTTP {self.status}"


class WebhookSender:
    """Sends deliveries whose address is a webhook's id."""

    def __init__(self, engine: Engine, vault: Vault, *, allow_hosts: Iterable[str] = ()) -> None:
        self._engine, self._vault = engine, vault
        self._http = web.client(allow_hosts)

    def send(self, delivery: Delivery) -> None:
        with db.reading(self._engine) as connection:
            hook = store.find(connection, delivery.address)
        if hook is None or hook["paused"] or hook["off"]:
            raise DeliveryError("the webhook was removed, is paused or off", permanent=True)
        secrets = store.signing_secrets(hook, self._vault)
        outcome = self._post(hook["url"], signed(secrets, delivery), delivery.body)
        with db.writing(self._engine) as connection:
            store.note(connection, hook, delivery, outcome)
        if not outcome.is_taken:
            raise DeliveryError(outcome.reason, permanent=outcome.is_gone, retry_after=outcome.retry_after)

    def close(self) -> None:
        self._http.close()

    def _post(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        start = time.monotonic()

        def took() -> int:
            return int(1_000 * (time.monotonic() - start))

        try:
            web.check_address(url)
            with self._http.stream("POST", url, content=body, headers=headers, timeout=_TIMEOUT) as answer:
                asked = web.retry_after(answer.headers.get("retry-after"))
                return Outcome(took(), answer.status_code, _said(answer, start + _TIMEOUT), retry_after=asked)
        except (httpx2.HTTPError, httpx2.InvalidURL, SourceError, ValueError) as error:
            return Outcome(took(), error=f"{type(error).__name__}: {error}"[:300])


def signed(secrets: Sequence[str], delivery: Delivery) -> dict[str, str]:
    """The headers of one attempt; after a rotation there is a signature by either secret."""
    moment = clock.now()
    signatures = (Webhook(secret).sign(delivery.event_id, moment, delivery.body.decode()) for secret in secrets)
    return {
        "content-type": "application/cloudevents+json; charset=UTF-8",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _said(answer: httpx2.Response, deadline: float) -> str:
    """The beginning of an answer; a status that came counts, whatever becomes of the rest."""
    said = b""
    try:
        for chunk in answer.iter_bytes():
            said += chunk
            if len(said) >= _MOST_ANSWER or time.monotonic() > deadline:
                break
    except httpx2.HTTPError:
        pass
    return said[:_MOST_ANSWER].decode("utf-8", "replace").replace("\x00", "")
