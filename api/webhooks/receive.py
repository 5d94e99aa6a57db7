"""Verify signed webhooks that other programs send, by the Standard Webhooks specification. Pure."""

import re
from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError

from ingest import inbound_secret
from vigie.errors import InvalidInputError

_MESSAGE_ID = re.compile(r"[!-~]{1,255}")
_SECONDS = re.compile(r"\d{1,12}")
_SIGNATURE = re.compile(r"v1,[A-Za-z0-9+/]{40,}={0,2}")
# Svix names the same headers by its own name, and senders that use it send only those.
_PREFIXES = ("webhook", "svix")


def signed_id(secret: str, headers: Mapping[str, str], body: bytes) -> str | None:
    """Return the message's id, or None unless a signature is by `secret` and not five minutes old.

    Signatures of other schemes stand beside ours while a sender changes its secret, and are passed over.
    """
    message_id, seconds, signature = _signing_headers(headers)
    signatures = [part for part in signature.split(" ") if _SIGNATURE.fullmatch(part)]
    has_form = _MESSAGE_ID.fullmatch(message_id) and _SECONDS.fullmatch(seconds)
    if not signatures or not has_form:
        return None
    checked = {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signatures),
    }
    try:
        inbound_secret.check(secret)
        Webhook(secret).verify(body, checked, json_parse=False)
    except (InvalidInputError, WebhookVerificationError, ValueError, RuntimeError):
        return None
    return message_id


def _signing_headers(headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Return id, timestamp and signature, all three from one set of names."""
    for prefix in _PREFIXES:
        if f"{prefix}-signature" in headers:
            break
    return (
        headers.get(f"{prefix}-id", ""),
        headers.get(f"{prefix}-timestamp", ""),
        headers.get(f"{prefix}-signature", ""),
    )
