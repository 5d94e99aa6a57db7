"""Guides: twelve short lessons with an example for each trade, and a checklist that remembers."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import delete, select

from analysis.themes import trade_of
from dashboards import lessons
from dashboards.visit import FIRM, Handling, Reading, RefusedError, Visit
from vigie import clock, db
from vigie.db.tables import ticked

router = APIRouter(prefix=FIRM + "/guides")


@router.get("", response_class=HTMLResponse)
def guides(visit: Reading) -> HTMLResponse:
    done = _done(visit)
    shown = [(one, len(done.get(one.name, ()))) for one in lessons.every(visit.language)]
    return visit.page("guides.html", lessons=shown)


@router.get("/{name}", response_class=HTMLResponse)
def guide(visit: Reading, name: str) -> HTMLResponse:
    lesson = _lesson(visit, name)
    example = lesson.example_for(trade_of(visit.firm["sector"]))
    return visit.page("guide.html", lesson=lesson, example=example, done=_done(visit).get(name, set()))


@router.post("/{name}", response_class=HTMLResponse)
def tick(
    visit: Handling, name: str, step: Annotated[int, Form(ge=0)], done: Annotated[bool, Form()]
) -> RedirectResponse:
    """Note that a step is done, or is not after all."""
    if step >= len(_lesson(visit, name).steps):
        raise RefusedError(404)
    row = {"company_id": visit.company_id, "guide": name, "step": step, "by": visit.who.name[:120], "at": clock.now()}
    with db.writing(visit.engine) as connection:
        if done:
            db.upsert(connection, ticked, [row])
        else:
            ours = ticked.c.company_id == visit.company_id, ticked.c.guide == name, ticked.c.step == step
            connection.execute(delete(ticked).where(*ours))
    return visit.back(f"/guides/{name}", "#steps")


def _lesson(visit: Visit, name: str) -> lessons.Lesson:
    for one in lessons.every(visit.language):
        if one.name == name:
            return one
    raise RefusedError(404)


def _done(visit: Visit) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    with db.reading(visit.engine) as connection:
        for row in connection.execute(select(ticked).where(ticked.c.company_id == visit.company_id)):
            found.setdefault(row.guide, set()).add(row.step)
    return found
