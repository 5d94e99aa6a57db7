"""The firm's own voice: its public feedback page, the QR code that leads there, and the staff's counter form.

Everybody gets the same: the public platforms' links stand on the page before any rating, and the thanks after a 1 and
after a 5 are the same bytes, since soliciting only the happy is forbidden (Google's fake-engagement policy).
"""

import time
from collections import deque
from datetime import datetime, timedelta
from io import BytesIO
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, Engine, RowMapping

from dashboards import i18n
from ingest import collect, sources_store
from ingest.clean import link, plain
from ingest.found import Found, mentions
from vigie import clock, companies, db
from vigie.errors import NotFoundError, SettingsError, UnavailableError
from vigie.log import EventLog
from vigie.secrets import Vault
from vigie.settings import Settings

_QUICKEST, _LONGEST = timedelta(seconds=2), timedelta(hours=12)  # from opening the page to sending it
_MOST_ANSWERS, _WITHIN = 5, 600.0  # from one address, in seconds
_MOST_KNOWN = 10_000


class _Patience:
    """How often one address may answer; forgets what is old."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = {}

    def allows(self, address: str) -> bool:
        now = time.monotonic()
        if len(self._seen) >= _MOST_KNOWN:
            self._seen = {one: moments for one, moments in self._seen.items() if moments[-1] > now - _WITHIN}
        moments = self._seen.setdefault(address, deque(maxlen=_MOST_ANSWERS))
        if len(moments) == _MOST_ANSWERS and moments[0] > now - _WITHIN:
            return False
        moments.append(now)
        return True


def public_router(engine: Engine, log: EventLog, settings: Settings) -> APIRouter:
    """The pages that anybody may open."""
    router, patience = APIRouter(), _Patience()
    vault = Vault(settings.secret())

    @router.get("/avis/{source_id}", response_class=HTMLResponse)
    def ask(request: Request, source_id: str) -> Response:
        with db.reading(engine) as connection:
            firm, source = _form(connection, source_id)
        if firm is None or source is None:
            return _page("missing.html", "fr", 404)
        return _page("feedback.html", _language(request, firm), firm=firm, links=_links(source), stamp=_stamp(vault))

    @router.post("/avis/{source_id}", response_class=HTMLResponse)
    def answer(
        request: Request,
        source_id: str,
        stamp: Annotated[str, Form(max_length=500)] = "",
        rating: Annotated[int | None, Form(ge=1, le=5)] = None,
        text: Annotated[str, Form(max_length=5_000)] = "",
        wish: Annotated[str, Form(max_length=5_000)] = "",
        email: Annotated[str, Form(max_length=320)] = "",
        consent: Annotated[str, Form(max_length=10)] = "",
        website: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:
        """Whatever is answered, the thanks are the same; a robot is thanked too, and nothing is kept of it."""
        with db.reading(engine) as connection:
            firm, source = _form(connection, source_id)
        if firm is None or source is None:
            return _page("missing.html", "fr", 404)
        language = _language(request, firm)
        said = "\n".join(filter(None, (plain(text), plain(wish))))
        is_robot = bool(website) or not _is_human(vault, stamp)
        if not is_robot and (said or rating):
            if not patience.allows(request.client.host if request.client else ""):
                return _page("feedback_later.html", language, 429, firm=firm)
            contact = plain(email, most=320) if consent and "@" in email else None
            found = Found(text=said, rating=rating, rating_given=f"{rating}/5" if rating else None, author=contact,
                          external_id=stamp[-40:])  # fmt: skip
            try:
                _keep(engine, log, source, found)
            except UnavailableError:
                return _page("feedback_later.html", language, 503, firm=firm)
        return _page("feedback_thanks.html", language, firm=firm, links=_links(source))

    return router


def note(engine: Engine, log: EventLog, company_id: str, said: str, by: str) -> None:
    """What a customer told the staff: never a review, without stars, never in the score."""
    with db.writing(engine) as connection:
        source = sources_store.named(connection, company_id, "counter", "Comptoir")
    _keep(engine, log, source, Found(text=plain(said, most=5_000), author=by or None, apart="note"))


def qr_code(address: str, form: str) -> tuple[bytes, str]:
    """The QR code of an address as `svg` or `png`, and its media type. Error correction M survives a coffee stain."""
    out = BytesIO()
    code = segno.make_qr(address, error="m")
    code.save(out, kind=form, scale=10, border=4, **({"xmldecl": False} if form == "svg" else {}))
    return out.getvalue(), "image/svg+xml" if form == "svg" else "image/png"


def address_of(settings: Settings, source_id: str) -> str:
    """The public address of a feedback page."""
    return f"{settings.base_url.rstrip('/')}/avis/{source_id}"


def _keep(engine: Engine, log: EventLog, source: RowMapping, found: Found) -> None:
    collected = mentions(source["company_id"], source["id"], [found])
    collect.append(log, source["company_id"], sources_store.origin(source), collected)
    with db.writing(engine) as connection:
        sources_store.received(connection, source, clock.now())


def _form(connection: Connection, source_id: str) -> tuple[RowMapping | None, RowMapping | None]:
    """The firm and the form, if there is such a form and it is open."""
    try:
        source = sources_store.get(connection, source_id)
        firm = companies.get(connection, source["company_id"])
    except NotFoundError:
        return None, None
    return (firm, source) if source["kind"] == "form" and not source["paused"] else (None, None)


def _links(source: RowMapping) -> list[str]:
    return [kept for one in source["options"].get("links", "").split() if (kept := link(one))]


def _stamp(vault: Vault) -> str:
    return vault.encrypt(clock.now().isoformat()).decode()


def _is_human(vault: Vault, stamp: str) -> bool:
    """Whether the page was really opened, and not sent back faster than anybody writes."""
    try:
        opened_at = datetime.fromisoformat(vault.decrypt(stamp.encode()))
    except (SettingsError, ValueError):
        return False
    return _QUICKEST <= clock.now() - opened_at <= _LONGEST


def _language(request: Request, firm: RowMapping) -> str:
    asked = request.query_params.get("lang")
    return asked if asked in i18n.LANGUAGES else str(firm["language"])


def _page(template: str, language: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(i18n.render(template, language, **values), status)
