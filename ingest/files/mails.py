"""Mails that an owner drops: one .eml, or an mbox of many. Only those of review platforms are read."""

import re
from collections.abc import Iterator

from ingest.files.table import BadRow, How, Read
from ingest.mail.receive import review_of
from vigie.errors import InvalidInputError

_HEADERS = re.compile(
    rb"^(?:From |Return-Path:|Received:|Delivered-To:|MIME-Version:|Message-ID:|From:|Subject:|Date:|X-[\w-]+:"
    rb"|DKIM-Signature:|Authentication-Results:|ARC-)",
    re.I,
)
_MAX_MAILS = 20_000


def looks_like(head: bytes) -> bool:
    """Whether a file begins as a mail does."""
    return bool(_HEADERS.match(head)) and bool(re.search(rb"^From:|^From ", head, re.M | re.I))


def read(body: bytes, how: How) -> Read:
    """Read mails; only a DKIM signature proves one of them, since no provider vouches for a file.

    Raises `InvalidInputError` when none is a review platform's.
    """
    result = Read(columns={"format": "mail"})
    for number, raw in enumerate(_split(body), start=1):
        try:
            review = review_of(raw.replace(b"\n>From ", b"\nFrom "))
        except Exception:  # a stranger's mail: the others count
            result.bad.append(BadRow(number, "this mail cannot be read"))
            continue
        if review is None:
            result.bad.append(BadRow(number, "this mail is no review that Vigie recognises"))
        else:
            result.found.append(review)
    if not result.found:
        raise InvalidInputError("no mail of it is a review that Vigie recognises")
    return result


def _split(body: bytes) -> Iterator[bytes]:
    """Return the mails of an mbox file, or the one mail that a file is."""
    if not body.startswith(b"From "):
        yield body
        return
    lines: list[bytes] = []
    count = 0
    for line in body.split(b"\n"):
        if not _is_separator(line):
            lines.append(line)
            continue
        if any(part.strip() for part in lines):
            yield b"\n".join(lines)
            count += 1
        lines = []
        if count == _MAX_MAILS:
            return
    if any(part.strip() for part in lines):
        yield b"\n".join(lines)


def _is_separator(line: bytes) -> bool:
    """Whether a line begins a mail: "From ", a sender, and a moment with its year."""
    words = line[:200].split()
    return line.startswith(b"From ") and any(word.isdigit() and len(word) == 4 for word in words)
