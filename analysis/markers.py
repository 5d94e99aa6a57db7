"""What a firm did and when, and whether customers complain less since: the loop from an action to its verdict."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select

from analysis import queries, reputation
from analysis.report import compared
from analysis.rollups import ALL
from vigie import clock, ids
from vigie.db.tables import marker
from vigie.errors import InvalidInputError, NotFoundError

Facts = dict[str, Any]
# A verdict waits for so many weeks, and looks back as far as it looks on, half a year at most.
LEAST_WEEKS, MOST_WEEKS = 4, 26
_MOST_MARKERS = 200


def add(connection: Connection, company_id: str, label: str, day: date, theme: str, by: str) -> str:
    """Note that something was done on `day`, about `theme` or about all; its id. Raises `InvalidInputError`."""
    label = " ".join(label.split())[:120]
    if not label:
        raise InvalidInputError("say in a few words what you did")
    if day > clock.now().date() + timedelta(days=1):
        raise InvalidInputError("this day has not come yet")
    if len(of_company(connection, company_id)) >= _MOST_MARKERS:
        raise InvalidInputError(f"a firm notes {_MOST_MARKERS} such days at most")
    marker_id = ids.drawn("ma")
    values = {"id": marker_id, "company_id": company_id, "label": label, "day": day.isoformat(), "theme": theme}
    connection.execute(marker.insert().values(by=by[:120], created_at=clock.now(), **values))
    return marker_id


def remove(connection: Connection, company_id: str, marker_id: str) -> None:
    """Raises `NotFoundError` for a marker of another firm."""
    ours = marker.c.id == marker_id, marker.c.company_id == company_id
    if connection.execute(delete(marker).where(*ours)).rowcount != 1:
        raise NotFoundError(f"there is no marker {marker_id!r}")


def of_company(connection: Connection, company_id: str) -> list[Mapping[str, Any]]:
    """The latest day first."""
    query = select(marker).where(marker.c.company_id == company_id).order_by(marker.c.day.desc(), marker.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def told(connection: Connection, company_id: str, today: date) -> list[Facts]:
    """Each marker with what came of it: `verdict` better, worse, none, or unknown with too few voices; None so soon
    that nothing is said."""
    found = []
    for one in of_company(connection, company_id):
        day = date.fromisoformat(one["day"])
        weeks = min(MOST_WEEKS, (today - day).days // 7)
        since = None
        if weeks >= LEAST_WEEKS:
            span = timedelta(weeks=weeks)
            days = queries.daily(connection, company_id, day - span, day + span, theme=one["theme"] or ALL, forms=False)
            since = {"weeks": weeks, **compared(reputation.around(days, day, weeks))}
        found.append({**{name: one[name] for name in ("id", "day", "label", "theme")}, "since": since})
    return found


def fresh(connection: Connection, company_id: str, last: date) -> list[Facts]:
    """The markers whose verdict is due in the week that ends on `last`: the first since it can be told."""
    week_old = {one["id"] for one in told(connection, company_id, last - timedelta(days=7)) if _is_said(one)}
    return [one for one in told(connection, company_id, last) if _is_said(one) and one["id"] not in week_old]


def _is_said(one: Facts) -> bool:
    return one["since"] is not None and one["since"]["verdict"] != "unknown"
