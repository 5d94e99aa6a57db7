"""Mails that an owner drops: one .eml or .emlx, or an mbox of many. Only those of review platforms are read."""

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from ingest.files.table import BadRow, How, Read
from ingest.mail.receive import read_mail
from vigie.errors import InvalidInputError

_HEADER = re.compile(rb"[!-9;-~]{1,76}:")
_SENDER = re.compile(rb"^From: ?\S", re.M | re.I)
_OTHER_HEADER = re.compile(
    rb"^(?:To|Subject|Date|Message-ID|Received|MIME-Version|Delivered-To|Return-Path):", re.M | re.I
)
# Apple's .emlx: the length of the mail in bytes, the mail, and a property list.
_EMLX = re.compile(rb"(\d{1,10})[ \t]{0,9}\r?\n")
_BEFORE_A_FILE = b"\xef\xbb\xbf \t\r\n"
# RFC 4155: "From ", a sender, and a moment as asctime writes it; some add a zone, or leave out the seconds.
_CLOCK = re.compile(rb"\d{1,2}:\d{2}(?::\d{2})?")
_DAYS = {b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"}
_MAX_SEPARATOR_BYTES = 400
_MAX_MAILS = 20_000


def looks_like(head: bytes) -> bool:
    """Whether a file begins as a mail does: with headers, of which one names the sender."""
    if emlx := _EMLX.match(head):
        head = head[emlx.end() :]
    first_line, _, rest = head.partition(b"\n")
    if first_line.startswith(b"From ") and _HEADER.match(rest.lstrip(b">")):
        return True
    headers, *below = re.split(rb"\r?\n\r?\n", head, maxsplit=1)
    lines = headers.split(b"\n")
    complete_lines = lines if below else lines[:-1]
    if not all(_HEADER.match(line) or line[:1] in {b" ", b"\t"} for line in complete_lines):
        return False
    has_sender = bool(_SENDER.search(headers)) or not below  # what mail servers add may fill the beginning of a file
    return has_sender and bool(_OTHER_HEADER.search(headers))


def read(body: bytes, how: How) -> Read:
    """Read mails; only a DKIM signature proves one of them, since no provider vouches for a file.

    Raises `InvalidInputError` when none is a review platform's.
    """
    result = Read(columns={"format": "mail"})
    zone = ZoneInfo(how.timezone)
    doubts: list[str] = []
    for number, raw in enumerate(split_mails(body), start=1):
        try:
            content = read_mail(raw, zone=zone)
        except Exception:  # a stranger's mail: the others count
            result.bad.append(BadRow(number, "this mail cannot be read"))
            continue
        result.found += content.reviews
        if content.doubt:
            doubts.append(content.doubt)
        if not content.reviews:
            reason = content.doubt or "this mail is no review that Vigie recognises"
            result.bad.append(BadRow(number, reason))
    if not result.found:
        raise InvalidInputError(doubts[0] if doubts else "no mail of it is a review that Vigie recognises")
    return result


def split_mails(body: bytes) -> Iterator[bytes]:
    """Return the mails of an mbox file, or the one mail that a file is."""
    body = body.lstrip(_BEFORE_A_FILE)
    if emlx := _EMLX.match(body):
        yield body[emlx.end() : emlx.end() + int(emlx[1])]
    elif body.startswith(b"From "):
        yield from _split_mbox(body)
    else:
        yield body


def _split_mbox(body: bytes) -> Iterator[bytes]:
    lines: list[bytes] = []
    count = 0
    all_lines = body.split(b"\n")
    for index, line in enumerate(all_lines):
        is_first = index == 0
        following = all_lines[index + 1] if index + 1 < len(all_lines) else b""
        if not is_first and not (_is_separator(line) and _HEADER.match(following.lstrip(b">"))):
            lines.append(line)
            continue
        if any(part.strip() for part in lines):
            yield _unescape(lines)
            count += 1
        lines = []
        if count == _MAX_MAILS:
            return
    if any(part.strip() for part in lines):
        yield _unescape(lines)


def _unescape(lines: list[bytes]) -> bytes:
    """Return a mail without the signs that an mbox puts before lines that begin with "From "."""
    return b"\n".join(line[1:] if line.startswith(b">From ") else line for line in lines)


def _is_separator(line: bytes) -> bool:
    """Whether a line begins a mail in an mbox: a customer's sentence may begin with "From 2019" as well."""
    if not line.startswith(b"From "):
        return False
    words = line[:_MAX_SEPARATOR_BYTES].split()
    has_year = any(word.isdigit() and len(word) == 4 for word in words)
    has_clock = any(_CLOCK.fullmatch(word) for word in words)
    return has_year and has_clock and any(word in _DAYS for word in words)
