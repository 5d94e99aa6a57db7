"""Polling what is due: claim, ask, append to the log, and only then remember the source's cursor.

Any number of workers share the sources: each is claimed by compare-and-set, with a lease. Threads only ask; what they
bring is written by the caller's thread, many polls at once. A source that fails stops nobody else; why it fails is
written on it for its owner.
"""

import random
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, RowMapping, select, update

from ingest import rhythm, secret_custody, sources_store
from ingest.collect import Intake, Parcel
from ingest.found import mentions
from ingest.http import Web, within
from ingest.polite import BusyError
from ingest.shares import CompanyShares
from ingest.source import Poll
from ingest.sources import KINDS
from vigie import audit, clock, counters, db, due, metrics
from vigie.db.tables import source
from vigie.errors import SourceError, UnavailableError, VigieError
from vigie.events import Mention
from vigie.secrets import Vault

logger = structlog.get_logger(__name__)

_MOST_BACK_OFF = timedelta(days=1)
_PATIENCE = 0.5  # seconds to wait for the polls that run
_GATHERING = 0.02  # seconds
_COMPANY_THREADS = 2  # of one company's sources that are asked at once
_POLL_SECONDS = 240.0  # for all that one poll asks of the web
_STALE_SECONDS = 180.0  # a claimed job that waited so long is left to its lease
_LEASE = timedelta(seconds=_STALE_SECONDS + _POLL_SECONDS + 60)  # or a job that waited would be asked by two
_CLAIM_SECONDS = 1.0  # the longest wait between two claims while there is any room


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed source."""

    timer: due.Timer
    row: RowMapping
    claimed_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from one poll, decided before anything is written."""

    job: Job
    again_at: datetime | None
    values: dict[str, Any] = field(default_factory=dict)
    mentions: Sequence[Mention] = ()
    poll: Poll | None = None


class Collector:
    """An ingest worker's hands: polls sources, several at a time."""

    def __init__(
        self,
        engine: Engine,
        intake: Intake,
        *,
        allow_hosts: Iterable[str] = (),
        vault: Vault | None = None,
        threads: int = 8,
        company_threads: int = _COMPANY_THREADS,
        delay: float = 1.0,
    ) -> None:
        self._engine, self._intake, self._vault = engine, intake, vault
        self._web = Web(allow_hosts, delay=delay)
        self._most = threads * 4
        self._pool = ThreadPoolExecutor(threads, "poll")
        self._running: set[Future[Outcome]] = set()
        self._put_off: set[str] = set()
        self._shares: CompanyShares[Job] = CompanyShares(company_threads)
        self._claimed_at = 0.0

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._web.close()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, and nothing waits for its host to be free."""
        return not self._running and not self._shares.has_waiting and not self._put_off

    def poll_due(self) -> int:
        """Start what is due, as far as there is room, and write down what has come; how much that was."""
        room = self._most - len(self._running)
        is_time = time.monotonic() - self._claimed_at >= _CLAIM_SECONDS
        started = self._start(room) if room >= self._most // 2 or is_time else 0
        self._submit()
        if not self._running:
            return started
        done, running = wait(self._running, _PATIENCE, FIRST_COMPLETED)
        more, self._running = wait(running, _GATHERING if done else 0)  # several are written down for the price of one
        done |= more
        for future in done:
            self._shares.end(future.result().job.row["company_id"])
        self._submit()
        self._settle([future.result() for future in done])
        return started + len(done) + len(self._running)

    def make_all_due(self) -> None:
        """Poll every source at the next turn, due or not."""
        with db.writing(self._engine) as connection:
            polled = [kind for kind, one in KINDS.items() if one.polled]
            every = select(source.c.id).where(source.c.kind.in_(polled), ~source.c.paused)
            due.schedule(connection, due.POLL, list(connection.scalars(every)))

    def _start(self, room: int) -> int:
        enough = self._shares.companies_with_enough()
        except_for = select(source.c.id).where(source.c.company_id.in_(enough)) if enough else None
        self._claimed_at = time.monotonic()
        timers = due.claim(self._engine, due.POLL, limit=room, lease=_LEASE, except_for=except_for) if room > 0 else []
        if not timers:
            return 0
        with db.reading(self._engine) as connection:
            query = select(source).where(source.c.id.in_([timer.key for timer in timers]))
            rows = {row["id"]: row for row in connection.execute(query).mappings()}
        gone, too_many = [], []
        for timer in timers:
            self._put_off.discard(timer.key)
            row = rows.get(timer.key)
            if row is None or row["paused"]:
                gone.append(timer)
            elif not self._shares.add(row["company_id"], Job(timer, row)):
                too_many.append(timer)
        if gone or too_many:
            with db.writing(self._engine) as connection:
                for timer in gone:
                    due.finish(connection, timer)
                for timer in too_many:
                    self._put_back(connection, timer)
        return len(timers)

    def _put_back(self, connection: Connection, timer: due.Timer) -> None:
        """Make the job due as it was; its company is left out of the next claims until its share is used."""
        due.finish(connection, timer, again_at=timer.due_at)

    def _submit(self) -> None:
        """Start what its company's share allows; what waited too long is somebody's again when its lease ends."""
        for job in self._shares.take():
            if time.monotonic() - job.claimed_at > _STALE_SECONDS:
                self._shares.end(job.row["company_id"])
            else:
                self._running.add(self._pool.submit(self._poll, job))

    def _poll(self, job: Job) -> Outcome:
        """Runs in a thread of its own, writes nothing, never raises: the polls beside this one go on."""
        begun = time.monotonic()
        outcome = self._ask(job)
        _note_poll(outcome, time.monotonic() - begun)
        return outcome

    def _ask(self, job: Job) -> Outcome:
        row = job.row
        try:
            options = sources_store.options(row, self._vault)
            cursor = {name: value for name, value in row["cursor"].items() if name != rhythm.SEEN}
            with within(_POLL_SECONDS):
                poll = KINDS[row["kind"]].poll(self._web, row["target"], options, cursor)
            return _succeeded(job, poll)
        except BusyError as error:
            return _put_off(job, error)
        except SourceError as error:
            return _failed(job, error)
        except VigieError as error:
            return _failed(job, SourceError(str(error)))
        except Exception as error:  # a connector's mistake is that source's failure, not the worker's end
            logger.exception("connector_failed", source=row["id"], kind=row["kind"])
            failure = SourceError(f"Vigie could not read it ({type(error).__name__}: {error})"[:500])
            return _failed(job, failure, logged=f"Vigie could not read it ({type(error).__name__})")

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        """The log first, then the cursors; what an outage leaves undone is due again when its lease ends."""
        try:
            self._append(outcomes)
            with db.writing(self._engine) as connection:
                for outcome in outcomes:
                    self._write(connection, outcome)
        except UnavailableError as error:
            logger.warning("polls_put_off", sources=len(outcomes), error=str(error))

    def _append(self, outcomes: Sequence[Outcome]) -> None:
        self._intake.append(
            *(
                Parcel(
                    one.job.row["company_id"],
                    sources_store.origin(one.job.row),
                    one.mentions,
                    "fresh" if one.job.row["polled_at"] else "never",
                )
                for one in outcomes
            )
        )

    def _write(self, connection: Connection, outcome: Outcome) -> None:
        job, poll = outcome.job, outcome.poll
        if not due.finish(connection, job.timer, again_at=outcome.again_at):
            return  # claimed by another since: its cursor stands
        if not outcome.values:
            self._put_off.add(job.timer.key)
            return
        connection.execute(update(source).where(source.c.id == job.row["id"]).values(**outcome.values))
        if poll is None:
            return
        counters.add(connection, counters.UNREADABLE_ITEMS, poll.unreadable)
        if "target" in outcome.values:
            moved = f"source {job.row['id']}: {job.row['target']} -> {outcome.values['target']}"
            audit.note(connection, job.row["company_id"], "Vigie", "source moved", moved)
        if outcome.mentions or job.row["listening_since"] is None:
            sources_store.received(connection, job.row, came=bool(outcome.mentions))
        if poll.aggregates:
            sources_store.observe(connection, job.row, poll.aggregates)


def _succeeded(job: Job, poll: Poll) -> Outcome:
    row, kind = job.row, KINDS[job.row["kind"]]
    found = mentions(row["company_id"], row["id"], poll.found, platform=kind.platform, keep_days=kind.terms.words_kept)
    # What the last poll held already is not sent again: most of a feed is what it was.
    seen = rhythm.digests(found) if poll.found else row["cursor"].get(rhythm.SEEN, [])
    known = set(row["cursor"].get(rhythm.SEEN, ()))
    new = [one for one in found if rhythm.digest(one) not in known]
    every = rhythm.next_wait(row["every"], kind.rhythm, brought=bool(new), first=row["polled_at"] is None)
    values: dict[str, Any] = {
        "cursor": {**poll.cursor, rhythm.SEEN: seen},
        "every": int(every.total_seconds()),
        "polled_at": clock.now(),
        "error": None,
        "failures": 0,
        "failing_since": None,
    }
    if poll.moved_to and secret_custody.may_follow(row, poll.moved_to):
        values["target"] = poll.moved_to
    if poll.findings is not None:
        values["findings"] = list(poll.findings)
    pause = timedelta(0) if poll.more else every * random.uniform(0.9, 1.1)  # noqa: S311
    return Outcome(job, clock.now() + pause, values, new, poll)


def _note_poll(outcome: Outcome, seconds: float) -> None:
    """Count a poll, and log one that succeeded. One put off has asked nobody yet."""
    row = outcome.job.row
    result = "put_off" if not outcome.values else "ok" if outcome.poll else "failed"
    metrics.polls.labels(row["kind"], result).inc()
    if result == "put_off":
        return
    metrics.poll_seconds.labels(row["kind"]).observe(seconds)
    if outcome.poll:
        facts = {"source": row["id"], "company": row["company_id"], "kind": row["kind"]}
        counts = {"items": len(outcome.poll.found), "mentions": len(outcome.mentions)}
        logger.info("polled", **facts, **counts, seconds=round(seconds, 3))


def _failed(job: Job, error: SourceError, *, logged: str | None = None) -> Outcome:
    """`logged` is what the log gets, where the error may quote what was read."""
    row, moment = job.row, clock.now()
    facts = {"source": row["id"], "company": row["company_id"], "kind": row["kind"]}
    logger.info("source_failed", **facts, failures=row["failures"] + 1, error=logged or str(error))
    failures = row["failures"] + 1
    shortest, _ = KINDS[row["kind"]].rhythm
    pause = min(shortest * 2 ** min(failures - 1, 10), _MOST_BACK_OFF) * random.uniform(0.9, 1.1)  # noqa: S311
    if error.retry_after:
        pause = max(pause, min(timedelta(seconds=error.retry_after), _MOST_BACK_OFF))
    values = {
        "error": str(error)[:1_000],
        "failures": failures,
        "failing_since": row["failing_since"] or moment,
        "paused": error.permanent,
    }
    return Outcome(job, None if error.permanent else moment + pause, values)


def _put_off(job: Job, error: BusyError) -> Outcome:
    wait_for = (error.retry_after or 1.0) * random.uniform(1.0, 2.0)  # noqa: S311
    return Outcome(job, clock.now() + timedelta(seconds=wait_for))
