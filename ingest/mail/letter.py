"""A mail's bytes as what its reader sees: sender, subject, lines, links.

Bounded before it is parsed: bytes, lines, parts, and the length of each header. Nothing in it is trusted.
"""

import codecs
import email
import email.header
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import Message
from email.policy import Compat32
from email.utils import parseaddr, parsedate_to_datetime

from ingest.clean import link, plain, text_of
from ingest.mail.addresses import unwrap
from ingest.moments import in_utc, written

MAX_BYTES = 2_000_000
MAX_SOURCE_LINES = 60_000
MAX_CONTENT_TYPES = 60  # so neither parts nor their nesting are more
MAX_HEADERS = 2_000
MAX_HEADER_CHARS = 4_000
MAX_TEXT_CHARS = 100_000
MAX_LINES = 400
MAX_LINE_CHARS = 1_000
MAX_LINKS = 200
# What may stand between a tag's name and an attribute is bounded: a tag that never ends must not be read to the end.
_IMAGE = re.compile(
    r"<img\b[^<>]{0,2000}?\balt\s{0,9}=\s{0,9}(?:\"([^\"<>]{0,500})\"|'([^'<>]{0,500})')[^<>]{0,2000}>", re.I
)
_HREF = re.compile(r"<a\b[^<>]{0,2000}?\bhref\s{0,9}=\s{0,9}(?:\"([^\"<>]{0,4000})\"|'([^'<>]{0,4000})')", re.I)
_ADDRESS = re.compile(r"https?://[^\s<>\"]{1,4000}")
_BLANKS = re.compile(r"[ \t]{2,}")
_CELL = re.compile(r"</t[dh]\s{0,9}>", re.I)
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\u034f]")
_REPLY_PREFIXES = ("re", "tr", "fw", "fwd", "réf", "wg", "aw", "rv", "enc", "trans", "transf")
# What gateways put before the subject of a mail from outside: "[EXTERNE]", "(External) ", "EXT: ".
_EXTERNAL = "externe?|external|extern|ext|externo|hors organisation"
_GATEWAY_TAG = re.compile(
    rf"[\[(*{{<]{{1,3}}\s?(?:(?:e-?mail|mail|message|expéditeur|sender|source|courriel)\s)?(?:{_EXTERNAL})"
    r"(?:\s(?:e-?mail|mail|message|sender))?\s?[\])*}>]{1,3}\s?[:-]?\s?"
    rf"|(?:{_EXTERNAL})\s?:\s?",
    re.I,
)
# What the web's Encoding Standard reads under these names (WHATWG, 4.2): mail programs that write them mean it too.
_MEANT_CHARACTER_SETS = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
# Codecs that are no character sets of mails; some take time that grows with the square of the text.
_NO_CHARACTER_SETS = {"undefined", "punycode", "idna", "unicode_escape", "raw_unicode_escape", "unicode-escape"}


class _BoundedPolicy(Compat32):
    """The old policy, whose structure needs no full header parser, with headers cut where they are read."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        if len(value) > MAX_HEADER_CHARS:  # blanks first: a signature does not count them
            value = " ".join(value.split())[:MAX_HEADER_CHARS]
        return name, value


_POLICY = _BoundedPolicy()


class UnreadableMailError(ValueError):
    """The mail is built so that reading it costs too much, or is broken beyond reading."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The visible content of a mail. `mailbox` and `domain` are those of its From header, which anybody can write."""

    mailbox: str
    domain: str
    subject: str
    lines: tuple[str, ...]
    links: tuple[str, ...]
    sent_at: datetime | None
    # Whether the links are those of the markup; else they are addresses in the text, which strangers may have written.
    is_linked_by_markup: bool = False


def parse_message(raw: bytes) -> Message:
    """Return the bounded structure of a mail. Raises `UnreadableMailError`."""
    raw = raw[:MAX_BYTES]
    if raw.lower().count(b"content-type:") > MAX_CONTENT_TYPES:
        raise UnreadableMailError("it has too many parts")
    if raw.count(b"\n") > MAX_SOURCE_LINES:
        raw = b"\n".join(raw.split(b"\n", MAX_SOURCE_LINES)[:MAX_SOURCE_LINES])
    try:
        message = email.message_from_bytes(raw, policy=_POLICY)
    except Exception as error:  # the standard library raises many things on broken mails
        raise UnreadableMailError(f"it is broken ({type(error).__name__})") from error
    if len(message.keys()) > MAX_HEADERS:
        raise UnreadableMailError("it has too many headers")
    return message


def read_letters(message: Message) -> list[Letter]:
    """Return what a parsed mail shows: its plain text, where that is more than a few words, and its HTML.

    Many plain parts say only that there is an HTML part; which of the two holds a review is seen as it is read.
    """
    markup, text = _read_bodies(message)
    is_text_enough = len(text.strip()) > 40 or not markup
    bodies = [text] if is_text_enough else []
    if markup:
        bodies.append(_render(markup))
    mailbox, _, domain = read_sender(message).rpartition("@")
    links, is_linked_by_markup = _read_links(markup, text)
    letter = Letter(
        mailbox=mailbox[:64],
        domain=domain[:255],
        subject=clean_subject(read_header(message, "Subject")),
        lines=(),
        links=links,
        sent_at=_parse_date(read_header(message, "Date")),
        is_linked_by_markup=is_linked_by_markup,
    )
    return [replace(letter, lines=tuple(_visible_lines(body))) for body in bodies]


def read_header(message: Message, name: str) -> str:
    """Return the first header of that name, decoded, on one line; empty when there is none."""
    value = str(message.get(name, ""))[:MAX_HEADER_CHARS]
    try:
        parts = email.header.decode_header(value)
        decoded = str(email.header.make_header([(text, _meant(charset)) for text, charset in parts]))
    except Exception:  # the standard library raises many things on broken headers
        decoded = value
    return " ".join(plain(decoded, most=2_000).split())


def read_sender(message: Message, name: str = "From") -> str:
    """Return the address in From, or in the header of another name, in lower case; empty when there is none."""
    value = str(message.get(name, ""))[:MAX_HEADER_CHARS]
    try:
        return parseaddr(" ".join(value.split()))[1].lower()
    except Exception:  # nested comments exhaust the standard library's recursion
        return ""


def _read_bodies(message: Message) -> tuple[str, str]:
    """Return the HTML and the plain text, those of an attached mail (a forward) included."""
    markup, text = "", ""
    for part in message.walk():
        is_attachment = _without_parameters(part, "Content-Disposition") == "attachment"
        if part.get_content_maintype() != "text" or is_attachment:
            continue
        if part.get_content_subtype() == "html":
            markup += _BLANKS.sub(" ", decode_part(part))
        elif part.get_content_subtype() == "plain":
            text += _BLANKS.sub(" ", decode_part(part)) + "\n"
    return markup, plain(text, most=MAX_TEXT_CHARS)


def _without_parameters(part: Message, name: str) -> str:
    return str(part.get(name, "")).partition(";")[0].strip().lower()


def decode_part(part: Message) -> str:
    """Return the text of one part; empty where its encoding is broken."""
    try:
        payload = part.get_payload(decode=True)
        declared = part.get_content_charset() or "utf-8"
    except Exception:  # a transfer encoding or a parameter that is broken
        return ""
    if not isinstance(payload, bytes):
        return ""
    for charset in (_meant(declared) or "utf-8", "utf-8", "cp1252"):
        try:
            if codecs.lookup(charset).name not in _NO_CHARACTER_SETS:
                return payload.decode(charset)
        except (LookupError, ValueError):
            continue
    return payload.decode("latin-1")


def _meant(charset: str | None) -> str | None:
    """Return the character set that writers mean who declare `charset`."""
    try:
        return _MEANT_CHARACTER_SETS.get(codecs.lookup(charset).name, charset) if charset else None
    except (LookupError, ValueError):
        return charset


def _render(markup: str) -> str:
    """Return the text of HTML. Stars are often pictures: their alternative text stands in their place."""
    with_names = _IMAGE.sub(lambda tag: f" {html.escape(tag[1] or tag[2] or '')} ", markup)
    return text_of(_CELL.sub(" \n</td>", with_names), most=MAX_TEXT_CHARS)


def _visible_lines(text: str) -> Iterator[str]:
    """Return the lines that hold something, without marks of quotation, invisible letters and spare spaces."""
    count = 0
    for line in _INVISIBLE.sub("", text).split("\n"):
        cleaned = " ".join(line.split())[:MAX_LINE_CHARS].strip().lstrip("> ")
        if cleaned:
            yield cleaned
            count += 1
        if count == MAX_LINES:
            return


def clean_subject(subject: str) -> str:
    """Return a subject without what mail programs and gateways put before it, at most 500 characters long."""
    while True:
        prefix, colon, rest = subject.partition(":")
        if colon and prefix.strip().lower() in _REPLY_PREFIXES:
            subject = rest.strip()
        elif tag := _GATEWAY_TAG.match(subject):
            subject = subject[tag.end() :].strip()
        else:
            return subject[:500]


def _read_links(markup: str, text: str) -> tuple[tuple[str, ...], bool]:
    """Return the web addresses of a mail, and whether they are those of its markup."""
    addresses = [html.unescape(double or single) for double, single in _HREF.findall(markup)]
    is_markup = bool(addresses)
    addresses = addresses or _ADDRESS.findall(text)
    links = (link(unwrap(address)) for address in addresses[:MAX_LINKS])
    return tuple(address for address in links if address), is_markup


def _parse_date(value: str) -> datetime | None:
    try:
        return in_utc(parsedate_to_datetime(value))
    except (TypeError, ValueError, OverflowError, IndexError):
        return written(value)  # in words: "lun., 2 nov. 2026 10:00:00 +0100"
