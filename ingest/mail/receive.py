"""One mail as a review: proven, or excluded until its owner says that it counts; or no review."""

import string
from collections.abc import Collection
from dataclasses import replace
from email.message import Message

from ingest.found import Found
from ingest.mail.letter import Letter, parse_message, read_letter
from ingest.mail.proof import is_proven, recipients
from ingest.mail.reader import Layout, layout_of, layouts, read
from vigie import ids
from vigie.errors import UnavailableError

_FORWARD_LABELS = {"de", "from", "von", "expéditeur"}
_FORWARD_LINES = 60
_LOCAL_CHARS = frozenset(string.ascii_letters + string.digits + "._+-")
_DOMAIN_CHARS = frozenset(string.ascii_letters + string.digits + ".-")


def review_of(raw: bytes, own_addresses: Collection[str] = (), *, waits_for_dns: bool = False) -> Found | None:
    """Return the review that a platform's mail tells of; None for any other mail, or one that cannot be read surely.

    A mail that somebody forwarded by hand proves nothing of the platform: its review is excluded. One that the platform
    sent first to another address than `own_addresses` (none: to any) waits for its owner's word.

    Raises `UnreadableMailError`, and `UnavailableError` where it `waits_for_dns` that does not answer.
    """
    message = parse_message(raw)
    letter = read_letter(message)
    layout = layout_of(letter.mailbox, letter.domain)
    is_direct = layout is not None
    if layout is None:
        layout = _layout_of_forward(letter)
    review = read(letter, layout) if layout else None
    if review is None or layout is None:
        return None
    if not is_direct or not _prove(raw, message, layout, waits_for_dns=waits_for_dns):
        # An identity of its own: a forged copy of a real mail must not take its place.
        forged_id = ids.derived("unverified", review.external_id)
        return replace(review, apart="unverified", external_id=forged_id)
    if not layout.is_sender(letter.mailbox, letter.domain):  # the platform's, but perhaps what a stranger dictated
        question = ids.derived("sender", layout.platform, review.layout, letter.domain)
        return replace(review, apart="unconfirmed", layout=question)
    first_recipients = recipients(message)
    lower_case = {address.lower() for address in own_addresses}
    if not own_addresses or first_recipients & lower_case:
        return review
    if not first_recipients:  # "undisclosed recipients": a yes would hold for every such mail
        return replace(review, apart="unconfirmed", layout=None)
    question = ids.derived("recipient", layout.platform, review.layout, *sorted(first_recipients))
    return replace(review, apart="unconfirmed", layout=question)


def senders() -> list[str]:
    """Return the domains whose mails are read; no other mail is even fetched."""
    return sorted({domain for layout in layouts() for domain in layout.domains})


def _prove(raw: bytes, message: Message, layout: Layout, *, waits_for_dns: bool) -> bool:
    try:
        return is_proven(raw, message, layout.domains)
    except UnavailableError:
        if waits_for_dns:
            raise
        return False


def _layout_of_forward(letter: Letter) -> Layout | None:
    """Return the layout of the sender that a forwarded mail names in its first lines."""
    for line in letter.lines[:_FORWARD_LINES]:
        label, colon, rest = line.replace("*", "").partition(":")
        if colon and label.strip().lower() in _FORWARD_LABELS and (layout := layout_of(*_find_address(rest))):
            return layout
    return None


def _find_address(text: str) -> tuple[str, str]:
    """Return mailbox and domain of the first mail address in `text`, in lower case; empty when there is none."""
    before, at, after = text.partition("@")
    while at and before[-1:] not in _LOCAL_CHARS:
        before, at, after = after.partition("@")
    if not at:
        return "", ""
    start = next((index for index in range(len(before), 0, -1) if before[index - 1] not in _LOCAL_CHARS), 0)
    end = next((index for index, char in enumerate(after) if char not in _DOMAIN_CHARS), len(after))
    return before[start:].lower(), after[:end].strip(".").lower()
