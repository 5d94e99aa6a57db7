"""All the firms that somebody follows: the one that needs help first, with the reason."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from analysis import followed
from dashboards.visit import Given, RefusedError, Visitor, language_of, show
from vigie import companies, db, due, people

router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def firms(request: Request, given: Given, who: Visitor) -> Response:
    with db.reading(given.engine) as connection:
        seen = [dict(row) for row in companies.every(connection) if who.may("reader", row["id"])]
        if len(seen) == 1:
            return RedirectResponse(f"/companies/{seen[0]['id']}", 303)
        needs = followed.needs(connection, [row["id"] for row in seen])
        is_adviser, is_told = _round(connection, who.person_id)
    seen.sort(key=lambda firm: (*needs[firm["id"]].order, firm["name"]))
    values: dict[str, Any] = {"firms": seen, "needs": needs, "is_adviser": is_adviser, "is_told": is_told}
    return show("companies.html", language_of(request), may_add=who.may("admin", None), **values)


@router.post("/round")
def tell_on_mondays(given: Given, who: Visitor, wanted: Annotated[bool, Form()]) -> Response:
    """An adviser wants this list by mail on Mondays, or does not."""
    if who.person_id is None:
        raise RefusedError(404)
    with db.writing(given.engine) as connection:
        people.tell_on_mondays(connection, who.person_id, wanted=wanted)
    return RedirectResponse("/", 303)


def _round(connection: Connection, person_id: str | None) -> tuple[bool, bool]:
    """Whether this person advises firms, and is written to on Mondays."""
    if person_id is None:
        return False, False
    is_adviser = any(one["role"] == "adviser" for one in people.firms_of(connection, person_id))
    return is_adviser, due.is_set(connection, due.ROUND, person_id)
