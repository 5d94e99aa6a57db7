"""Subjects: what do they talk about, and is it getting better? Before and after what the firm did."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from analysis import markers, queries, trends
from analysis.rollups import ALL, Sums
from analysis.themes import THEMES
from dashboards import charts
from dashboards.visit import FIRM, Editing, Reading, Trying
from vigie import clock, companies, db

router = APIRouter(prefix=FIRM + "/subjects")
Period = Literal["day", "week", "month", "quarter"]
# How far back each step goes, in days.
_SPAN: dict[Period, int] = {"day": 28, "week": 182, "month": 365, "quarter": 1_096}
_MATRIX_MONTHS = 6


@router.get("", response_class=HTMLResponse)
def subjects(
    visit: Reading,
    by: Period = "week",
    theme: str = ALL,
    source: Annotated[str, Query(max_length=64)] = "",
    location: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    today = clock.local_day(clock.now(), visit.firm["timezone"])
    theme = theme if theme in THEMES else ALL
    with db.reading(visit.engine) as connection:
        asked = {"theme": theme, "source_id": source or None, "location_id": location or None}
        first = trends.period_start(today - timedelta(days=_SPAN[by] - 1), by)
        before = first - (today - first) - timedelta(days=1)
        days = queries.daily(connection, visit.company_id, before, today, **asked)  # type: ignore[arg-type]
        points = trends.series(days, first, today, by)
        values: dict[str, Any] = {
            "bars": charts.bars(points),
            "now": trends.total(point.sums for point in points),
            "before": trends.total(sums for day, sums in days.items() if day < first),
            "months": _months(today),
            "matrix": _matrix(connection, visit.company_id, today),
            "rising": queries.rising(connection, visit.firm, today),
            "sources": queries.source_names(connection, visit.company_id),
            "locations": companies.locations(connection, visit.company_id),
            "markers": markers.told(connection, visit.company_id, today),
        }
    chosen = {"by": by, "theme": theme, "source": source, "location": location}
    return visit.page("subjects.html", chosen=chosen, themes=THEMES, today=today, **values)


@router.post("/markers", response_class=HTMLResponse)
def mark(
    visit: Editing,
    label: Annotated[str, Form(min_length=1, max_length=120)],
    day: Annotated[date, Form()],
    theme: Annotated[str, Form(max_length=32)] = ALL,
) -> RedirectResponse:
    """Note what the firm did, so that before and after can be told apart."""
    with Trying(), db.writing(visit.engine) as connection:
        markers.add(connection, visit.company_id, label, day, theme if theme in THEMES else ALL, visit.who.name)
    return visit.back("/subjects", "#markers")


@router.post("/markers/{marker_id}/remove", response_class=HTMLResponse)
def unmark(visit: Editing, marker_id: str) -> RedirectResponse:
    with Trying(), db.writing(visit.engine) as connection:
        markers.remove(connection, visit.company_id, marker_id)
    return visit.back("/subjects", "#markers")


def _months(today: date) -> list[date]:
    """The first days of the last months, the present one last."""
    months = [today.replace(day=1)]
    while len(months) < _MATRIX_MONTHS:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months[::-1]


def _matrix(connection: Connection, company_id: str, today: date) -> dict[str, list[Sums]]:
    """Theme → its sums in each of the last months; the most named theme first."""
    months = _months(today)
    found: dict[str, list[Sums]] = {}
    for theme, days in queries.by_theme(connection, company_id, months[0], today).items():
        if theme != ALL:
            found[theme] = [point.sums for point in trends.series(days, months[0], today, "month")]
    return dict(sorted(found.items(), key=lambda pair: -sum(sums.mentions for sums in pair[1])))
