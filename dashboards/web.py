"""The pages as part of an app: its routers, its files, and who may ask by which name."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import Engine
from starlette.staticfiles import StaticFiles

from dashboards import alert_feed, feedback, subscription, visit
from dashboards.pages import alerts, counter, doors, firms, guides, reviews, settings, start, subjects, week, year
from dashboards.problem_pages import problem_page, show_problems, wants_page
from dashboards.visit import FOR_PROGRAMS, PAGE_HEADERS, Pages
from ingest.collect import Intake
from vigie.log import EventLog
from vigie.settings import LOOPBACK, Settings


def _unknown_host(request: Request, base_url: str) -> str:
    name = (request.url.hostname or "")[:200]
    return (
        f"Vigie was asked for as {name!r}, and VIGIE_BASE_URL is {base_url}. Open that address; behind a proxy, let it "
        "pass on the Host header (nginx: proxy_set_header Host $host)."
    )


Next = Callable[[Request], Awaitable[Response]]


def mount(app: FastAPI, engine: Engine, log: EventLog, intake: Intake, given: Settings) -> None:
    """Add the pages to `app`."""
    visit.install(app, Pages(engine, log, intake, given))
    for place in (doors, firms, week, reviews, subjects, alerts, settings, start, counter, guides, year):
        app.include_router(place.router, include_in_schema=False)
    app.include_router(alert_feed.router(engine, given), include_in_schema=False)
    app.include_router(feedback.public_router(engine, log, given), include_in_schema=False)
    subscription.mount(app, engine, given)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    allowed = LOOPBACK | {urlsplit(given.base_url).hostname or ""}

    @app.middleware("http")
    async def guard(request: Request, call_next: Next) -> Response:
        """A page of another site must not reach ours by a name of its own (DNS rebinding).

        Programs bring a key, or ask how we fare, by whatever name they know us.
        """
        if request.url.path.startswith(FOR_PROGRAMS):
            return await call_next(request)
        if (request.url.hostname or "") not in allowed:
            return PlainTextResponse(_unknown_host(request, given.base_url), 421)
        response = await call_next(request)
        response.headers.update(PAGE_HEADERS)
        return response

    app.middleware("http")(show_problems)
    # What no handler foresaw is answered outside every middleware.
    answer_program = app.exception_handlers[Exception]

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        answer: Response = answer_program(request, error)  # type: ignore[assignment]
        if not wants_page(request):
            return answer
        page = problem_page(request, answer.status_code)
        page.headers.update(PAGE_HEADERS)
        return page
