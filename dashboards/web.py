"""The pages: opened by a one-time link, kept open by a cookie. No GET changes anything."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from sqlalchemy import Connection, Engine, RowMapping
from starlette.staticfiles import StaticFiles

from analysis import alert_store, emerging, queries, sentiment, store, trends
from analysis.report import Week
from analysis.words import lemmas
from dashboards import charts, feedback, i18n, subscription, weekly
from ingest import sources_store
from vigie import access, clock, companies, db
from vigie.access import Principal
from vigie.errors import InvalidInputError, NotFoundError
from vigie.log import EventLog
from vigie.settings import LOOPBACK, Settings

COOKIE = "vigie_session"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_FOR_PROGRAMS = ("/api/", "/openapi.json", "/health", "/ready", "/metrics")
_WEEKS_SHOWN, _LATEST, _ASKED = 26, 20, 5

Next = Callable[[Request], Awaitable[Response]]


def mount(app: FastAPI, engine: Engine, log: EventLog, settings: Settings) -> None:
    """Add the pages to `app`."""
    app.include_router(_router(engine, log, settings), include_in_schema=False)
    app.include_router(feedback.public_router(engine, log, settings), include_in_schema=False)
    subscription.mount(app, engine, settings)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    allowed = LOOPBACK | {urlsplit(settings.base_url).hostname or ""}

    @app.middleware("http")
    async def guard(request: Request, call_next: Next) -> Response:
        """A page of another site must not reach ours by a name of its own (DNS rebinding).

        Programs bring a key, or ask how we fare, by whatever name they know us.
        """
        if request.url.path.startswith(_FOR_PROGRAMS):
            return await call_next(request)
        if (request.url.hostname or "") not in allowed:
            return PlainTextResponse("unknown host: set VIGIE_BASE_URL to the address that you use", 421)
        response = await call_next(request)
        response.headers.update(_HEADERS)
        return response


def _router(engine: Engine, log: EventLog, settings: Settings) -> APIRouter:
    router = APIRouter()
    secure = settings.base_url.startswith("https:")

    def visitor(request: Request, connection: Connection) -> Principal | None:
        shown = request.cookies.get(COOKIE)
        return access.authenticate(connection, shown, "session") if shown else None

    @router.get("/open", response_class=HTMLResponse)
    def ask(request: Request, link: str = "") -> Response:
        """One button: mail scanners open links, and must not use them up."""
        return _page("open.html", _language(request, None), link=link, failed=False)

    @router.post("/open", response_class=HTMLResponse)
    def enter(request: Request, link: Annotated[str, Form(max_length=200)]) -> Response:
        with db.writing(engine) as connection:
            session = access.open_session(connection, link)
        if session is None:
            return _page("open.html", _language(request, None), 403, link="", failed=True)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE,
            session,
            max_age=int(access.SESSION_LIFE.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=secure,
        )
        return answer

    @router.get("/", response_class=HTMLResponse)
    def home(request: Request) -> Response:
        with db.reading(engine) as connection:
            who = visitor(request, connection)
            firms = [row for row in companies.every(connection) if who and who.may("reader", row["id"])]
        if who is None:
            return _page("open.html", _language(request, None), 401, link="", failed=False)
        if len(firms) == 1:
            return RedirectResponse(f"/companies/{firms[0]['id']}", 303)
        return _page("companies.html", _language(request, None), firms=firms)

    @router.get("/companies/{company_id}", response_class=HTMLResponse)
    def company(request: Request, company_id: str) -> Response:
        with db.reading(engine) as connection:
            who = visitor(request, connection)
            if who is None:
                return _page("open.html", _language(request, None), 401, link="", failed=False)
            try:
                firm = companies.get(connection, company_id)
            except NotFoundError:
                firm = None
            if firm is None or not who.may("reader", company_id):
                return _page("missing.html", _language(request, None), 404)
            values = _company_values(connection, dict(firm))
        return _page("company.html", _language(request, firm), firm=firm, **values)

    def opened(request: Request, company_id: str) -> RowMapping | Response:
        """The firm, if the visitor may see it; else what they are shown instead."""
        with db.reading(engine) as connection:
            who = visitor(request, connection)
            if who is None:
                return _page("open.html", _language(request, None), 401, link="", failed=False)
            if not who.may("reader", company_id):
                return _page("missing.html", _language(request, None), 404)
            try:
                return companies.get(connection, company_id)
            except NotFoundError:
                return _page("missing.html", _language(request, None), 404)

    def editor(request: Request, connection: Connection, company_id: str) -> Principal | Response:
        """The visitor, if they may change the firm's things; else what they are shown instead."""
        who = visitor(request, connection)
        if who is None:
            return _page("open.html", _language(request, None), 401, link="", failed=False)
        return who if who.may("editor", company_id) else _page("missing.html", _language(request, None), 404)

    @router.post("/companies/{company_id}/mentions/{mention_id}/judgement", response_class=HTMLResponse)
    def judge(
        request: Request,
        company_id: str,
        mention_id: str,
        aspect: Annotated[Literal["confirmed", "status"], Form()],
        value: Annotated[Literal["yes", "no", "new", "aside"], Form()],
    ) -> Response:
        """What the owner says of one mention: rightly read or not, about the firm or not."""
        with db.writing(engine) as connection:
            who = editor(request, connection, company_id)
            if isinstance(who, Response):
                return who
            try:
                store.judge(connection, company_id, mention_id, aspect, value, who.name)
            except (NotFoundError, InvalidInputError):
                return _page("missing.html", _language(request, None), 404)
        return RedirectResponse(f"/companies/{company_id}#latest", 303)

    @router.post("/companies/{company_id}/alerts/{alert_id}/resolve", response_class=HTMLResponse)
    def resolve(request: Request, company_id: str, alert_id: str) -> Response:
        """Somebody has dealt with what an alert told of."""
        with db.writing(engine) as connection:
            who = editor(request, connection, company_id)
            if isinstance(who, Response):
                return who
            try:
                alert_store.handle(connection, company_id, alert_id, by=who.name, resolve=True)
            except NotFoundError:
                return _page("missing.html", _language(request, None), 404)
        return RedirectResponse(f"/companies/{company_id}#alerts", 303)

    @router.get("/companies/{company_id}/counter", response_class=HTMLResponse)
    def counter(request: Request, company_id: str, kept: bool = False) -> Response:
        firm = opened(request, company_id)
        return (
            firm
            if isinstance(firm, Response)
            else _page("counter.html", _language(request, firm), firm=firm, kept=kept)
        )

    @router.post("/companies/{company_id}/counter", response_class=HTMLResponse)
    def note(
        request: Request,
        company_id: str,
        said: Annotated[str, Form(max_length=5_000)],
        by: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        firm = opened(request, company_id)
        if isinstance(firm, Response):
            return firm
        if said.strip():
            feedback.note(engine, log, company_id, said, by)
        return RedirectResponse(f"/companies/{company_id}/counter?kept=true", 303)

    @router.get("/companies/{company_id}/sources/{source_id}/{shape}", response_class=HTMLResponse)
    def card(request: Request, company_id: str, source_id: str, shape: Literal["card", "qr.svg", "qr.png"]) -> Response:
        """What leads to a feedback page: a card to print, or its QR code alone."""
        firm = opened(request, company_id)
        if isinstance(firm, Response):
            return firm
        with db.reading(engine) as connection:
            ours = [one for one in sources_store.of_company(connection, company_id) if one["id"] == source_id]
        if not ours or ours[0]["kind"] != "form":
            return _page("missing.html", _language(request, firm), 404)
        address = feedback.address_of(settings, source_id)
        if shape == "card":
            return _page("feedback_card.html", _language(request, firm), firm=firm, source=ours[0], address=address)
        body, kind = feedback.qr_code(address, shape.removeprefix("qr."))
        return Response(body, media_type=kind)

    return router


def _company_values(connection: Connection, firm: dict[str, Any]) -> dict[str, Any]:
    today = clock.local_day(clock.now(), firm["timezone"])
    week = Week.of(today)
    facts = weekly.gather(connection, firm, week)
    if not facts["mentions"]:  # Monday morning: the week that people talk about is the one that ended
        week = week.before()
        facts = weekly.gather(connection, firm, week)
    first = Week.of(today).first - timedelta(weeks=_WEEKS_SHOWN - 1)
    points = trends.series(queries.daily(connection, firm["id"], first, today), first, today, "week")
    score = facts["score"]
    sources = sources_store.of_company(connection, firm["id"])
    return {
        "facts": facts,
        "today": today,
        "bars": charts.bars(points),
        "chart": {"width": charts.WIDTH, "height": charts.HEIGHT},
        "doubt": charts.interval(score["low"], score["high"], score["mean"]) if score["low"] is not None else None,
        "themes": queries.themes(connection, firm["id"], today - timedelta(days=90), today),
        "alerts": queries.alerts(connection, firm["id"], limit=5),
        "mentions": queries.mentions(connection, firm["id"], queries.Filter(), limit=_LATEST),
        "sources": queries.source_names(connection, firm["id"]),
        "aggregates": queries.aggregates(connection, firm["id"]),
        "findings": list(dict.fromkeys(name for one in sources for name in one["findings"] or ())),
        "apart": queries.apart(connection, firm["id"]),
        "sure": sentiment.SURE,
        "wishes": queries.wishes(connection, firm["id"], today - timedelta(days=90), today),
        "rising": _rising(connection, firm, today),
        "health": {one["id"]: one for one in sources},
        "asked": queries.mentions(connection, firm["id"], queries.Filter(apart="unconfirmed"), limit=_ASKED),
        "aside": queries.mentions(connection, firm["id"], queries.Filter(apart="aside"), limit=_ASKED),
    }


def _rising(connection: Connection, firm: dict[str, Any], today: date) -> list[emerging.Rising]:
    """What they begin to speak of: the last four weeks against the half year before."""
    first = today - timedelta(weeks=4) + timedelta(days=1)
    now = queries.texts(connection, firm["id"], first, today)
    before = queries.texts(connection, firm["id"], first - timedelta(weeks=26), first - timedelta(days=1))
    return emerging.rising(now, before, known=frozenset(lemmas(f"{firm['name']} {firm['city'] or ''}", "fr")))


def _language(request: Request, firm: RowMapping | None) -> str:
    """What the visitor asks for by `?lang=`, else the firm's, else the browser's."""
    asked = request.query_params.get("lang")
    if asked in i18n.LANGUAGES:
        return asked
    if firm is not None:
        return str(firm["language"])
    return "en" if request.headers.get("accept-language", "").lower().startswith("en") else "fr"


def _page(template: str, language: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(i18n.render(template, language, **values), status)
