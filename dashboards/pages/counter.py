"""What a customer told the staff, and the cards that lead to the feedback page."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from dashboards import feedback
from dashboards.visit import FIRM, Handling, Reading, RefusedError
from ingest import sources_store
from vigie import db
from vigie.log.threads import in_log_thread

router = APIRouter(prefix=FIRM)


@router.get("/counter", response_class=HTMLResponse)
def counter(visit: Handling, kept: bool = False) -> HTMLResponse:
    return visit.page("counter.html", kept=kept)


@router.post("/counter", response_class=HTMLResponse)
@in_log_thread
def note(
    visit: Handling, said: Annotated[str, Form(max_length=5_000)], by: Annotated[str, Form(max_length=100)] = ""
) -> RedirectResponse:
    if said.strip():
        feedback.note(visit.engine, visit.pages.log, visit.company_id, said, by)
    return visit.back("/counter?kept=true")


@router.get("/sources/{source_id}/{shape}", response_class=HTMLResponse)
def card(visit: Reading, source_id: str, shape: Literal["card", "qr.svg", "qr.png"]) -> Response:
    """What leads to a feedback page: a card to print, or its QR code alone."""
    with db.reading(visit.engine) as connection:
        ours = [one for one in sources_store.of_company(connection, visit.company_id) if one["id"] == source_id]
    if not ours or ours[0]["kind"] != "form":
        raise RefusedError(404)
    address = feedback.address_of(visit.pages.settings, source_id)
    if shape == "card":
        is_loopback = visit.pages.settings.is_loopback
        return visit.page("feedback_card.html", source=ours[0], address=address, is_loopback=is_loopback)
    if visit.pages.settings.is_loopback:
        raise RefusedError(404)
    body, kind = feedback.qr_code(address, shape.removeprefix("qr."))
    return Response(body, media_type=kind)
