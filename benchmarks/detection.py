"""`python -m benchmarks.detection`: how often the rules over time cry wolf, and how soon they see what is there.

Simulated firms of 5 to 500 mentions a month over three years: weekly rhythm, a season, a slow drift of numbers, weeks that
are luckier than others (negative binomial, as real counts scatter more than Poisson's). Rules are asked each day, as they
are in the product, cooldown included.
"""

import math
import os
import platform
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from multiprocessing import Pool
from pathlib import Path

from analysis.alerts import DROP, VOLUME, Finding, History, over_time
from analysis.rollups import Sums

MONTHLY = (5, 20, 60, 150, 500)
FIRMS = int(os.environ.get("VIGIE_BENCH_FIRMS", "200"))
SEED = 20261126
FIRST = date(2024, 1, 1)
DAYS, STARTS, SEEN_WITHIN = 3 * 365, 365, 90  # the first year is heard, and nothing is judged
HAPPENS = FIRST + timedelta(days=2 * 365)
USUAL_BAD = 0.12
_SCATTER = 4.0  # the gamma's shape: weeks differ by half
Change = Callable[[random.Random, date, float, float], tuple[float, float]]


def nothing(_: random.Random, day: date, rate: float, bad: float) -> tuple[float, float]:
    """A calm firm: what is usual, and its season."""
    return rate, bad


def burst(_: random.Random, day: date, rate: float, bad: float) -> tuple[float, float]:
    """One week in which five times as many speak."""
    return (rate * 5 if HAPPENS <= day < HAPPENS + timedelta(days=7) else rate), bad


def drop(_: random.Random, day: date, rate: float, bad: float) -> tuple[float, float]:
    """From one day on, complaints are four times as frequent."""
    return rate, (bad * 4 if day >= HAPPENS else bad)


SCENES: dict[str, tuple[Change, str]] = {"calm": (nothing, ""), "burst": (burst, VOLUME), "drop": (drop, DROP)}


def history(chance: random.Random, monthly: int, change: Change) -> History:
    """Three years of one firm, heard by one source."""
    rhythm = [chance.uniform(0.5, 1.5) for _ in range(7)]
    season, phase, drift = chance.uniform(0, 0.3), chance.uniform(0, math.tau), chance.uniform(-0.2, 0.4)
    days: dict[date, Sums] = {}
    luck = 1.0
    for n in range(DAYS):
        day = FIRST + timedelta(days=n)
        if day.weekday() == 0:
            luck = chance.gammavariate(_SCATTER, 1 / _SCATTER)
        rate = monthly / 30 * rhythm[day.weekday()] / (sum(rhythm) / 7) * luck
        rate *= (1 + season * math.sin(math.tau * n / 365 + phase)) * (1 + drift * n / 365)
        rate, bad = change(chance, day, rate, USUAL_BAD)
        count = _poisson(chance, rate)
        if count:
            unhappy = sum(chance.random() < bad for _ in range(count))
            days[day] = Sums(mentions=count, negative=unhappy, positive=count - unhappy)
    return History({"s": days}, {"s": FIRST})


def judged(task: tuple[int, str, int]) -> list[Finding]:
    """What the rules found in one firm from its second year on."""
    monthly, scene, number = task
    chance = random.Random(f"{SEED} {monthly} {scene} {number}")
    heard = history(chance, monthly, SCENES[scene][0])
    return over_time(heard, FIRST + timedelta(days=STARTS), FIRST + timedelta(days=DAYS - 1), {})


def _poisson(chance: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    threshold, count, product = math.exp(-mean), 0, chance.random()
    while product > threshold:
        count, product = count + 1, product * chance.random()
    return count


def rows() -> Iterator[str]:
    quarters = FIRMS * (DAYS - STARTS) / 91.25
    with Pool() as pool:
        for monthly in MONTHLY:
            found = {scene: pool.map(judged, [(monthly, scene, n) for n in range(FIRMS)]) for scene in SCENES}
            false = sum(map(len, found["calm"])) / quarters
            cells = [f"{monthly}", f"{false:.3f}"]
            for scene in ("burst", "drop"):
                rule = SCENES[scene][1]
                delays = [_delay(one, rule) for one in found[scene]]
                seen = [delay for delay in delays if delay is not None]
                cells += [f"{len(seen) / FIRMS:.0%}", f"{statistics.median(seen):.0f}" if seen else "–"]
            print(cells, file=sys.stderr)
            yield f"| {' | '.join(cells)} |"


def _delay(found: list[Finding], rule: str) -> int | None:
    """After how many days that rule spoke; None where it did not within ninety."""
    days = [(one.day - HAPPENS).days for one in found if one.rule == rule]
    return min((days for days in days if 0 <= days < SEEN_WITHIN), default=None)


def main() -> None:
    lines = list(rows())
    report = f"""# How well the rules over time detect

Made by `python -m benchmarks.detection` on {datetime.now(UTC):%Y-%m-%d} (seed {SEED}): {FIRMS} simulated firms a row and scene, {DAYS // 365}
years each, of which two are judged. Weekly rhythm, season (up to 30 %), drift (−20 to +40 % a year), weeks that scatter
by half. A calm firm has {USUAL_BAD:.0%} complaints; the burst is one week of five times as many mentions; the drop is four times
as many complaints for good. Seen: within {SEEN_WITHIN} days; delay: the median of those seen, in days.

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.

| mentions a month | false alarms per firm and quarter | burst seen | delay | drop seen | delay |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(lines)}

Goal: at most one false alarm per firm and quarter.
"""
    (Path(__file__).parent.parent / "docs" / "detection.md").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
