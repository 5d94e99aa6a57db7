"""Was a mail really sent by the platform? Only a DKIM signature that is verified here proves it (RFC 6376).

The signature is of the domain in From, or of one with the same platform domain (relaxed alignment, RFC 7489, 3.1.1).
It covers From, To, Subject, Date and Content-Type, each of which stands once, so that what is read is what was
signed. It signs the whole body (no `l`), by SHA-256 (RFC 8301), with a key that is not in testing mode.

Authentication-Results proves nothing: a genuine one repeats what the sender chose.
"""

import re
from collections.abc import Collection
from email.message import Message
from email.utils import getaddresses

import dkim
import dns.exception
import dns.resolver

from ingest.mail.letter import MAX_BYTES, MAX_HEADER_CHARS, MAX_SOURCE_LINES, read_sender
from vigie.errors import UnavailableError

SIGNED_HEADERS = ("from", "to", "subject", "date", "content-type")
ALGORITHMS = {"rsa-sha256", "ed25519-sha256"}
PLAIN_ENCODINGS = {"", "7bit", "8bit", "binary"}
MAX_SIGNATURES = 5
DNS_SECONDS = 5.0
# A signature may allow any number of blanks where there is one (RFC 6376, 3.4.2), and dkimpy takes the square of them.
_PADDING = re.compile(rb"[ \t]{500}")
_BARE_RETURN = re.compile(rb"\r(?!\n)|[\x00\x0b\x0c\x1c-\x1e]")


def is_proven(raw: bytes, message: Message, domains: Collection[str]) -> bool:
    """Whether one of the platform's `domains`, or a part of it, surely sent `raw`, which was parsed as `message`.

    Raises `UnavailableError` when the signer's key cannot be looked up now.
    """
    if _is_cut(raw) or _PADDING.search(raw):
        return False
    if any(len(message.get_all(name) or []) != 1 for name in SIGNED_HEADERS) or not _is_read_alike(raw, message):
        return False
    sender_domain = read_sender(message).rpartition("@")[2]
    for index, tags in enumerate(_read_signatures(message)):
        if _is_aligned(tags, sender_domain, domains) and _is_strict(tags, message) and _verify(raw, index):
            return True
    return False


def recipients(message: Message) -> frozenset[str]:
    """Return to whom a proven mail was sent first: a genuine mail of another shop can be passed on to anybody."""
    values = [str(value)[:MAX_HEADER_CHARS] for value in message.get_all("To") or []]
    try:
        pairs = getaddresses(values)
    except Exception:  # nested comments exhaust the standard library's recursion
        return frozenset()
    return frozenset(address.lower() for _, address in pairs if address)


def is_of(domain: str, domains: Collection[str]) -> bool:
    """Whether `domain` is one of `domains` or lies below one."""
    return any(domain == parent or domain.endswith(f".{parent}") for parent in domains)


def _is_cut(raw: bytes) -> bool:
    """Whether the parser reads less of the mail than was signed."""
    return len(raw) > MAX_BYTES or raw.count(b"\n") > MAX_SOURCE_LINES


def _is_read_alike(raw: bytes, message: Message) -> bool:
    """Whether the verifier sees the headers that the parser saw.

    A bare carriage return (RFC 5322, 2.3, forbids it) ends a line for one of them only, so that unsigned headers and a
    text could stand before the signed mail.
    """
    try:
        headers, _ = dkim.rfc822_parse(raw)
    except Exception:  # dkimpy raises many things on broken mails
        return False
    if message.defects or any(_BARE_RETURN.search(name + value) for name, value in headers):
        return False
    names = [name.decode("latin-1").strip().lower() for name, _ in headers]
    return names == [name.strip().lower() for name in message]


def _is_aligned(tags: dict[str, str], sender_domain: str, domains: Collection[str]) -> bool:
    signer = tags.get("d", "").lower()
    return any(is_of(signer, [domain]) and is_of(sender_domain, [domain]) for domain in domains)


def _is_strict(tags: dict[str, str], message: Message) -> bool:
    covered = {name.lower() for name in tags.get("h", "").split(":")}
    encoding = str(message.get("Content-Transfer-Encoding", "")).strip().lower()
    is_encoding_fixed = encoding in PLAIN_ENCODINGS or "content-transfer-encoding" in covered
    has_each_header = covered.issuperset(SIGNED_HEADERS)
    has_algorithm = tags.get("a", "").lower() in ALGORITHMS
    return has_each_header and has_algorithm and is_encoding_fixed and "l" not in tags


def _verify(raw: bytes, index: int) -> bool:
    try:
        return bool(dkim.DKIM(raw).verify(idx=index, dnsfunc=_look_up_key))
    except UnavailableError:
        raise
    except Exception:  # dkimpy raises many things on signatures that strangers wrote
        return False


def _read_signatures(message: Message) -> list[dict[str, str]]:
    """Return the tags of each DKIM signature, in the order of the mail."""
    headers = message.get_all("DKIM-Signature") or []
    return [_read_tags(str(header)) for header in headers[:MAX_SIGNATURES]]


def _read_tags(value: str) -> dict[str, str]:
    """Return the tags of a tag list (RFC 6376, 3.2), without white space; none where a tag stands twice."""
    tags: dict[str, str] = {}
    for part in value.split(";"):
        name, _, text = part.partition("=")
        name = name.strip().lower()
        if name in tags:
            return {}
        if name:
            tags[name] = "".join(text.split())
    return tags


def _look_up_key(name: bytes, timeout: float = DNS_SECONDS) -> bytes | None:
    """Return the TXT record of a signer's key; None where there is no usable one."""
    try:
        domain = name.decode("ascii").rstrip(".")
        answers = dns.resolver.resolve(domain, "TXT", lifetime=DNS_SECONDS)
    except (dns.resolver.LifetimeTimeout, dns.resolver.NoNameservers) as error:
        raise UnavailableError("the key of a mail's signature cannot be looked up now") from error
    except (dns.exception.DNSException, UnicodeDecodeError):
        return None
    record = next((b"".join(answer.strings) for answer in answers), None)
    if record is None or _is_testing(record):
        return None
    return record


def _is_testing(record: bytes) -> bool:
    """Whether the domain only tests DKIM, so that its signature must not be relied on (RFC 6376, 3.6.1, `t=y`)."""
    flags = _read_tags(record.decode("latin-1")).get("t", "")
    return "y" in flags.lower().split(":")
