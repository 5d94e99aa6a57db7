"""Charts as pictures drawn on the server: they need no script, and print. A table stands beside each."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.trends import Point

WIDTH, HEIGHT, _FOOT = 640, 210, 34


@dataclass(frozen=True, slots=True)
class Bar:
    """One period: its bar, and within it the part of the complaints; `label` is its first day, where there is room;
    `always` where there is room on a telephone too."""

    x: float
    width: float
    y: float
    height: float
    bad_y: float
    bad_height: float
    point: Point
    labelled: bool
    always: bool


def bars(points: Sequence[Point]) -> list[Bar]:
    """Mentions per period as bars on a common scale, complaints at their foot."""
    most = max((point.sums.mentions for point in points), default=0) or 1
    step = WIDTH / max(1, len(points))
    room, base = HEIGHT - _FOOT - 16, HEIGHT - _FOOT
    every = max(1, round(len(points) / 6))
    drawn = []
    for at, point in enumerate(points):
        height = room * point.sums.mentions / most
        bad = room * point.sums.negative / most
        drawn.append(
            Bar(
                x=round(at * step + step * 0.12, 1),
                width=round(step * 0.76, 1),
                y=round(base - height, 1),
                height=round(height, 1),
                bad_y=round(base - bad, 1),
                bad_height=round(bad, 1),
                point=point,
                labelled=at % every == 0,
                always=at % (2 * every) == 0,
            )
        )
    return drawn


def interval(low: float, high: float, mean: float) -> dict[str, float]:
    """Where a score and its doubt lie on a line of 300 units that goes from 0 to 5 stars."""
    return {"low": round(60 * low, 1), "high": round(60 * high, 1), "mean": round(60 * mean, 1)}
