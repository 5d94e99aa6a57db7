"""What the reputation says of simulated firms: `python -m benchmarks.simulation [FIRMS]`, written to docs/simulation.md.

Firms whose customers never change their mind, five to twenty reviews a month, stars as five trades give them: how often
the 90 % interval holds the truth, and how many times a year something is called better or worse all the same. Then
firms that do change: how soon it is said. Everything follows from a seed.
"""

import sys
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from analysis import reputation
from analysis.rollups import Sums

# Shares of one to five stars, as sets of real reviews have them (hotel and shop rounded from public platforms).
STARS = {
    "restaurant": (0.06, 0.09, 0.12, 0.33, 0.40),
    "insurance": (0.33, 0.13, 0.13, 0.24, 0.17),
    "film": (0.12, 0.09, 0.15, 0.27, 0.37),
    "hotel": (0.05, 0.06, 0.12, 0.32, 0.45),
    "shop": (0.10, 0.03, 0.05, 0.12, 0.70),
}
THEMES = 11  # ten and `general`; a review names two of them
LAST = date(2026, 11, 22)
_WEEKS = 52
_DAYS = 365 + 7 * _WEEKS

Days = dict[date, Sums]


def firm(
    random: np.random.Generator, stars: tuple[float, ...], monthly: float, changed: float = 0.0
) -> dict[str, Days]:
    """The daily sums of one firm, per theme and (as "") of all; from the last year's first day on, a `changed` share of
    its reviews has one star."""
    sums: dict[str, Days] = {"": {}}
    count = random.poisson(monthly * 12 / 365 * _DAYS)
    for age, star in zip(random.integers(0, _DAYS, count), random.choice(5, count, p=stars) + 1, strict=True):
        given = 1 if changed and age < 7 * _WEEKS and random.random() < changed else int(star)
        one = Sums(1, given <= 2, given == 3, given >= 4, 1, 100 * given, 10_000 * given**2, 0)
        named = random.choice(THEMES, 2, replace=False)
        for theme in ("", *map(str, named)):
            days = sums.setdefault(theme, {})
            day = LAST - timedelta(days=int(age))
            days[day] = days.get(day, Sums()).plus(one)
    return sums


def holds(days: Days, stars: tuple[float, ...]) -> bool | None:
    """Whether today's interval holds the mean of the stars that this firm draws from; None where there is none."""
    interval = reputation.score(days, LAST).interval
    truth = sum(star * share for star, share in enumerate(stars, start=1))
    return None if interval is None else interval.low <= truth <= interval.high


def sentences(firm_days: Mapping[str, Days]) -> list[tuple[int, str, str]]:
    """What a year of weekly mails says: (week, theme, verdict), each once as long as it lasts."""
    said = []
    for theme, days in firm_days.items():
        before = "none"
        for week in range(_WEEKS + 1):
            verdict = reputation.recently(days, LAST - timedelta(weeks=_WEEKS - week)).verdict
            if verdict in {"better", "worse"} and verdict != before and week:
                said.append((week, theme, verdict))
            before = verdict
    return said


def lines(firms: int) -> list[str]:
    """The document."""
    random = np.random.default_rng(2026)
    table = ["| stars of | a month | 90 % interval holds the truth |", "|---|---|---|"]
    told: Counter[int] = Counter()
    right: list[bool] = []
    for name, stars in STARS.items():
        for monthly in (5, 10, 20):
            drawn = [firm(random, stars, monthly) for _ in range(firms // 15)]
            held = [one for one in (holds(days[""], stars) for days in drawn) if one is not None]
            right += held
            table.append(f"| {name} | {monthly} | {100 * np.mean(held):.1f} % of {len(held)} |")
            told.update(len(sentences(days)) for days in drawn)
    table.append(f"| **all** | | **{100 * np.mean(right):.1f} % of {len(right)}** |")
    every = sum(told.values())
    table += ["", "Sentences a firm and year, all themes together, where nothing changes:", ""]
    table += [f"- {count}: {100 * told[count] / every:.1f} % of firms" for count in sorted(told)]
    table += [
        "",
        f"Mean {sum(n * k for n, k in told.items()) / every:.3f}.",
        "",
        *_delays(random, max(20, firms // 20)),
    ]
    return table


def _delays(random: np.random.Generator, firms: int) -> list[str]:
    rows = [
        "| a month | of customers turned | told within 13 weeks | within 26 | within the year |",
        "|---|---|---|---|---|",
    ]
    for monthly in (5, 20):
        for changed in (0.2, 0.4):
            weeks = []
            for _ in range(firms):
                first = [week for week, theme, _ in sentences({"": firm(random, STARS["shop"], monthly, changed)[""]})]
                weeks.append(min(first, default=99))
            shares = [f"{100 * np.mean([week <= limit for week in weeks]):.0f} %" for limit in (13, 26, 52)]
            rows.append(f"| {monthly} | {100 * changed:.0f} % | {' | '.join(shares)} |")
    return rows


def main() -> None:
    firms = int(sys.argv[1]) if len(sys.argv) > 1 else 1_005
    text = [
        "# The reputation, simulated",
        "",
        f"Made by `python -m benchmarks.simulation`: {firms} firms.",
        "",
        *lines(firms),
    ]
    Path("docs/simulation.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
