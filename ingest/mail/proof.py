"""Was a mail really sent by the platform's domain?

Either the mailbox provider says so in its own Authentication-Results header (RFC 8601; only the topmost one, and only
with an authserv-id that the owner's provider uses, since anybody can write such a header further down), or a DKIM
signature of that domain (RFC 6376), which covers From, Subject and Date, is verified here.
"""

import email
import re
from collections.abc import Collection
from email.policy import compat32

import dkim
import dns.exception
import dns.resolver

_PAIR = re.compile(r"\b(dkim|dmarc)\s*=\s*(\w+)([^;]*)", re.I)
_DOMAIN = re.compile(r"\bheader\.(?:d|i|from)\s*=\s*@?([\w.-]+)", re.I)
_TAG = re.compile(r"(?:^|;)\s*(\w+)\s*=\s*([^;]*)")
_MOST_SIGNATURES = 5
_TIMEOUT = 5.0  # seconds


def is_proven(raw: bytes, domains: Collection[str], trusted: Collection[str] = ()) -> bool:
    """Whether one of `domains`, or a part of it, surely sent `raw`; `trusted` are the provider's authserv-ids."""
    message = email.message_from_bytes(raw, policy=compat32)
    senders = message.get_all("From") or []
    if len(senders) != 1:
        return False
    return _said_by_provider(message, domains, trusted) or _verified(raw, message, domains)


def is_of(domain: str, domains: Collection[str]) -> bool:
    """Whether `domain` is one of `domains` or lies below one."""
    return any(domain == one or domain.endswith(f".{one}") for one in domains)


def _said_by_provider(message: email.message.Message, domains: Collection[str], trusted: Collection[str]) -> bool:
    results = [" ".join(str(one).split()) for one in message.get_all("Authentication-Results") or []]
    if not results or results[0].partition(";")[0].split(" ")[0].strip().lower() not in trusted:
        return False
    said = re.sub(r"\([^()]*\)", " ", results[0])  # comments may quote what the sender chose
    for _, result, details in _PAIR.findall(said):
        if result.lower() == "pass" and any(is_of(one.lower(), domains) for one in _DOMAIN.findall(details)):
            return True
    return False


def _verified(raw: bytes, message: email.message.Message, domains: Collection[str]) -> bool:
    signatures = message.get_all("DKIM-Signature") or []
    for at, signature in enumerate(signatures[:_MOST_SIGNATURES]):
        tags = {name.lower(): "".join(value.split()) for name, value in _TAG.findall(str(signature))}
        covered = {name.lower() for name in tags.get("h", "").split(":")}
        if not is_of(tags.get("d", "").lower(), domains) or not {"from", "subject", "date"} <= covered or "l" in tags:
            continue  # `l` would leave the end of the body to anybody
        try:
            if dkim.DKIM(raw, timeout=int(_TIMEOUT)).verify(idx=at, dnsfunc=_txt):
                return True
        except (dkim.DKIMException, ValueError, TypeError, IndexError, KeyError):
            continue
    return False


def _txt(name: bytes, timeout: float = _TIMEOUT) -> bytes | None:
    try:
        answers = dns.resolver.resolve(name.decode("ascii").rstrip("."), "TXT", lifetime=_TIMEOUT)
    except (dns.exception.DNSException, UnicodeDecodeError):
        return None
    return next((b"".join(answer.strings) for answer in answers), None)
