"""The analysis worker: reads what was collected, stores what it says, and looks at the windows that it touched."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain, islice
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, select

from analysis import alert_store, alerts, forgetting, homonyms, queries, reading, rereading, search, store, watch
from analysis.reading import Reading
from analysis.relevance import Taught
from analysis.themes import SHIPPED, Vocabulary, trade_of
from vigie import clock, db, due, metrics, traces
from vigie.consumer import Consumer, DeadLetter, Prepared
from vigie.db.tables import company
from vigie.errors import UndecodableError
from vigie.events import MentionsCollected, decode, envelope
from vigie.log import ANALYSIS, MENTIONS, EventLog, Record
from vigie.positions import StoredPositions

logger = structlog.get_logger(__name__)

# Seconds, while there is more to read: a few windows often, so that nobody waits long, other timers now and then.
_LOOK_EVERY, _ASK_EVERY = 0.5, 5.0
_FEW, _MANY = 2, 20
_SHARE = 5  # and each of the two for a fifth of the time at most, however long a window takes


class Analysis:
    """The handler of the group `analysis`."""

    group = ANALYSIS

    def __init__(
        self, engine: Engine, sentiment: str = "learned", vocabulary: Vocabulary = SHIPPED, key: str = ""
    ) -> None:
        self._engine = engine
        self._key = key
        self._sentiment = sentiment
        self._vocabulary = vocabulary
        self._companies: dict[str, Mapping[str, Any]] = {}
        self._taught: dict[str, Taught] = {}
        self._source_kinds: dict[str, str] = {}
        self._spans = traces.EventSpans()

    def prepare(self, records: Sequence[Record]) -> list[Prepared]:
        events = [_decoded(record) for record in records]
        collected = [event for event in events if isinstance(event, MentionsCollected)]
        self._learn(collected)
        self._begin_spans(collected)
        self._source_kinds = {event.source.id: event.source.kind for event in collected}
        collected = [event for event in collected if event.company_id in self._companies]
        metrics.add_by_kind(metrics.mentions_read, _count_read(collected))
        readings = iter(self._read(collected))
        prepared = [
            event if isinstance(event, Prepared) else self._prepared(record, event, readings)
            for record, event in zip(records, events, strict=True)
        ]
        if dropped := sum(outcome.dropped for outcome in prepared):
            logger.warning("mentions_dropped", mentions=dropped, why="their company was removed or never existed")
        return prepared

    def apply(self, connection: Connection, works: Sequence[list[store.Row]]) -> Mapping[str, int]:
        work = list(chain.from_iterable(works))
        present = set(
            connection.scalars(select(company.c.id).where(company.c.id.in_({row["company_id"] for row in work})))
        )
        forgotten = forgetting.is_forgotten(connection, present)
        rows = [row for row in work if row["company_id"] in present]
        for row in rows if forgotten else ():
            if forgetting.must_go(row, forgotten.get(row["company_id"], ()), self._key):
                row |= forgetting.erased(row)
        with traces.following(self._spans.parents):
            stored = store.store(connection, rows)
        self._spans.end()
        return Counter(self._source_kinds.get(row["source_id"], "unknown") for row in stored)

    def _prepared(self, record: Record, event: MentionsCollected, readings: Iterator[Reading]) -> Prepared:
        firm = self._companies.get(event.company_id)
        if firm is None:
            return Prepared(dropped=len(event.mentions) + len(event.unusable))
        read = list(islice(readings, len(event.mentions)))
        return Prepared(self._rows(firm, event, read), _dead_parts(record, event))

    def _begin_spans(self, events: Sequence[MentionsCollected]) -> None:
        self._spans.end()
        self._spans = traces.EventSpans()
        for event in events if traces.is_on() else ():
            self._spans.begin(event.traceparent, event.company_id, [mention.id for mention in event.mentions])

    def _learn(self, events: Sequence[MentionsCollected]) -> None:
        """Read the firms anew for each batch: one may have been added, renamed, or have taught its guard."""
        with db.reading(self._engine) as connection:
            ours = company.c.id.in_({event.company_id for event in events})
            self._companies = {
                row["id"]: dict(row) for row in connection.execute(select(company).where(ours)).mappings()
            }
            guarded = {event.company_id for event in events if event.source.guarded} & set(self._companies)
            self._taught = {one: homonyms.taught(connection, self._companies[one]) for one in guarded}

    def _read(self, events: Sequence[MentionsCollected]) -> list[Reading]:
        """Every mention of every event at once, in order: the model reads a hundred texts for little more than one."""
        asked = []
        for event in events:
            firm = self._companies[event.company_id]
            default, trade = firm["language"], trade_of(firm["sector"])
            asked += [
                reading.Asked(one.text, one.title, one.language, one.rating, default, trade) for one in event.mentions
            ]
        return reading.read_all(asked, self._sentiment, self._vocabulary)

    def _rows(self, firm: Mapping[str, Any], event: MentionsCollected, readings: Sequence[Reading]) -> list[store.Row]:
        guarded = event.source.guarded
        taught = self._taught.get(firm["id"], homonyms.NOTHING)
        return [
            store.row_of(
                firm,
                event.source,
                one,
                read,
                event.notify,
                homonyms.about(firm, one.title, one.text, one.url, taught) if guarded else None,
            )
            for one, read in zip(event.mentions, readings, strict=True)
        ]


def _count_read(events: Sequence[MentionsCollected]) -> Counter[str]:
    """Return how many mentions the events carry, by source kind."""
    counts: Counter[str] = Counter()
    for event in events:
        counts[event.source.kind] += len(event.mentions)
    return counts


def _decoded(record: Record) -> MentionsCollected | Prepared:
    """What was collected; or what a record that cannot be read comes to."""
    try:
        event = decode(record.value)
        if isinstance(event, MentionsCollected):
            return event
        reason = f"{event.TYPE} has no place in this topic"
    except UndecodableError as error:
        reason = str(error)
    return Prepared(dead=[DeadLetter(record, reason, record.value)])


def _dead_parts(record: Record, event: MentionsCollected) -> list[DeadLetter]:
    """Each unusable mention alone, in an event like the one it came in."""
    dead = []
    for part, unusable in enumerate(event.unusable, start=1):
        whole = envelope(event)
        whole["data"] = {**event.data(), "mentions": [unusable.data]}
        dead.append(DeadLetter(record, unusable.reason, _json(whole), part, event.source.kind))
    return dead


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


class Worker:
    """One analysis worker: a member of the group, and a hand at the timers."""

    def __init__(
        self,
        engine: Engine,
        log: EventLog,
        sentiment: str = "learned",
        vocabulary: Vocabulary = SHIPPED,
        key: str = "",
    ) -> None:
        self._engine = engine
        self._subscription = log.subscribe(ANALYSIS, [MENTIONS], StoredPositions(engine))
        self._consumer = Consumer(self._subscription, engine, Analysis(engine, sentiment, vocabulary, key))
        self._timers = (
            homonyms.decide_due, watch.look_due, search.fill,
            lambda engine: rereading.advance(engine, sentiment, vocabulary) or 0,
        )  # fmt: skip
        self._look_at = self._ask_at = time.monotonic()

    def run_once(self, timeout: float = 1.0) -> int:
        """One poll; when it brings nothing, or now and then, the timers too. How much was done."""
        done = handled = self._consumer.run_once(timeout=timeout)
        begun = time.monotonic()
        if not handled or begun >= self._look_at:
            done += look(self._engine, _FEW if handled else _MANY)
            self._look_at = _again(begun, _LOOK_EVERY)
        begun = time.monotonic()
        if not handled or begun >= self._ask_at:
            done += sum(work(self._engine) for work in self._timers)
            self._ask_at = _again(begun, _ASK_EVERY)
        return done

    def close(self) -> None:
        self._subscription.close()


def _again(begun: float, pause: float) -> float:
    """When what has just been done is to be done again."""
    return begun + max(pause, _SHARE * (time.monotonic() - begun))


def look(engine: Engine, limit: int = _MANY) -> int:
    """Evaluate the rules over time for firms whose windows changed, so many at most; how many firms that was."""
    timers = due.claim(engine, due.ALERTS, limit=limit)
    for timer in timers:
        _look_at(engine, timer)
    return len(timers)


def _look_at(engine: Engine, timer: due.Timer) -> None:
    with db.reading(engine) as connection:
        firm = connection.execute(select(company).where(company.c.id == timer.key)).mappings().one_or_none()
        if firm is not None:
            today = clock.local_day(clock.now(), firm["timezone"])
            first = date.fromisoformat(timer.since) if timer.since else today
            # A mention changes every window that holds it: up to four weeks after its day.
            last = min(today, max(first, _latest(connection, timer.key)) + timedelta(days=6))
            history = queries.history(connection, timer.key, first - timedelta(days=250), last)
            raised = queries.raised_days(connection, timer.key)
    findings = alerts.over_time(history, first, last, raised) if firm is not None else []
    with db.writing(engine) as connection:
        alert_store.raise_alerts(connection, timer.key, findings)
        due.finish(connection, timer)


def _latest(connection: Connection, company_id: str) -> date:
    latest = queries.latest_day(connection, company_id)
    return date.fromisoformat(latest) if latest else date.min
