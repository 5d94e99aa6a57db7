"""Mails that an owner drops: one .eml, or an mbox of many. Only those of review platforms are read."""

import re

from ingest.files.table import BadRow, How, Read
from ingest.mail.receive import review_of
from vigie.errors import InvalidInputError

_HEADERS = re.compile(
    rb"^(?:From |Return-Path:|Received:|Delivered-To:|MIME-Version:|Message-ID:|From:|Subject:|Date:|X-[\w-]+:"
    rb"|DKIM-Signature:|Authentication-Results:|ARC-)",
    re.I,
)
_SEPARATOR = re.compile(rb"^From .*\d{4}.*\r?\n", re.M)
_MOST = 20_000


def looks_like(head: bytes) -> bool:
    """Whether a file begins as a mail does."""
    return bool(_HEADERS.match(head)) and bool(re.search(rb"^From:|^From ", head, re.M | re.I))


def read(body: bytes, how: How) -> Read:
    """Read mails; only a DKIM signature proves one of them, since no provider vouches for a file.

    Raises `InvalidInputError` when none is a review platform's.
    """
    letters = [part for part in _SEPARATOR.split(body) if part.strip()] if body.startswith(b"From ") else [body]
    result = Read(columns={"format": "mail"})
    for number, raw in enumerate(letters[:_MOST], start=1):
        found = review_of(raw.replace(b"\n>From ", b"\nFrom "))
        if found is None:
            result.bad.append(BadRow(number, "this mail is no review that Vigie recognises"))
        else:
            result.found.append(found)
    if not result.found:
        raise InvalidInputError("no mail of it is a review that Vigie recognises")
    return result
