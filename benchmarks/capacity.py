"""Three million firms on paper: `python -m benchmarks.capacity > docs/scale.md`.

What each piece of work costs was measured (docs/benchmarks*.md) and stands in `COSTS`; how much of it there is, and when,
is assumed and stands in `Load`. A week of it is run through queues, minute by minute, with as few cores as keep each
promise; then one firm that a whole country talks of, second by second.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

FIRMS = 3_000_000
WEEK = 7 * 24 * 60  # minutes, from Monday at midnight


class Cost(NamedTuple):
    """CPU of one piece of work, in seconds, on a core like the one that was measured; and where it was."""

    seconds: float
    measured: str


COSTS = {
    "analysis": Cost(617e-6, "benchmarks.md: pipeline, 5 in a record, Kafka + PostgreSQL"),
    "database": Cost(0, "benchmarks-scaling.md"),
    "broker": Cost(0, "benchmarks-scaling.md"),
    "poll": Cost(2.35e-3, "benchmarks-polls.md: one in ten changed"),
    "mail": Cost(1 / 42, "benchmarks-pages.md: from the question to the outbox"),
    "page": Cost(35e-3, "benchmarks-pages.md: a page's middle p95"),
}
BYTES_A_MENTION = 0  # in PostgreSQL, indexes, rollups and search text with it; benchmarks-scaling.md


@dataclass(frozen=True)
class Load:
    """What is assumed of one firm."""

    mentions: float = 20  # a month
    sources: float = 3
    polls: float = 6  # of a source, a day: the rhythm learns from a quarter of an hour to a day
    readers: float = 1  # of the weekly mail, all due on Monday at seven
    openings: float = 0.2  # of firms that open the pages on a Monday morning
    pages: float = 6  # looked at by each
    kept: float = 24  # months


# Shares of a day's mentions by hour, and of a week's by day: evenings and Sundays, when customers have time.
HOURS = (1, 1, 0.5, 0.5, 0.5, 1, 2, 3, 4, 4, 5, 5, 6, 6, 5, 5, 5, 6, 7, 8, 9, 9, 5, 2)
DAYS = (13, 13, 13, 13, 14, 16, 18)


class Work(NamedTuple):
    """One kind of work: what comes each minute, its cost, and how long it may wait."""

    name: str
    arrivals: Sequence[float]
    cost: Cost
    promise: float  # minutes


class Met(NamedTuple):
    """With so many cores: the longest wait in minutes, the longest queue, how much of the cores is used on average."""

    cores: int
    wait: float
    queue: float
    used: float


def works(load: Load) -> list[Work]:
    a_week = FIRMS * load.mentions * 12 / 52
    mentions = [a_week * share for share in _shares()]
    polls = [FIRMS * load.sources * load.polls / 1_440] * WEEK
    mails = [FIRMS * load.readers if minute == 7 * 60 else 0.0 for minute in range(WEEK)]
    openings = FIRMS * load.openings * load.pages / 180
    pages = [openings if 7 * 60 <= minute < 10 * 60 else openings / 100 for minute in range(WEEK)]
    return [
        Work("polls", polls, COSTS["poll"], 15),
        Work("analysis", mentions, COSTS["analysis"], 1),
        Work("PostgreSQL, for analysis", mentions, COSTS["database"], 1),
        Work("Kafka, for analysis", mentions, COSTS["broker"], 1),
        Work("weekly mails, gathered and rendered", mails, COSTS["mail"], 120),
        Work("pages", pages, COSTS["page"], 0.1),
    ]


def _shares() -> list[float]:
    """The share of a week's mentions that comes in each minute."""
    hours = [day * hour for day in DAYS for hour in HOURS]
    return [hours[minute // 60] / sum(hours) / 60 for minute in range(WEEK)]


def run(work: Work, cores: int) -> Met:
    """The week through one queue that is served in order."""
    served = cores * 60 / work.cost.seconds  # a minute
    queue, longest = 0.0, 0.0
    for arrived in work.arrivals:
        queue = max(0.0, queue + arrived - served)
        longest = max(longest, queue)
    return Met(cores, longest / served, longest, sum(work.arrivals) / (served * WEEK))


def least(work: Work) -> Met:
    """As few cores as keep the promise."""
    return next(met for cores in range(1, 100_000) if (met := run(work, cores)).wait <= work.promise)


class Burst(NamedTuple):
    """So many mentions of one firm within so many seconds, so many partitions, so many cores for analysis."""

    mentions: int
    seconds: int
    partitions: int
    cores: int


def burst(one: Burst, usual: float) -> tuple[float, float, float]:
    """Beside `usual` mentions a second of everybody: the longest wait in seconds on the firm's partition, until when it
    lasts, and the share of all firms that wait.

    A partition is served by one core at the most; what cores the other partitions leave is not lent to it.
    """
    served = min(1.0, one.cores / one.partitions) / COSTS["analysis"].seconds
    queue, longest, second = 0.0, 0.0, 0
    while second < one.seconds or queue > 0:
        arrived = usual / one.partitions + (one.mentions / one.seconds if second < one.seconds else 0)
        queue = max(0.0, queue + arrived - served)
        longest = max(longest, queue)
        second += 1
        if second > 10**6:
            return math.inf, math.inf, 1 / one.partitions
    return longest / served, second, 1 / one.partitions
