"""One mail as a review: proven or standing apart, read or not recognised."""

import re
from collections.abc import Collection
from dataclasses import replace

from ingest.found import Found
from ingest.mail.letter import Letter, opened
from ingest.mail.proof import is_proven, recipients
from ingest.mail.reader import Layout, layout_of, layouts, read
from vigie import ids

_INNER = re.compile(r"^\*?(?:de|from|von|expéditeur)\s?\*?\s*:\*?\s.*?([\w.+-]+)@([\w.-]+)", re.I)


def review_of(raw: bytes, trusted: Collection[str] = (), ours: Collection[str] = ()) -> Found | None:
    """The review that a platform's mail tells of; None for any other mail, and for one that cannot be read surely.

    A mail that somebody forwarded by hand proves nothing of the platform: its review stands apart. One that the
    platform sent first to another address than `ours` (none: to any) waits for its owner's word.
    """
    letter = opened(raw)
    layout, is_direct = layout_of(letter.mailbox, letter.domain), True
    if layout is None:
        layout, is_direct = _forwarded(letter), False
    found = read(letter, layout) if layout else None
    if found is None or layout is None:
        return None
    if not is_direct or not is_proven(raw, layout.domains, trusted):
        # An identity of its own: a forged copy of a real mail must not take its place.
        return replace(found, apart="unverified", external_id=ids.derived("unverified", found.external_id))
    first = recipients(raw, layout.domains)
    if not ours or first & {one.lower() for one in ours}:
        return found
    asked = ids.derived("recipient", layout.platform, found.layout, *sorted(first)) if first else None
    return replace(found, apart="unconfirmed", layout=asked)


def senders() -> list[str]:
    """The domains whose mails are read; no other mail is even fetched."""
    return sorted({domain for layout in layouts() for domain in layout.domains})


def _forwarded(letter: Letter) -> Layout | None:
    for line in letter.lines[:60]:
        if (match := _INNER.match(line)) and (layout := layout_of(match[1].lower(), match[2].lower())):
            return layout
    return None
