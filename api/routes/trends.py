"""Trends, themes, alerts, weekly reports."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from sqlalchemy import select

from analysis import alert_store, queries, reputation, trends
from analysis.report import compared, score_facts
from api import paging
from api.auth import Edit, Read, Shown
from api.schemas import Alert, Alerts, Comparison, Platform, Theme, Trends
from api.services import Given
from vigie import clock, db
from vigie.db.tables import report
from vigie.errors import InvalidInputError, NotFoundError

router = APIRouter(prefix="/companies/{company_id}", tags=["trends"])

From = Annotated[date | None, Query(alias="from")]
To = Annotated[date | None, Query(alias="to")]
_MOST_DAYS = 3_700


@router.get("/trends", response_model=Trends)
def show_trends(
    firm: Read,
    given: Given,
    by: Literal["day", "week", "month"] = "week",
    first: From = None,
    last: To = None,
    theme: Annotated[str, Query(max_length=32)] = "",
    source: Annotated[str | None, Query(max_length=64)] = None,
    location: Annotated[str | None, Query(max_length=64)] = None,
) -> JSONResponse:
    """Counts, mean rating and sentiment, from rollups; the last thirteen weeks unless asked otherwise."""
    first, last = _period(firm["timezone"], first, last)
    asked = firm["id"], first, last
    with db.reading(given.engine) as connection:
        if source:
            days = queries.daily(connection, *asked, theme=_storable(theme), source_id=source, location_id=location)
            public = days
        else:
            days, public = queries.daily_and_public(connection, *asked, theme=_storable(theme), location_id=location)
    points = [
        {"start": point.start.isoformat(), **point.sums._asdict(), "rating": point.rating, "score": point.score}
        for point in trends.series(days, first, last, by)
    ]
    turned = [{"start": monday.isoformat(), **compared(one)} for monday, one in reputation.change_points(days)]
    shown = {"by": by, "first": first.isoformat(), "last": last.isoformat(), "points": points}
    return JSONResponse({**shown, "score": score_facts(public, last), "changes": turned})  # written as it is: no check


@router.get("/before-after", response_model=Comparison)
def compare_around(
    firm: Read,
    given: Given,
    day: date,
    weeks: Annotated[int, Query(ge=1, le=52)] = 13,
    theme: Annotated[str, Query(max_length=32)] = "",
) -> dict[str, Any]:
    """Complaints in so many weeks from a day on (a new menu, works), against as many before it, with the doubt."""
    first, last = _period(firm["timezone"], _moved(day, -weeks), _moved(day, weeks))
    with db.reading(given.engine) as connection:
        days = queries.daily(connection, firm["id"], first, last, theme=_storable(theme))
    return compared(reputation.around(days, day, weeks))


@router.get("/platforms", response_model=list[Platform])
def list_platforms(firm: Read, given: Given) -> list[dict[str, Any]]:
    """What customers see on each platform, and how many reviews of five stars would make it show more."""
    with db.reading(given.engine) as connection:
        return queries.aggregates(connection, firm["id"])


@router.get("/themes", response_model=list[Theme])
def show_themes(firm: Read, given: Given, first: From = None, last: To = None) -> list[dict[str, Any]]:
    """What the firm's customers speak of, the most named first."""
    first, last = _period(firm["timezone"], first, last)
    with db.reading(given.engine) as connection:
        found = queries.themes(connection, firm["id"], first, last)
    return [{"theme": theme, **sums._asdict()} for theme, sums in found.items()]


@router.get("/alerts", response_model=Alerts)
def list_alerts(firm: Read, given: Given, limit: paging.Limit = 50, cursor: paging.Cursor = None) -> dict[str, Any]:
    """The firm's alerts, latest first."""
    with db.reading(given.engine) as connection:
        rows = queries.alerts(connection, firm["id"], limit=limit, after=paging.decode(cursor))
    more = paging.encode(rows[-1]["happened_at"], rows[-1]["id"]) if len(rows) == limit else None
    return {"items": [alert_store.shown_alert(dict(row)) for row in rows], "next_cursor": more}


@router.post("/alerts/{alert_id}/acknowledge", response_model=Alert)
def acknowledge_alert(alert_id: str, firm: Edit, who: Shown, given: Given) -> dict[str, Any]:
    """Somebody has seen it."""
    with db.writing(given.engine) as connection:
        return alert_store.shown_alert(alert_store.handle(connection, firm["id"], alert_id, by=who.name, resolve=False))


@router.post("/alerts/{alert_id}/resolve", response_model=Alert)
def resolve_alert(alert_id: str, firm: Edit, who: Shown, given: Given) -> dict[str, Any]:
    """It is dealt with; webhooks that ask for `alert.resolved` are told."""
    with db.writing(given.engine) as connection:
        return alert_store.shown_alert(alert_store.handle(connection, firm["id"], alert_id, by=who.name, resolve=True))


@router.get("/reports/{week}")
def show_report(week: str, firm: Read, given: Given) -> dict[str, Any]:
    """What that week's mail said, as facts."""
    with db.reading(given.engine) as connection:
        sent = select(report.c.snapshot).where(
            report.c.company_id == firm["id"], report.c.period == _storable(week), report.c.edition == "owner"
        )
        found: dict[str, Any] | None = connection.scalar(sent.limit(1))
    if found is None:
        raise NotFoundError(f"no report was made for {week!r}")
    return found


def _period(timezone: str, first: date | None, last: date | None) -> tuple[date, date]:
    last = last or clock.local_day(clock.now(), timezone)
    try:
        first = first or last - timedelta(days=90)
    except OverflowError as error:
        raise InvalidInputError("that is too long ago") from error
    if not 0 <= (last - first).days <= _MOST_DAYS or last == date.max:
        raise InvalidInputError("`from` lies before `to`, at most ten years")
    return first, last


def _moved(day: date, weeks: int) -> date:
    try:
        return day + timedelta(weeks=weeks)
    except OverflowError as error:
        raise InvalidInputError("that day is too far away") from error


def _storable(text: str) -> str:
    return text.replace("\x00", "")
