"""What a source found, before it has an identity; and that identity.

A mention's id is a hash of the company, a namespace and what identifies it there: its id, else its address where only
one entry of the poll has it, else what it says. So whatever is collected again is known again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingest.clean import link, plain, shown
from vigie import clock, ids
from vigie.events import MOST_TEXT, Apart, Mention

_OLDEST = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One review or mention, in plain text, as its source gave it. Moments are aware."""

    text: str
    external_id: str | None = None
    url: str | None = None
    author: str | None = None
    # An e-mail address that the customer left to be answered; never shown as the author.
    title: str | None = None
    language: str | None = None
    rating: float | None = None
    rating_given: str | None = None
    published_at: datetime | None = None
    updated_at: datetime | None = None
    experienced_at: datetime | None = None
    reply: str | None = None
    platform: str | None = None
    translation: str | None = None
    apart: Apart | None = None
    layout: str | None = None
    contact: str | None = None
    wish: str | None = None
    # Told in words ("3 weeks ago") or without its day: no part of the identity, since it moves with every reading.
    is_date_approximate: bool = False
    # As a column of a file names it: shown, and no part of the identity of rows that were imported without it.
    told_platform: str | None = None


def mentions(
    company_id: str,
    source_id: str,
    found: Iterable[Found],
    *,
    platform: str | None = None,
    keep_days: int | None = None,
    numbered: bool = False,
) -> list[Mention]:
    """What was found, as mentions; the same entry given twice comes once.

    An id is one of its platform's, where there is one, else of its source. Words expire after `keep_days`, with none of
    them before they are stored. With
    `numbered`, for files, equal entries without an id are different ones: the n-th is known as the n-th again.
    """
    entries = list(found)
    collected_at = clock.now()
    known: dict[str, Mention] = {}
    for one, identity in zip(entries, _identities(entries, numbered), strict=True):
        place = one.platform or platform
        mention_id = ids.derived("mention", company_id, place or source_id, *identity)
        expires_at = collected_at + timedelta(days=keep_days) if keep_days is not None else None
        known.setdefault(mention_id, _mention(mention_id, one, place or one.told_platform, collected_at, expires_at))
    return list(known.values())


def _identities(entries: list[Found], numbered: bool) -> Iterator[tuple[object, ...]]:
    urls, seen = Counter(one.url for one in entries), Counter[tuple[object, ...]]()
    for one in entries:
        if one.external_id:
            yield "id", one.external_id
        elif one.url and urls[one.url] == 1:
            yield "url", one.url
        else:
            day = None if one.is_date_approximate else one.published_at
            says = (one.author, day, one.rating, one.title, one.text)
            seen[says] += 1
            yield "says", *says, seen[says] if numbered else 1


def _mention(
    mention_id: str, one: Found, platform: str | None, collected_at: datetime, expires_at: datetime | None
) -> Mention:
    published_at, known = one.published_at, not one.is_date_approximate
    if published_at is None or not _OLDEST <= published_at <= collected_at + timedelta(days=1):
        published_at, known = collected_at, False  # a missing, absurd or future date is our first sight of it
    return Mention(
        id=mention_id,
        text=plain(one.text),
        cut=len(one.text) > MOST_TEXT,
        published_at=published_at,
        published_at_known=known,
        collected_at=collected_at,
        url=link(one.url),
        author=shown(one.author, most=500) or None,
        title=shown(one.title, most=2_000) or None,
        language=one.language,
        rating=one.rating,
        rating_given=plain(one.rating_given, most=64) or None,
        experienced_at=one.experienced_at,
        updated_at=one.updated_at,
        reply=plain(one.reply) or None,
        platform=platform,
        translation=plain(one.translation) or None,
        apart=one.apart,
        layout=one.layout,
        expires_at=expires_at,
        contact=plain(one.contact, most=320) or None,
        wish=plain(one.wish) or None,
    )
