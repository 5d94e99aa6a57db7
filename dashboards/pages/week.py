"""This week: how are we doing, and what do we do?"""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from analysis import queries, trends
from analysis.report import Week
from dashboards import charts, weekly
from dashboards.visit import FIRM, Reading
from ingest import sources_store
from vigie import clock, db, outbox

router = APIRouter(prefix=FIRM)
_WEEKS_SHOWN = 26


@router.get("", response_class=HTMLResponse)
def this_week(visit: Reading) -> HTMLResponse:
    with db.reading(visit.engine) as connection:
        values = _values(connection, dict(visit.firm))
        may_mend = visit.may("admin")
        unsent = outbox.unsent_mails(connection, visit.company_id, of_host=visit.is_host) if may_mend else ([], "")
    mail_ids, why = unsent
    return visit.page("week.html", unsent=len(mail_ids), unsent_why=why, **values)


def _values(connection: Connection, firm: dict[str, Any]) -> dict[str, Any]:
    today = clock.local_day(clock.now(), firm["timezone"])
    week = Week.of(today)
    facts = weekly.gather(connection, firm, week)
    if not facts["mentions"]:  # Monday morning: the week that people talk about is the one that ended
        week = week.before()
        facts = weekly.gather(connection, firm, week)
    first = Week.of(today).first - timedelta(weeks=_WEEKS_SHOWN - 1)
    points = trends.series(queries.daily(connection, firm["id"], first, today), first, today, "week")
    score = facts["score"]
    return {
        "facts": facts,
        "bars": charts.bars(points),
        "doubt": charts.interval(score["low"], score["high"], score["mean"]) if score["low"] is not None else None,
        "wishes": queries.wishes(connection, firm["id"], today - timedelta(days=90), today),
        "aggregates": queries.aggregates(connection, firm["id"]),
        "open_alerts": len(queries.alerts(connection, firm["id"], limit=20, is_open=True)),
        "listening": len(sources_store.of_company(connection, firm["id"])),
    }
