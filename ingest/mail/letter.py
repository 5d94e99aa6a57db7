"""A mail as bytes into what its reader sees: sender, subject, lines, links. Bounded, and nothing is trusted."""

import email
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr, parsedate_to_datetime

from ingest.clean import link, plain, text_of
from ingest.moments import in_utc

MOST_BYTES = 2_000_000
_MOST_PARTS, _MOST_LINES, _MOST_HEADER = 50, 400, 4_000
# What may stand between a tag's name and an attribute is bounded: a tag that never ends must not be read to the end.
_IMAGE = re.compile(
    r"<img\b[^<>]{0,2000}?\balt\s{0,9}=\s{0,9}(?:\"([^\"<>]{0,500})\"|'([^'<>]{0,500})')[^<>]{0,2000}>", re.I
)
_HREF = re.compile(r"<a\b[^<>]{0,2000}?\bhref\s{0,9}=\s{0,9}(?:\"([^\"<>]{0,4000})\"|'([^'<>]{0,4000})')", re.I)
_CELL = re.compile(r"</t[dh]\s*>", re.I)
_PREFIX = re.compile(r"^(?:\s*(?:re|tr|fw|fwd|réf|wg)\s*:\s*)+", re.I)
_QUOTED = re.compile(r"^(?:\s*>)+ ?", re.M)
_UNSEEN = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\u034f]")


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail shows. `mailbox` and `domain` are those of its From header, which anybody can write."""

    mailbox: str
    domain: str
    subject: str
    lines: tuple[str, ...]
    links: tuple[str, ...]
    sent_at: datetime | None


def opened(raw: bytes) -> Letter:
    """Read a mail; whatever is broken in it is left out. Never raises for what a stranger wrote."""
    message = email.message_from_bytes(raw[:MOST_BYTES], policy=default)
    markup, text = _bodies(message)
    shown = text if len(text.strip()) > 40 or not markup else _seen(markup)
    lines = tuple(line.strip() for line in _QUOTED.sub("", _UNSEEN.sub("", shown)).split("\n"))
    mailbox, _, domain = parseaddr(_header(message, "From"))[1].rpartition("@")
    return Letter(
        mailbox=mailbox.lower()[:64],
        domain=domain.lower()[:255],
        subject=_PREFIX.sub("", _header(message, "Subject"))[:500],
        lines=tuple(line for line in lines if line)[:_MOST_LINES],
        links=tuple(_links(markup, text)),
        sent_at=_sent(_header(message, "Date")),
    )


def _bodies(message: EmailMessage) -> tuple[str, str]:
    """The HTML and the plain text, those of an attached mail (a forward) included."""
    markup, text = "", ""
    for count, part in enumerate(message.walk()):
        if count >= _MOST_PARTS:
            break
        if part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment":
            content = _content(part)
            if part.get_content_subtype() == "html":
                markup += content
            elif part.get_content_subtype() == "plain":
                text += content + "\n"
    return markup, plain(text, most=100_000)


def _content(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    for encoding in (part.get_content_charset() or "utf-8", "utf-8", "cp1252"):
        try:
            return payload.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            continue
    return payload.decode("latin-1")


def _seen(markup: str) -> str:
    """Stars are often pictures: what they are called instead is read in their place."""
    named = _IMAGE.sub(lambda tag: f" {html.escape(tag[1] or tag[2] or '')} ", markup)
    return text_of(_CELL.sub(" \n</td>", named), most=100_000)


def _links(markup: str, text: str) -> Iterator[str]:
    found = [html.unescape(one or other) for one, other in _HREF.findall(markup)]
    found = found or re.findall(r"https?://[^\s<>\"]+", text)
    for address in found[:200]:
        if kept := link(address):
            yield kept


def _header(message: EmailMessage, name: str) -> str:
    raw = next((value for known, value in message.raw_items() if known.lower() == name.lower()), "")
    try:
        return " ".join(plain(str(default.header_fetch_parse(name, raw[:_MOST_HEADER])), most=2_000).split())
    except Exception:  # the standard library's header parser raises many things on broken headers
        return ""


def _sent(given: str) -> datetime | None:
    try:
        return in_utc(parsedate_to_datetime(given))
    except (TypeError, ValueError, OverflowError):
        return None
