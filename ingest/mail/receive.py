"""One mail as reviews: proven, or excluded until its owner says that they count; or not understood, or no review."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import tzinfo
from email.message import Message

from ingest.found import Found
from ingest.mail.content import MailContent
from ingest.mail.forward import attached_letters, first_sender, offset_of, unfold_forward
from ingest.mail.letter import Letter, parse_message, read_letters
from ingest.mail.proof import is_proven, recipients
from ingest.mail.reader import Layout, is_about_reviews, is_removal, layout_of, layouts, read_reviews
from vigie import ids
from vigie.errors import UnavailableError


def read_mail(
    raw: bytes, own_addresses: Collection[str] = (), *, waits_for_dns: bool = False, zone: tzinfo | None = None
) -> MailContent:
    """Return the reviews that a platform's mail tells of; none for any other mail, or one that cannot be read surely.

    A mail that somebody passed on proves nothing of the platform: its reviews are excluded, and dated by the first
    mail, whose clock is of `zone` (none: of the outer mail's). One that the platform sent first to another address than
    `own_addresses` (none: to any) waits for its owner's word.

    Raises `UnreadableMailError`, and `UnavailableError` where it `waits_for_dns` that does not answer.
    """
    message = parse_message(raw)
    letters = read_letters(message)
    layout = layout_of(letters[0].mailbox, letters[0].domain)
    is_direct = layout is not None
    if layout is None:
        letters = _first_letters(message, letters, zone)
        layout = layout_of(letters[0].mailbox, letters[0].domain) if letters else None
    if layout is None:
        return MailContent()
    letter, reviews = _read_best(letters, layout)
    if not reviews:
        return MailContent(doubt=_explain_doubt(letter, layout))
    if not is_direct or not _prove(raw, message, layout, waits_for_dns=waits_for_dns):
        return MailContent(tuple(map(_as_unverified, reviews)))
    question = _question_of(letter, layout, message, own_addresses)
    return MailContent(tuple(_ask(review, layout, question) for review in reviews))


def senders() -> list[str]:
    """Return the domains whose mails are read; no other mail is even fetched."""
    return sorted({domain for layout in layouts() for domain in layout.domains})


def _is_read(mailbox: str, domain: str) -> bool:
    return layout_of(mailbox, domain) is not None


def _first_letters(message: Message, letters: list[Letter], zone: tzinfo | None) -> list[Letter]:
    """Return the platform's mail that somebody passed on; nothing where there is none."""
    if attached := attached_letters(message, _is_read):
        return attached
    zone = zone or offset_of(message)
    forwarded = [unfold_forward(letter, _is_read, zone) for letter in letters]
    if any(forwarded):
        return [letter for letter in forwarded if letter]
    sender = first_sender(message, _is_read)
    return [replace(letter, mailbox=sender[0], domain=sender[1]) for letter in letters] if sender else []


def _read_best(letters: list[Letter], layout: Layout) -> tuple[Letter, list[Found]]:
    """Return the part of a mail that holds its reviews best, and these; the first of equal ones."""
    readings = [(letter, read_reviews(letter, layout)) for letter in letters]
    return max(readings, key=lambda reading: _rank(reading[1]))


def _rank(reviews: list[Found]) -> tuple[bool, bool, bool]:
    has_text = any(review.text for review in reviews)
    return bool(reviews), bool(reviews) and all(review.apart is None for review in reviews), has_text


def _explain_doubt(letter: Letter, layout: Layout) -> str | None:
    """Return why a mail brought no review; None where it does not speak of any."""
    if not is_about_reviews(letter) or not layout.is_sender(letter.mailbox, letter.domain):
        return None
    if is_removal(letter):
        return f"a mail of {layout.platform} says that a review has been removed: nothing was changed"
    return f"a mail of {layout.platform} could not be understood: look at it yourself"


def _as_unverified(review: Found) -> Found:
    """Return an excluded review with an identity of its own: a forged copy of a real mail must not take its place."""
    return replace(review, apart="unverified", external_id=ids.derived("unverified", review.external_id))


@dataclass(frozen=True, slots=True)
class _Question:
    """Why the reviews of a proven mail wait for their owner's word; a yes holds for those with the same `parts`."""

    kind: str
    parts: tuple[str, ...]


def _question_of(letter: Letter, layout: Layout, message: Message, own_addresses: Collection[str]) -> _Question | None:
    if not layout.is_sender(letter.mailbox, letter.domain):  # the platform's, but perhaps what a stranger dictated
        return _Question("sender", (letter.domain,))
    first_recipients = recipients(message)
    lower_case = {address.lower() for address in own_addresses}
    if not own_addresses or first_recipients & lower_case:
        return None
    return _Question("recipient", tuple(sorted(first_recipients)))


def _ask(review: Found, layout: Layout, question: _Question | None) -> Found:
    if question is None:
        return review
    if not question.parts:  # "undisclosed recipients": a yes would hold for every such mail
        return replace(review, apart="unconfirmed", layout=None)
    shape = ids.derived(question.kind, layout.platform, review.layout, *question.parts)
    return replace(review, apart="unconfirmed", layout=shape)


def _prove(raw: bytes, message: Message, layout: Layout, *, waits_for_dns: bool) -> bool:
    try:
        return is_proven(raw, message, layout.domains)
    except UnavailableError:
        if waits_for_dns:
            raise
        return False
