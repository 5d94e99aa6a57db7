"""Mentions into the log: one record carries what one poll brought for one company, up to 50 of them."""

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from vigie import clock, db, ids, metrics, pseudonyms, traces
from vigie.events import CONTENT_TYPE, MOST_MENTIONS, Mention, MentionsCollected, Notify, Origin, encode
from vigie.log import MENTIONS, WEIGHT_HEADER, EventLog, Message

_MOST_BYTES = 256_000


class Parcel(NamedTuple):
    """What one source brought for one company at one time."""

    company_id: str
    source: Origin
    mentions: Sequence[Mention]
    notify: Notify = "fresh"


class Intake:
    """Where what strangers wrote enters the log: under a pseudonym, where the company asks for it.

    `key` is the installation's secret.
    """

    def __init__(self, engine: Engine, log: EventLog, key: str) -> None:
        self._engine, self._log, self._key = engine, log, key

    def append(self, *parcels: Parcel) -> None:
        """Durable on return; raises `UnavailableError`."""
        parcels = tuple(one for one in parcels if one.mentions)
        if not parcels:
            return
        with db.reading(self._engine) as connection:
            masking = pseudonyms.wanted(connection, {one.company_id for one in parcels})
        shown = [self._masked(one) if one.company_id in masking else one for one in parcels]
        with metrics.timed(metrics.append_seconds), traces.span("append mentions", "producer"):
            self._log.append(MENTIONS, [message for one in shown for message in messages(*one)])
        for parcel in parcels:
            metrics.add_by_kind(metrics.mentions_collected, {parcel.source.kind: len(parcel.mentions)})

    def _masked(self, parcel: Parcel) -> Parcel:
        masked = [pseudonyms.masked(self._key, parcel.company_id, one) for one in parcel.mentions]
        return parcel._replace(mentions=masked)


def append(
    log: EventLog, company_id: str, source: Origin, mentions: Sequence[Mention], *, notify: Notify = "fresh"
) -> None:
    """Durable on return; raises `UnavailableError`."""
    if mentions:
        log.append(MENTIONS, list(messages(company_id, source, mentions, notify)))


def messages(company_id: str, source: Origin, mentions: Sequence[Mention], notify: Notify) -> Iterator[Message]:
    """The records that carry `mentions`, each within 50 mentions and 256 kB."""
    for part in _parts(mentions):
        event = MentionsCollected(
            id=ids.derived("collected", company_id, source.id, *(mention.id for mention in part), clock.now()),
            time=clock.now(),
            company_id=company_id,
            source=source,
            mentions=tuple(part),
            notify=notify,
            traceparent=traces.current(),
        )
        headers = (("content-type", CONTENT_TYPE.encode()), (WEIGHT_HEADER, str(len(part)).encode()))
        yield Message(company_id, encode(event), headers)


def _parts(mentions: Sequence[Mention]) -> Iterator[list[Mention]]:
    part: list[Mention] = []
    size = 0
    for mention in mentions:
        weight = 1_000 + len(
            json.dumps([mention.text, mention.title, mention.reply, mention.url], ensure_ascii=False).encode()
        )
        if part and (len(part) == MOST_MENTIONS or size + weight > _MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(mention)
        size += weight
    if part:
        yield part
