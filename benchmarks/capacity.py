"""Three million firms, minute by minute over a week: `python -m benchmarks.capacity`, written to docs/scale.md.

What one thing costs was measured (the tables are named); how much of it there will be is assumed. Each kind of work waits
in a queue of its own; the least number of cores is sought that keeps what is promised of it. Everything follows from a seed.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vigie.log import PARTITIONS

Floats = npt.NDArray[np.float64]
SEED = 20261126
FILE = Path("docs") / "scale.md"
WEEK, HOUR, DAY = 7 * 24 * 60, 60, 24 * 60  # minutes
MONTHS = 12
GIGABYTE = 1e9


class Costs(NamedTuple):
    """Seconds of one core, and bytes, each."""

    worker: float = 480e-6  # a mention: docs/benchmarks-scaling.md, one worker
    broker: float = 36e-6
    database: float = 165e-6
    kept: float = 2_688.0  # bytes of a mention in PostgreSQL, indexes and rollups with it; the same table
    poll: float = 0.00235  # one in ten changed: docs/benchmarks-polls.md
    mail: float = 1 / 42.4  # asked of the database, written, kept and queued: docs/benchmarks-pages.md


class Load(NamedTuple):
    """What is assumed."""

    firms: int = 3_000_000
    monthly: float = 20.0  # mentions of a firm
    sources: float = 4.0  # of a firm
    polled: float = 6.0  # times a day each: quiet sources are asked every six hours, busy ones each quarter of an hour
    mails: float = 1.2  # weekly mails a firm
    text: float = 400.0  # bytes of a mention in the log


# The share of a day's mentions in each hour, and of a week's in each day: customers write at noon and in the evening,
# and on Sunday of Saturday's dinner. Assumed.
HOURS = np.array([3, 2, 1, 1, 1, 1, 2, 3, 4, 5, 5, 5, 6, 6, 5, 5, 5, 5, 6, 7, 8, 8, 6, 4], float)
DAYS = np.array([1.2, 0.9, 0.9, 0.9, 1.0, 1.0, 1.1])  # Monday first
MAILED = 7 * HOUR  # Monday, 07:00, everybody at once

# A core for a month and a gigabyte on a fast disk for a month, in euros, on a rented machine. Assumed.
CORE, DISK = 6.0, 0.08
BUSY = 0.6  # of a rented core that is really used; what is left is for a machine that fails
COPIES = 2  # of the database; the log has three
SERVER, SPACE = 8, 500  # cores and gigabytes of the PostgreSQL of one cell
VIRAL = 1_000_000.0, 5  # mentions of one firm, within so many minutes


class Stage(NamedTuple):
    """One kind of work: what it costs, when it comes, and how long it may wait."""

    name: str
    seconds: float
    comes: Floats  # by minute of the week
    promise: float  # minutes
    promised: str


Plan = list[tuple[Stage, float]]  # each with the fewest cores for it


def stages(load: Load, costs: Costs, random: np.random.Generator) -> list[Stage]:
    mentions = written(load.firms * load.monthly * MONTHS / 365 * 7, random)
    polls = random.poisson(np.full(WEEK, load.firms * load.sources * load.polled / DAY)).astype(float)
    mails = np.zeros(WEEK)
    mails[MAILED] = load.firms * load.mails
    return [
        Stage("polls", costs.poll, polls, 5, "asked within 5 minutes"),
        Stage("analysis", costs.worker, mentions, 1, "shown within a minute"),
        Stage("brokers", 3 * costs.broker, mentions, 1, "shown within a minute"),
        Stage("database", costs.database, mentions, 1, "shown within a minute"),
        Stage("Monday mails", costs.mail, mails, HOUR, "sent by 08:00"),
    ]


def written(count: float, random: np.random.Generator) -> Floats:
    """Mentions of each minute of a week."""
    shape = np.repeat(np.outer(DAYS, HOURS).ravel(), HOUR)
    return random.poisson(count * shape / shape.sum()).astype(float)


def longest_wait(stage: Stage, cores: float) -> float:
    """Minutes until the last of a minute's work is done, at its worst, with a queue that is served in order."""
    served = cores * 60 / stage.seconds
    backlog = worst = 0.0
    for comes in stage.comes:
        backlog += comes
        worst = max(worst, backlog / served)
        backlog = max(0.0, backlog - served)
    return worst


def cores(stage: Stage) -> float:
    """The fewest cores that keep the promise, to a hundredth of what they are."""
    low, high = 0.0, 1.0
    while longest_wait(stage, high) > stage.promise:
        low, high = high, 2 * high
    while high - low > 0.01 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if longest_wait(stage, middle) <= stage.promise else (middle, high)
    return high


def rented(least: float) -> int:
    """Whole cores, none of them too busy."""
    return math.ceil(least / BUSY)


def viral(load: Load, costs: Costs, mentions: float, minutes: int) -> tuple[float, float]:
    """One firm is talked of `mentions` times within `minutes`: the longest wait of its partition, in seconds, and how
    long until the wait is under a second again, in minutes."""
    usual = load.firms * load.monthly * MONTHS / 365 / DAY / PARTITIONS  # a minute, on that partition
    served = 60 / costs.worker
    backlog = worst = 0.0
    minute = 0
    while minute < minutes or backlog * costs.worker > 1:
        backlog = max(0.0, backlog + usual + (mentions / minutes if minute < minutes else 0) - served)
        worst = max(worst, backlog * costs.worker)
        minute += 1
    return worst, float(minute - minutes)


class Limit(NamedTuple):
    """What one part can carry, and what is then done."""

    firms: float
    part: str
    then: str


def limits(load: Load, costs: Costs, plan: Plan) -> list[Limit]:
    """How many firms fill one of each part, the first to break first."""
    one = {stage.name: load.firms / least for stage, least in plan}
    yearly = load.monthly * MONTHS * costs.kept
    return sorted(
        [
            Limit(one["Monday mails"], "one process that writes the mails", "more of them: they share what is due"),
            Limit(one["polls"], "one process that polls", "more of them: they share what is due"),
            Limit(one["analysis"], "one analysis worker", f"more of them, up to one for each of {PARTITIONS} partitions"),
            Limit(PARTITIONS * one["analysis"], f"{PARTITIONS} partitions", "another cell"),
            Limit(SERVER * BUSY * one["database"], f"a PostgreSQL of {SERVER} cores, by mentions alone", "another cell"),
            Limit(SPACE * GIGABYTE / yearly, f"a year of mentions in {SPACE} GB", "another cell; later a table for each month"),
        ]
    )  # fmt: skip


def main() -> None:
    load, costs = Load(), Costs()
    plan = [(stage, cores(stage)) for stage in stages(load, costs, np.random.default_rng(SEED))]
    found = text(load, costs, plan, limits(load, costs, plan))
    FILE.write_text(found, encoding="utf-8")
    print(found)


def text(load: Load, costs: Costs, plan: Plan, first: list[Limit]) -> str:
    needed = "\n".join(
        f"| {stage.name} | {stage.comes.sum():,.0f} | {stage.comes.max():,.0f} | {stage.promised} | {least:,.2f} | "
        f"{rented(least)} |"
        for stage, least in plan
    )
    breaks = "\n".join(f"| {limit.part} | {limit.firms:,.0f} | {limit.then} |" for limit in first)
    total = sum(rented(least) for _, least in plan)
    yearly = load.firms * load.monthly * MONTHS * costs.kept / GIGABYTE
    log = load.firms * load.monthly * load.text * 3 / GIGABYTE
    monthly = total * CORE + (COPIES * yearly + log) * DISK
    cell = min(limit.firms for limit in first if limit.then.startswith("another cell"))
    worst, back = viral(load._replace(firms=int(cell)), costs, *VIRAL)
    return f"""# Past one machine: three million firms, planned

Made by `python -m benchmarks.capacity` (seed {SEED}). Measured: what one mention, one poll and one mail cost, on two shared
cores (the tables named below). Assumed: everything else on this page. Nothing of this size was ever run.

**Measured.** A mention: {costs.worker * 1e6:,.0f} µs of an analysis worker, {costs.broker * 1e6:,.0f} of a broker,
{costs.database * 1e6:,.0f} of PostgreSQL, where it takes {costs.kept:,.0f} bytes with its indexes and rollups
([benchmarks-scaling.md](benchmarks-scaling.md)). A poll: {costs.poll * 1e3:.2f} ms, one in ten bringing something
([benchmarks-polls.md](benchmarks-polls.md)). A weekly mail with its questions, snapshot and outbox row:
{costs.mail * 1e3:.0f} ms, on SQLite ([benchmarks-pages.md](benchmarks-pages.md)).

**Assumed.** {load.firms:,} firms with {load.monthly:.0f} mentions a month and {load.sources:.0f} sources, each asked {load.polled:.0f} times a day; {load.mails} weekly mails a
firm, all due on Monday at seven; customers write at noon, in the evening, and a fifth more on Monday of their week-end.
A rented core is used to {BUSY:.0%} and costs {CORE:.0f} € a month, a gigabyte on a fast disk {DISK:.2f} €; the database is kept twice, the log
three times, for thirty days.

## A week, minute by minute

The fewest cores that keep the promise, found by running a week through a queue each, and what to rent for it:

| work | in a week | in the busiest minute | promise | cores | rented |
| --- | --- | --- | --- | --- | --- |
{needed}

What mails, polls and pages ask of PostgreSQL is not in the row of the database: it was measured on SQLite, inside theirs.

So the mentions of three million firms are little work: {load.firms * load.monthly * MONTHS / 365 / 86_400:.0f} a second. Their Monday is not: mails decide the number of
cores, and only for an hour. Written from Sunday midnight on and sent at seven, they would need an eighth (planned, not built).

## Which part breaks first

How many firms fill one of each, the first to fill first:

| part | firms | what is then done |
| --- | --- | --- |
{breaks}

Before any of these, a platform's own limit: {load.firms * load.sources * load.polled / 86_400:,.0f} polls a second must not go to a few hosts. What a key or an address may ask a
day is the platform's to say, and the pause between two polls of one host is ours (one second, if it says nothing). That is
why firms' own feeds, mails and exports come first, and why an adviser brings a key of his own.

**A cell** is one installation: its own PostgreSQL, brokers, and workers. Firms never meet, so a cell shares nothing with
another. One is full with {cell:,.0f} firms, so {math.ceil(load.firms / cell)} are needed. What is missing is a table at the proxy that says in which
cell a firm lives. Within a cell mentions are kept in one table; by month (PostgreSQL's partitioning) old ones could be dropped
at once, where retention deletes rows today. Both are planned, not built. `vigie backup` was never tried on {SPACE} GB: a cell wants
a standby and a continuous archive, which are PostgreSQL's and not ours.

**A viral burst.** One firm of a full cell is talked of {VIRAL[0]:,.0f} times in {VIRAL[1]} minutes. Its partition is read by one worker, which
has {1 / costs.worker:,.0f} a second: the {cell / PARTITIONS:,.0f} firms that share the partition wait {worst:,.0f} s at most, and under a second again {back:.0f} minutes after
its end. The others notice it only where workers share a machine (measured on two cores: benchmarks-scaling.md).

## What it costs

{total:,.0f} rented cores, {yearly:,.0f} GB of mentions a year (kept {COPIES} times), {log:,.0f} GB of log: {monthly:,.0f} € a month, **{monthly / load.firms * 1000:.2f} € for 1,000 firms**
in the first year, and {COPIES * yearly * DISK / load.firms * 1000:.2f} € more for each further year that is kept. Without backups, traffic, mail provider and people, which
will cost more than the machines: {load.firms * load.mails * 52 / 12:,.0f} mails a month at 0.10 € a thousand are {load.firms * load.mails * 52 / 12 / 10_000:,.0f} €.
"""


if __name__ == "__main__":
    main()
