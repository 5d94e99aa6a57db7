"""One webhook delivery: signed, bounded, never redirected; what it met is written down.

Signatures follow the Standard Webhooks specification: `webhook-id` is the event's own, the same for every endpoint
and attempt, so that a receiver can tell a repeat.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
from sqlalchemy import Connection, Engine
from standardwebhooks import Webhook

from analysis import endpoints
from api.webhooks import store, templates
from ingest import http as web
from vigie import clock, db, traces
from vigie.errors import SourceError
from vigie.outbox import Delivery, DeliveryError
from vigie.secrets import Vault

_TIMEOUT = 15.0  # seconds, as the specification advises
_MOST_ANSWER = 2_000  # bytes that are kept of what a receiver says
_MOST_READ = 64_000
_CLOUD_EVENT, _JSON = "application/cloudevents+json; charset=UTF-8", "application/json"

# What a template may name of an event, given as a CloudEvents object.
Values = Callable[[Connection, dict[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt met: an HTTP answer, an `error` before there was one, or one that the answer tells of."""

    took_ms: int
    status: int | None = None
    answer: str | None = None
    error: str | None = None
    retry_after: float | None = None

    @property
    def is_taken(self) -> bool:
        return self.error is None and self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == 410

    @property
    def reason(self) -> str:
        return self.error or f"HTTP {self.status}"


class WebhookSender:
    """Sends deliveries whose address is a webhook's id."""

    def __init__(self, engine: Engine, vault: Vault, values: Values, *, allow_hosts: Iterable[str] = ()) -> None:
        self._engine, self._vault, self._values = engine, vault, values
        self._http = web.client(allow_hosts)

    def send(self, delivery: Delivery) -> None:
        with db.reading(self._engine) as connection:
            hook = store.find(connection, delivery.address)
            if hook is None or hook["paused"] or hook["off"]:
                raise DeliveryError("the webhook was removed, is paused or off", permanent=True)
            # The company may have become medical while the delivery waited.
            is_medical = endpoints.is_medical(hook["sector"])
            event = endpoints.body_without_words(delivery.body) if is_medical else delivery.body
            body = self._body(connection, hook, event)
        headers = store.own_headers(hook, self._vault)
        headers |= signed(store.signing_secrets(hook, self._vault), delivery.event_id, body)
        headers["content-type"] = _JSON if hook["template"] else _CLOUD_EVENT
        if traceparent := delivery.headers.get(traces.HEADER):
            headers[traces.HEADER] = traceparent
        outcome = self._post(hook["url"], headers, body)
        with db.writing(self._engine) as connection:
            store.note(connection, hook, delivery, outcome)
        if not outcome.is_taken:
            raise DeliveryError(outcome.reason, permanent=outcome.is_gone, retry_after=outcome.retry_after)

    def close(self) -> None:
        self._http.close()

    def _body(self, connection: Connection, hook: Mapping[str, Any], event: bytes) -> bytes:
        """The event itself, or what the webhook's template makes of it."""
        template = store.template_of(hook, self._vault)
        if template is None:
            return event
        filled = templates.fill(template, self._values(connection, json.loads(event)))
        return json.dumps(filled).encode()

    def _post(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        start = time.monotonic()

        def took() -> int:
            return int(1_000 * (time.monotonic() - start))

        try:
            web.check_address(url)
            sent = self._http.stream("POST", url, content=body, headers=headers, timeout=_TIMEOUT)
            with web.within(_TIMEOUT), sent as answer:
                asked = web.retry_after(answer.headers.get("retry-after"))
                said = _said(answer)
                error = _redirect(answer) or _refusal(said)
                return Outcome(took(), answer.status_code, said[:_MOST_ANSWER], error, retry_after=asked)
        except (httpx2.HTTPError, httpx2.InvalidURL, SourceError, ValueError) as error:
            fault = web.certificate_fault(error)
            return Outcome(took(), error=fault or f"{type(error).__name__}: {error}"[:300])


def signed(secrets: Sequence[str], event_id: str, body: bytes) -> dict[str, str]:
    """The headers of one attempt; after a rotation there is a signature by either secret."""
    moment = clock.now()
    signatures = (Webhook(secret).sign(event_id, moment, body.decode()) for secret in secrets)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _said(answer: httpx2.Response) -> str:
    """The beginning of an answer; a status that came counts, whatever becomes of the rest."""
    said = b""
    try:
        for chunk in answer.iter_bytes():
            said += chunk
            if len(said) >= _MOST_READ:
                break
    except httpx2.HTTPError:
        pass
    return said[:_MOST_READ].decode("utf-8", "replace").replace("\x00", "")


def _redirect(answer: httpx2.Response) -> str | None:
    """Where a receiver wants the webhook to go: signed events follow nobody, so the owner is told."""
    location = answer.headers.get("location", "")
    if answer.status_code not in {301, 302, 303, 307, 308} or not location:
        return None
    try:
        target = str(answer.url.join(location))
    except (httpx2.InvalidURL, ValueError):
        target = location
    return f"HTTP {answer.status_code}, leads to {target[:200]}: set that address"


def _refusal(said: str) -> str | None:
    """What JSON-RPC 2.0 (section 5) says of a failed call, which it answers with 200 all the same."""
    try:
        answer = json.loads(said)
        error = answer["error"] if answer.get("jsonrpc") == "2.0" else None
    except (ValueError, RecursionError, LookupError, AttributeError):
        return None
    return f"JSON-RPC: {json.dumps(error)[:300]}" if error else None
