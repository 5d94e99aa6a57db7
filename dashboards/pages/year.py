"""The last twelve months replayed: what Vigie would have said had it been there, false alarms included."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from analysis import replay
from dashboards.visit import FIRM, Reading
from vigie import clock, db

router = APIRouter(prefix=FIRM)


@router.get("/year", response_class=HTMLResponse)
def year(visit: Reading) -> HTMLResponse:
    today = clock.local_day(clock.now(), visit.firm["timezone"])
    with db.reading(visit.engine) as connection:
        told = replay.year(connection, visit.company_id, today)
    return visit.page("year.html", year=told)
