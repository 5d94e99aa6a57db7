"""Figures of the whole installation, for Prometheus: sampled now and then by `vigie serve`, shown at each scrape.

Several processes that serve show the same figures: take their `max()`, never their `sum()`.
"""

import threading
from collections.abc import Mapping

import structlog
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, func, select

from vigie import clock, counters, db, deadletters, positions
from vigie.db.tables import outbox
from vigie.errors import UnavailableError
from vigie.log import ANALYSIS, MENTIONS, PARTITIONS, EventLog, Partition
from vigie.outbox import MAIL, RECENT, TOPIC, WEBHOOK, count_failed

logger = structlog.get_logger(__name__)

SAMPLE_SECONDS = 30.0
UNKNOWN = float("nan")
_TOTALS = {
    counters.DROPPED_MENTIONS: "mentions dropped because their company was removed or never existed",
    counters.ROLE_RESTARTS: "times that a role died and was started again",
    counters.UNREADABLE_ITEMS: "mails and entries of strangers that could not be read and were skipped",
}


class Figures:
    """The newest sample. A figure that could not be had is NaN, which an alert can tell from 0."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._lag = self._gauge("log_lag", "records that the analysis has not read", "topic", "partition")
        self._waiting = self._gauge("outbox_waiting", "deliveries that wait", "kind")
        self._failed = self._gauge("outbox_failed", "deliveries that failed for good in the last seven days")
        self._dead = self._gauge("dead_letters", "dead letters that were not replayed")
        self._sampled = self._gauge("sampled_timestamp_seconds", "when these figures were taken, in Unix time")
        self._totals = _Totals()
        self.registry.register(self._totals)

    def keep_sampled(self, engine: Engine, log: EventLog, stop: threading.Event) -> None:
        """Sample every thirty seconds until `stop` is set."""
        while not stop.is_set():
            try:
                self.sample(engine, log)
            except Exception:  # the pages that this thread stands beside go on
                logger.exception("sample_failed")
            stop.wait(SAMPLE_SECONDS)

    def sample(self, engine: Engine, log: EventLog) -> None:
        """Ask the database and the log once."""
        self._sampled.set_to_current_time()
        try:
            with db.reading(engine) as connection:
                self._sample_database(connection)
        except UnavailableError as error:
            logger.warning("figures_unknown", error=str(error))
            self._forget_database()
        try:
            self._set_lag(positions.count_unread(engine, log, ANALYSIS, MENTIONS) or {})
        except UnavailableError as error:
            logger.warning("lag_unknown", error=str(error))
            self._set_lag({})

    def _sample_database(self, connection: Connection) -> None:
        waiting = (
            select(outbox.c.kind, func.count().label("number"))
            .where(outbox.c.state == "waiting")
            .group_by(outbox.c.kind)
        )
        counts = {row.kind: row.number for row in connection.execute(waiting)}
        for kind in (WEBHOOK, MAIL, TOPIC):
            self._waiting.labels(kind).set(counts.get(kind, 0))
        self._failed.set(count_failed(connection, clock.now() - RECENT))
        self._dead.set(deadletters.count_waiting(connection))
        self._totals.values = {name: counters.read(connection, name) for name in _TOTALS}

    def _forget_database(self) -> None:
        for kind in (WEBHOOK, MAIL, TOPIC):
            self._waiting.labels(kind).set(UNKNOWN)
        self._failed.set(UNKNOWN)
        self._dead.set(UNKNOWN)
        self._totals.values = {}

    def _set_lag(self, lag: Mapping[Partition, float]) -> None:
        for number in range(PARTITIONS):
            value = lag.get(Partition(MENTIONS, number), UNKNOWN)
            self._lag.labels(MENTIONS, str(number)).set(value)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(f"vigie_installation_{name}", documentation, labels, registry=self.registry)


class _Totals(Collector):
    """Counters that outlive every process, as they stand in the database."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def collect(self) -> list[CounterMetricFamily]:
        return [
            CounterMetricFamily(f"vigie_installation_{name}", _TOTALS[name], value=total)
            for name, total in self.values.items()
        ]
