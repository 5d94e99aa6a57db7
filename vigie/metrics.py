"""Metrics of this process, in Prometheus' terms. A scrape reads memory: it asks neither database nor log.

Every process has its own counters, so `sum()` over all instances is right. What is counted once for the whole
installation is in `vigie.installation`.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from vigie import __version__

# They would be a series beside each counter, which nothing here asks for.
disable_created_metrics()  # type: ignore[no-untyped-call] # it has no annotations

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_MAX_SOURCE_KINDS = 50

build = Gauge("vigie_build_info", "1 for each role that this process has started", ["version", "role"])

mentions_collected = Counter("vigie_mentions_collected", "mentions appended to the log", ["source_kind"])
mentions_read = Counter("vigie_mentions_read", "mentions read from the log, those of retries too", ["source_kind"])
mentions_stored = Counter("vigie_mentions_stored", "mentions stored, new or edited", ["source_kind"])
misplaced_records = Counter("vigie_misplaced_records", "records whose key belongs in another partition, or is missing")
dead_letters = Counter("vigie_dead_letters", "records, or parts of one, kept as dead letters", ["source_kind"])

polls = Counter("vigie_polls", "polls of sources", ["source_kind", "result"])
deliveries = Counter("vigie_deliveries", "attempts to deliver", ["kind", "result"])
outages = Counter("vigie_outages", "times that the database or the log did not answer a role", ["role"])
rebalances = Counter("vigie_rebalances", "times that the partitions of this process changed", ["group"])
partitions = Gauge("vigie_assigned_partitions", "partitions of the log that this process reads", ["group"])

poll_seconds = Histogram("vigie_poll_duration_seconds", "one poll of a source", ["source_kind"], buckets=_SECONDS)
append_seconds = Histogram("vigie_append_duration_seconds", "mentions appended to the log", buckets=_SECONDS)
prepare_seconds = Histogram("vigie_prepare_duration_seconds", "a batch understood", buckets=_SECONDS)
store_seconds = Histogram("vigie_store_duration_seconds", "the transaction that stores a batch", buckets=_SECONDS)
delivery_seconds = Histogram("vigie_delivery_duration_seconds", "one attempt to deliver", ["kind"], buckets=_SECONDS)

_source_kinds: set[str] = set()


def render(*registries: CollectorRegistry) -> tuple[bytes, str]:
    """Return the text format of this process' metrics and of `registries`, and its content type."""
    parts = [generate_latest(registry) for registry in (REGISTRY, *registries)]
    return b"".join(parts), CONTENT_TYPE_LATEST


def note_start(role: str) -> None:
    """Say that this process does `role`."""
    build.labels(__version__, role).set(1)


def add_by_kind(counter: Counter, counts: Mapping[str, int]) -> None:
    """Add to `counter` the mentions of each source kind."""
    for source_kind, count in counts.items():
        counter.labels(bounded_kind(source_kind)).inc(count)


def bounded_kind(source_kind: str) -> str:
    """Return the kind as a label; `other` beyond fifty, as any producer may write any kind into the log."""
    if source_kind not in _source_kinds:
        if len(_source_kinds) >= _MAX_SOURCE_KINDS:
            return "other"
        _source_kinds.add(source_kind)
    return source_kind


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    """Observe how many seconds the block takes; one that raises is not counted."""
    started_at = time.monotonic()
    yield
    histogram.observe(time.monotonic() - started_at)
