"""All the firms that somebody follows: the one that needs help first, with the reason."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from analysis import followed
from dashboards.visit import Given, Visitor, language_of, show
from vigie import companies, db

router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def firms(request: Request, given: Given, who: Visitor) -> Response:
    with db.reading(given.engine) as connection:
        seen = [dict(row) for row in companies.every(connection) if who.may("reader", row["id"])]
        needs = followed.needs(connection, [row["id"] for row in seen])
    if len(seen) == 1:
        return RedirectResponse(f"/companies/{seen[0]['id']}", 303)
    seen.sort(key=lambda firm: (*needs[firm["id"]].order, firm["name"]))
    return show("companies.html", language_of(request), firms=seen, needs=needs, may_add=who.may("admin", None))
