"""Was a mail really sent by the platform's domain?

Either the mailbox provider says so in its own Authentication-Results header (RFC 8601; only the topmost one, and only
with an authserv-id that the owner's provider uses, since anybody can write such a header further down), or a DKIM
signature of that domain (RFC 6376), which covers From, Subject and Date, is verified here.
"""

import email
import re
from collections.abc import Collection
from email.policy import compat32
from email.utils import getaddresses

import dkim
import dns.exception
import dns.resolver

_PAIR = re.compile(r"\b(dkim|dmarc)\s*=\s*(\w+)([^;]*)", re.I)
_DOMAIN = re.compile(r"\bheader\.(?:d|i|from)\s*=\s*@?([\w.-]+)", re.I)
_TAG = re.compile(r"(?:^|;)\s*(\w+)\s*=\s*([^;]*)")
_MOST_SIGNATURES, _MOST_HEADER = 5, 4_000
_TIMEOUT = 5.0  # seconds


def is_proven(raw: bytes, domains: Collection[str], trusted: Collection[str] = ()) -> bool:
    """Whether one of `domains`, or a part of it, surely sent `raw`; `trusted` are the provider's authserv-ids."""
    message = email.message_from_bytes(raw, policy=compat32)
    senders = message.get_all("From") or []
    if len(senders) != 1:
        return False
    return _said_by_provider(message, domains, trusted) or _verified(raw, message, domains)


def recipients(raw: bytes, domains: Collection[str]) -> frozenset[str]:
    """To whom the platform sent it first: a genuine mail of another shop can be sent on unchanged to anybody.

    Nobody, where a signature of `domains` leaves To open, or where To stands twice, of which a signature covers one:
    whoever sends it on may write there what they like.
    """
    message = email.message_from_bytes(raw, policy=compat32)
    given = [str(one)[:_MOST_HEADER] for one in message.get_all("To") or []]
    is_open = any("to" not in _covered(tags) for tags in _signatures(message) if is_of(_signer(tags), domains))
    if is_open or len(given) != 1:
        return frozenset()
    named = getaddresses(given)
    return frozenset(address.lower() for _, address in named if address)


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
    for at, tags in enumerate(_signatures(message)[:_MOST_SIGNATURES]):
        if not is_of(_signer(tags), domains) or not _covered(tags) >= {"from", "subject", "date"} or "l" in tags:
            continue  # `l` would leave the end of the body to anybody
        try:
            if dkim.DKIM(raw, timeout=int(_TIMEOUT)).verify(idx=at, dnsfunc=_txt):
                return True
        except (dkim.DKIMException, ValueError, TypeError, IndexError, KeyError):
            continue
    return False


def _signatures(message: email.message.Message) -> list[dict[str, str]]:
    """The tags of each DKIM signature, in the order of the mail."""
    given = message.get_all("DKIM-Signature") or []
    return [{name.lower(): "".join(value.split()) for name, value in _TAG.findall(str(one))} for one in given]


def _signer(tags: dict[str, str]) -> str:
    return tags.get("d", "").lower()


def _covered(tags: dict[str, str]) -> set[str]:
    return {name.lower() for name in tags.get("h", "").split(":")}


def _txt(name: bytes, timeout: float = _TIMEOUT) -> bytes | None:
    try:
        answers = dns.resolver.resolve(name.decode("ascii").rstrip("."), "TXT", lifetime=_TIMEOUT)
    except (dns.exception.DNSException, UnicodeDecodeError):
        return None
    return next((b"".join(answer.strings) for answer in answers), None)
