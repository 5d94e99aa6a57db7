"""Alerts: what needs me now? Open ones first."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from analysis import alert_store, queries
from dashboards.visit import FIRM, Handling, Reading, Trying
from vigie import clock, db

router = APIRouter(prefix=FIRM + "/alerts")
_SHOWN = 50


@router.get("", response_class=HTMLResponse)
def alerts(visit: Reading) -> HTMLResponse:
    now = clock.now()
    with db.reading(visit.engine) as connection:
        open_ = queries.alerts(connection, visit.company_id, limit=_SHOWN, is_open=True)
        over = queries.alerts(connection, visit.company_id, limit=_SHOWN, is_open=False)
    later = [one for one in open_ if one["snoozed_until"] and one["snoozed_until"] > now]
    now_open = [one for one in open_ if one not in later]
    return visit.page("alerts.html", open_alerts=now_open, later=later, over=over)


@router.post("/{alert_id}/{done}", response_class=HTMLResponse)
def handle(
    visit: Handling,
    alert_id: str,
    done: Literal["seen", "resolve", "snooze"],
    days: Annotated[int, Form(ge=1, le=60)] = 7,
) -> RedirectResponse:
    """Somebody has seen what an alert told of, has dealt with it, or will later."""
    with Trying(), db.writing(visit.engine) as connection:
        if done == "snooze":
            alert_store.snooze(connection, visit.company_id, alert_id, clock.now() + timedelta(days=days))
        else:
            by = visit.who.name[:64]
            alert_store.handle(connection, visit.company_id, alert_id, by=by, resolve=done == "resolve")
    return visit.back("/alerts")
