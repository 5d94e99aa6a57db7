"""A mail that somebody passed on: who sent it first, under which subject and when, and where its own text begins.

Mail programs write the first headers above the text ("De : … Envoyé : … Objet : …"), each in its own order and words,
or attach the mail as it was. A mailing list that rewrites From names the sender in another header. Anybody can write
all of this, so that it proves nothing.
"""

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from email.message import Message
from email.utils import parsedate_to_datetime

from ingest.mail.letter import Letter, clean_subject, parse_message, read_header, read_letters, read_sender
from ingest.moments import written

Sender = tuple[str, str]  # mailbox and domain

_FROM = {"de", "from", "von", "expéditeur", "da"}
_DATE = {"date", "envoyé", "envoyé le", "sent", "gesendet", "datum", "date d'envoi"}
_SUBJECT = {"objet", "sujet", "subject", "betreff"}
_OTHERS = {"à", "a", "to", "an", "pour", "destinataire", "destinataires", "cc", "copie", "copie à", "cci", "bcc"}
_OTHERS |= {"répondre à", "reply-to", "reply to", "organisation", "organization", "importance", "kopie", "priorité"}
_LABELS = _FROM | _DATE | _SUBJECT | _OTHERS
_MESSAGE_OF = "message du "  # Orange and La Poste: "> Message du 02/11/26 10:00"
_LIST_HEADERS = ("X-Original-From", "X-Original-Sender", "Reply-To")
_MAX_HEAD_LINES = 60  # among which the first headers stand
_MAX_LABEL_CHARS = 20
_MAX_ATTACHED = 5
_LOCAL_CHARS = frozenset(string.ascii_letters + string.digits + "._+-")
_DOMAIN_CHARS = frozenset(string.ascii_letters + string.digits + ".-")
_HALF_DAY = re.compile(r"\d\s?[ap]\.?m\b", re.I)


@dataclass(slots=True)
class _Head:
    """The first headers as they stand above a text: the lines that they take, and their values by kind."""

    begin: int
    end: int
    values: dict[str, str] = field(default_factory=dict)


def unfold_forward(letter: Letter, is_read: Callable[[str, str], bool], zone: tzinfo | None) -> Letter | None:
    """Return the mail that was passed on inside `letter`, from the first sender for whom `is_read`; None if none.

    Its date is of `zone`, else of the zone of the outer mail; the outer date stands where it cannot be read.
    """
    for index, line in enumerate(letter.lines[:_MAX_HEAD_LINES]):
        label, value = _split_label(line)
        if label not in _FROM:
            continue
        sender = _find_address(value) if "@" in value else _find_address(_line_at(letter, index + 1))
        if is_read(*sender):
            return _unfold(letter, index, sender, zone)
    return None


def attached_letters(message: Message, is_read: Callable[[str, str], bool]) -> list[Letter]:
    """Return what the first attached mail shows whose sender `is_read`; nothing where there is none."""
    for inner in _attached_mails(message):
        mailbox, _, domain = read_sender(inner).rpartition("@")
        if is_read(mailbox, domain):
            return read_letters(inner)
    return []


def first_sender(message: Message, is_read: Callable[[str, str], bool]) -> Sender | None:
    """Return the sender whom a mailing list that rewrote From names elsewhere; None where none `is_read`."""
    for name in _LIST_HEADERS:
        mailbox, _, domain = read_sender(message, name).rpartition("@")
        if is_read(mailbox, domain):
            return mailbox, domain
    return None


def offset_of(message: Message) -> tzinfo:
    """Return the zone in which a mail was sent."""
    try:
        return parsedate_to_datetime(read_header(message, "Date")).tzinfo or UTC
    except (TypeError, ValueError, OverflowError, IndexError):
        return UTC


def _attached_mails(message: Message) -> Iterator[Message]:
    count = 0
    for part in message.walk():
        if part is message or count == _MAX_ATTACHED:
            continue
        if part.get_content_type() == "message/rfc822" and part.is_multipart():
            inner = part.get_payload(0)
        elif str(part.get_filename() or "").lower().endswith(".eml"):
            content = part.get_payload(decode=True)
            inner = parse_message(content) if isinstance(content, bytes) else None
        else:
            continue
        if isinstance(inner, Message):
            count += 1
            yield inner


def _unfold(letter: Letter, index: int, sender: Sender, zone: tzinfo | None) -> Letter:
    head = _read_head(letter.lines, index)
    subject = clean_subject(head.values.get("subject", ""))
    if not subject or letter.subject.startswith(subject):  # a long one goes on in a second line
        subject = letter.subject
    sent_at = _read_date(head.values.get("date", ""), zone or UTC)
    if sent_at is None or (letter.sent_at and sent_at > letter.sent_at + timedelta(days=1)):
        sent_at = letter.sent_at
    mailbox, domain = sender
    lines = letter.lines[head.end :]
    return replace(letter, mailbox=mailbox, domain=domain, subject=subject, lines=lines, sent_at=sent_at)


def _read_head(lines: tuple[str, ...], index: int) -> _Head:
    """Return the headers around the line `index`; a value may stand below its label."""
    begin = index
    while begin > 0 and (_is_labelled(lines[begin - 1]) or (begin > 1 and _is_open(lines[begin - 2]))):
        begin -= 1
    head = _Head(begin, begin)
    while head.end < len(lines) and _is_labelled(lines[head.end]):
        label, value = _split_label(lines[head.end])
        head.end += 1
        following = lines[head.end] if head.end < len(lines) else ""
        if not value and not _is_labelled(following) and label not in _OTHERS:
            value = following
            head.end += 1
        elif not _is_labelled(following) and _has_label_next(lines, head.end):
            value = f"{value} {following}"  # the rest of a long one
            head.end += 1
        head.values.setdefault(_kind_of(label), value)
    return head


def _has_label_next(lines: tuple[str, ...], index: int) -> bool:
    return index + 1 < len(lines) and _is_labelled(lines[index + 1])


def _is_open(line: str) -> bool:
    """Whether a line is a label whose value stands below."""
    label, value = _split_label(line)
    return bool(label) and not value


def _is_labelled(line: str) -> bool:
    return bool(_split_label(line)[0])


def _split_label(line: str) -> tuple[str, str]:
    """Return label and value of a header's line; an empty label for any other line."""
    bare = line.replace("*", "").strip("| ")
    if bare.lower().startswith(_MESSAGE_OF):
        return "date", bare[len(_MESSAGE_OF) :]
    label, colon, value = bare.partition(":")
    label = label.strip().lower().replace("’", "'")
    is_label = bool(colon) and len(label) <= _MAX_LABEL_CHARS and label in _LABELS
    return (label, value.strip()) if is_label else ("", "")


def _kind_of(label: str) -> str:
    if label in _DATE:
        return "date"
    return "subject" if label in _SUBJECT else "sender" if label in _FROM else "other"


def _line_at(letter: Letter, index: int) -> str:
    return letter.lines[index] if index < len(letter.lines) else ""


def _read_date(value: str, zone: tzinfo) -> datetime | None:
    """Return the moment that a mail program wrote; a clock of half a day is of people who write the month first."""
    return written(value, zone, month_first=bool(_HALF_DAY.search(value)))


def _find_address(text: str) -> Sender:
    """Return mailbox and domain of the first mail address in `text`, in lower case; empty when there is none."""
    before, at, after = text.partition("@")
    while at and before[-1:] not in _LOCAL_CHARS:
        before, at, after = after.partition("@")
    if not at:
        return "", ""
    start = next((index for index in range(len(before), 0, -1) if before[index - 1] not in _LOCAL_CHARS), 0)
    end = next((index for index, char in enumerate(after) if char not in _DOMAIN_CHARS), len(after))
    return before[start:].lower(), after[:end].strip(".").lower()
