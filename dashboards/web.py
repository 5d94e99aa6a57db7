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
from dashboards.visit import FOR_PROGRAMS, Pages
from ingest.collect import Intake
from vigie.log import EventLog
from vigie.settings import LOOPBACK, Settings

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

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
            return PlainTextResponse("unknown host: set VIGIE_BASE_URL to the address that you use", 421)
        response = await call_next(request)
        response.headers.update(_HEADERS)
        return response
