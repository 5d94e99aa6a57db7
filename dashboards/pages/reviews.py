"""Reviews and articles: who said what? The inbox, and one mention opened beside its list."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection, delete, select

from analysis import disputes, queries, sentiment, store
from analysis.themes import GENERAL, THEMES
from analysis.words import folded, written
from dashboards import replies
from dashboards.visit import FIRM, Editing, Handling, Reading, RefusedError, Trying, Visit
from vigie import clock, companies, db, ids, people
from vigie.db.tables import saved_filter
from vigie.errors import NotFoundError
from vigie.names import check_name

router = APIRouter(prefix=FIRM + "/reviews")
_PAGE = 25
_MOST_SAVED = 50
_ENDING_CHARS = 2  # that a search may overlook at the end of a name
_APART = ("aside", "unconfirmed", "unverified", "note", "copy")
Line = Annotated[str, Query(max_length=100)]


def wanted(
    q: Line = "",
    sentiment: Line = "",
    theme: Line = "",
    source: Line = "",
    location: Line = "",
    rating: Line = "",
    status: Line = "",
    who: Line = "",
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: Annotated[str, Query(alias="to", max_length=10)] = "",
    apart: Line = "",
) -> dict[str, str]:
    """The filter as the address gives it; a value that cannot be is left out, as links are passed on for years."""
    given = {
        "q": q.replace("\x00", "").strip(),
        "sentiment": _one_of(sentiment, store.LABELS),
        "theme": _one_of(theme, (*THEMES, GENERAL)),
        "source": source,
        "location": location,
        "rating": _one_of(rating, ("1", "2", "3", "4", "5")),
        "status": _one_of(status, store.STATUSES[:3]),
        "who": who,
        "from": since if _day(since) else "",
        "to": until if _day(until) else "",
        "apart": _one_of(apart, _APART),
    }
    return {name: value for name, value in given.items() if value and "\x00" not in value}


Wanted = Annotated[dict[str, str], Depends(wanted)]


@router.get("", response_class=HTMLResponse)
def inbox(visit: Reading, chosen: Wanted, after: Annotated[str, Query(max_length=120)] = "") -> HTMLResponse:
    with db.reading(visit.engine) as connection:
        values = _list(connection, visit, chosen, after)
    return visit.page("reviews.html", one=None, **values)


@router.get("/{mention_id}", response_class=HTMLResponse)
def opened(visit: Reading, mention_id: str, chosen: Wanted, after: str = "") -> HTMLResponse:
    try:
        with db.reading(visit.engine) as connection:
            values = _list(connection, visit, chosen, after) | _one(connection, visit, mention_id)
    except NotFoundError as error:
        raise RefusedError(404) from error
    return visit.page("reviews.html", **values)


@router.post("/{mention_id}/handle", response_class=HTMLResponse)
def handle(
    request: Request,
    visit: Handling,
    mention_id: str,
    aspect: Annotated[Literal["status", "assigned"], Form()],
    value: Annotated[str, Form(max_length=64)] = "",
) -> RedirectResponse:
    """Seen, done, or given to somebody; what is about the firm at all is for who may correct."""
    if value == "aside":
        raise RefusedError(404)
    return _judged(request, visit, mention_id, aspect, value)


@router.post("/{mention_id}/correct", response_class=HTMLResponse)
def correct(
    request: Request,
    visit: Editing,
    mention_id: str,
    aspect: Annotated[str, Form(max_length=64)],
    value: Annotated[str, Form(max_length=64)],
) -> RedirectResponse:
    """Rightly read or not, about the firm or not: it stands, whatever is read anew later."""
    return _judged(request, visit, mention_id, aspect, value)


@router.post("/{mention_id}/dispute", response_class=HTMLResponse)
def dispute(
    request: Request, visit: Editing, mention_id: str, reason: Annotated[str, Form(max_length=32)]
) -> RedirectResponse:
    """Keep a dated copy of a review that the firm contests."""
    with Trying(), db.writing(visit.engine) as connection:
        disputes.begin(connection, visit.company_id, mention_id, reason, visit.who.name)
    return _back(request, visit, mention_id)


@router.post("/{mention_id}/check", response_class=HTMLResponse)
def check(
    visit: Reading, mention_id: str, chosen: Wanted, text: Annotated[str, Form(max_length=5_000)]
) -> HTMLResponse:
    """What a reply should not say; nothing is kept, and nothing is published from here."""
    with Trying(), db.reading(visit.engine) as connection:
        values = _list(connection, visit, chosen, "") | _one(connection, visit, mention_id)
    return visit.page("reviews.html", **values | {"written": text, "faults": replies.faults(text)})


@router.post("", response_class=HTMLResponse)
def save(visit: Handling, chosen: Wanted, name: Annotated[str, Form(min_length=1, max_length=120)]) -> RedirectResponse:
    """Keep a filter under a name, for everybody of the firm."""
    row = {"id": ids.drawn("sf"), "company_id": visit.company_id, "name": name.strip() or "?"}
    with Trying(), db.writing(visit.engine) as connection:
        check_name(row["name"])
        if len(_saved(connection, visit.company_id)) < _MOST_SAVED:
            kept = {"query": urlencode(chosen), "created_at": clock.now()}
            connection.execute(saved_filter.insert().values(**row, **kept))
    return visit.back(f"/reviews?{urlencode(chosen)}")


@router.post("/saved/{filter_id}/remove", response_class=HTMLResponse)
def forget_filter(visit: Handling, filter_id: str) -> RedirectResponse:
    ours = saved_filter.c.id == filter_id, saved_filter.c.company_id == visit.company_id
    with db.writing(visit.engine) as connection:
        connection.execute(delete(saved_filter).where(*ours))
    return visit.back("/reviews")


def _list(connection: Connection, visit: Visit, chosen: dict[str, str], after: str) -> dict[str, Any]:
    found = queries.mentions(
        connection, visit.company_id, _filter(chosen, visit), limit=_PAGE + 1, after=_position(after)
    )
    query = urlencode(chosen)
    return {
        "mentions": found[:_PAGE],
        "next": f"{found[_PAGE - 1]['published_at'].isoformat()}~{found[_PAGE - 1]['id']}"
        if len(found) > _PAGE
        else "",
        "chosen": chosen,
        "query": f"?{query}" if query else "",
        "sources": queries.source_names(connection, visit.company_id),
        "locations": companies.locations(connection, visit.company_id),
        "saved": _saved(connection, visit.company_id),
        "apart": queries.apart(connection, visit.company_id),
        "themes": (*THEMES, GENERAL),
        "labels": store.LABELS,
        "sure": sentiment.SURE,
    }


def _one(connection: Connection, visit: Visit, mention_id: str) -> dict[str, Any]:
    one = dict(queries.one_mention(connection, visit.company_id, mention_id))
    kept = disputes.of_mention(connection, visit.company_id, mention_id)
    rank = queries.alike_before(connection, one)
    return {
        "one": one,
        "draft": replies.draft(one, rank),
        "written": None,
        "faults": (),
        "dispute": disputes.told(kept, visit.firm["timezone"]) if kept else None,
        "reasons": disputes.REASONS,
        "people": [who["name"] or who["email"] for who in people.of_company(connection, visit.company_id)],
    }


def _judged(request: Request, visit: Visit, mention_id: str, aspect: str, value: str) -> RedirectResponse:
    with Trying(), db.writing(visit.engine) as connection:
        store.judge(connection, visit.company_id, mention_id, aspect, value, visit.who.name[:64])
    return _back(request, visit, mention_id)


def _back(request: Request, visit: Visit, mention_id: str) -> RedirectResponse:
    query = request.url.query
    return visit.back(f"/reviews/{mention_id}" + (f"?{query}" if query else ""), "#opened")


def _filter(chosen: dict[str, str], visit: Visit) -> queries.Filter:
    # The names that complaints hide from the team must not be found by searching for them.
    is_for_name = not visit.may("editor") and _may_find(chosen.get("q", ""), visit.firm["staff"])
    return queries.Filter(
        q=chosen.get("q"),
        sentiment=chosen.get("sentiment"),
        theme=chosen.get("theme"),
        source_id=chosen.get("source"),
        location_id=chosen.get("location"),
        rating=float(chosen["rating"]) if "rating" in chosen else None,
        status=chosen.get("status"),
        assigned_to=chosen.get("who"),
        first=_day(chosen.get("from", "")),
        last=_day(chosen.get("to", "")),
        apart=chosen.get("apart"),
        except_sentiment="negative" if is_for_name else None,
    )


def _may_find(q: str, names: Sequence[str]) -> bool:
    """Whether a search may find one of those names, also by its beginning or with an ending."""
    name_words = [word for name in names for word in written(folded(name))]
    for part in q.split():
        for word in written(folded(part)):
            if any(_may_match(word, name, is_prefix=part.endswith("*")) for name in name_words):
                return True
    return False


def _may_match(word: str, name: str, *, is_prefix: bool) -> bool:
    is_near = len(word) >= len(name) - _ENDING_CHARS
    return word.startswith(name) or (name.startswith(word) and (is_prefix or is_near))


def _saved(connection: Connection, company_id: str) -> list[Any]:
    ours = select(saved_filter).where(saved_filter.c.company_id == company_id).order_by(saved_filter.c.name)
    return list(connection.execute(ours).mappings())


def _next(last: Mapping[str, Any]) -> str:
    return f"{last['published_at'].isoformat()}~{last['id']}"


def _position(after: str) -> tuple[datetime, str] | None:
    """Where the page before ended; a position that cannot be is the beginning."""
    moment, _, mention_id = after.partition("~")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (at, mention_id) if at.tzinfo and mention_id and "\x00" not in mention_id else None


def _day(given: str) -> date | None:
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None


def _one_of(given: str, allowed: tuple[str, ...]) -> str:
    return given if given in allowed else ""
