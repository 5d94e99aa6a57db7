"""Chances and intervals of counts, as published: what small numbers allow to be said. Pure."""

import math
from dataclasses import dataclass

Z90, Z95 = 1.645, 1.96


@dataclass(frozen=True, slots=True)
class Interval:
    """Between `low` and `high`, with the confidence that the function which made it says."""

    low: float
    high: float


def wilson(successes: int, n: int, z: float = Z95) -> Interval:
    """The interval of a share (Wilson 1927); 0 to 1 when there is nothing to judge by."""
    if n == 0:
        return Interval(0.0, 1.0)
    p = successes / n
    centre, scale = p + z * z / (2 * n), 1 + z * z / n
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def newcombe(bad: int, n: int, other_bad: int, other_n: int, z: float = Z95) -> Interval:
    """The interval of the difference of two shares, the first minus the other (Newcombe 1998, method 10)."""
    one, other = bad / n if n else 0.0, other_bad / other_n if other_n else 0.0
    mine, theirs = wilson(bad, n, z), wilson(other_bad, other_n, z)
    return Interval(
        one - other - math.hypot(one - mine.low, theirs.high - other),
        one - other + math.hypot(mine.high - one, other - theirs.low),
    )


def poisson_tail(count: int, mean: float) -> float:
    """The chance of `count` or more where `mean` is usual."""
    term = math.exp(-mean)
    below = 0.0
    for k in range(count):
        below += term
        term *= mean / (k + 1)
    return max(0.0, 1.0 - below)


def fisher(bad: int, n: int, usual_bad: int, usual_n: int) -> float:
    """The chance of `bad` or more of `n`, if both samples came from one population (Fisher's exact test, one side)."""
    every, all_bad = n + usual_n, bad + usual_bad
    good = every - all_bad
    least, most = max(bad, n - good), min(n, all_bad)
    if least > most:
        return 0.0
    # From the likeliest count outwards, each from its neighbour: a sum that starts far off would start with nothing.
    peak = min(most, max(least, (n + 1) * (all_bad + 1) // (every + 2)))
    chance = above = below = math.exp(_log_choose(all_bad, peak) + _log_choose(good, n - peak) - _log_choose(every, n))
    for k in range(peak, most):
        above *= (all_bad - k) * (n - k) / ((k + 1) * (good - n + k + 1))
        chance += above
    for k in range(peak, least, -1):
        below *= k * (good - n + k) / ((all_bad - k + 1) * (n - k + 1))
        chance += below
    return min(1.0, chance)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
