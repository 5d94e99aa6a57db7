"""Whether a webhook that reached us was signed by its sender, by the Standard Webhooks specification. Pure."""

import re
from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError

_ID = re.compile(r"[!-~]{1,255}")
_SECONDS = re.compile(r"\d{1,12}")
_SIGNATURE = re.compile(r"v1,[A-Za-z0-9+/]{40,}={0,2}")


def signed_id(secret: str, headers: Mapping[str, str], body: bytes) -> str | None:
    """The message's `webhook-id`; None unless one of its signatures is by `secret`, and not five minutes old.

    Signatures of other kinds stand beside ours while a sender changes its secret or its scheme, and are passed over.
    """
    given = {name: headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")}
    ours = [one for one in given["signature"].split(" ") if _SIGNATURE.fullmatch(one)]
    if not (ours and _ID.fullmatch(given["id"]) and _SECONDS.fullmatch(given["timestamp"])):
        return None
    checked = {f"webhook-{name}": value for name, value in given.items()} | {"webhook-signature": " ".join(ours)}
    try:
        Webhook(secret).verify(body, checked, json_parse=False)
    except (WebhookVerificationError, ValueError, RuntimeError):
        return None
    return given["id"]
