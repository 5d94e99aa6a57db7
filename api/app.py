"""The API as one FastAPI app, to which pages may be added."""

import hashlib
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from api import errors
from api.audit import Audit
from api.cross_site import CrossSiteGuard
from api.docs_page import add_docs_page
from api.idempotency import Idempotency
from api.limits import BoundedBody
from api.rate_limit import RateLimit
from api.routes import companies, health, inbound, mentions, rules, sources, trends, webhooks
from api.services import Services
from api.tracing import TraceRequests
from vigie import __version__

_DESCRIPTION = """Reviews and mentions of small firms: collected, understood, alerted.

Every read has an `ETag`. A `POST` may carry an `Idempotency-Key`: sent again within a day, it is answered as the first
time and done once. `RateLimit-*` headers say how many requests are left, for each key and process.
"""

Next = Callable[[Request], Awaitable[Response]]


def create_app(services: Services) -> FastAPI:
    """Return the app that works with `services`."""
    app = FastAPI(
        title="Vigie",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name whatever host and scheme the request came by
    )
    app.state.services = services
    errors.install(app)
    for part in (companies, sources, mentions, trends, rules, webhooks, inbound):
        app.include_router(part.router, prefix="/api/v1", responses=errors.RESPONSES)
    app.include_router(health.router)
    app.middleware("http")(Idempotency(services.engine, services.vault))
    app.middleware("http")(_etag)
    app.middleware("http")(Audit(services.engine))
    app.middleware("http")(RateLimit(services.settings.rate_limit))
    app.add_middleware(BoundedBody, engine=services.engine)
    app.add_middleware(CrossSiteGuard, base_url=services.settings.base_url)
    app.add_middleware(TraceRequests)
    add_docs_page(app, "/api/docs")
    return app


async def _etag(request: Request, call_next: Next) -> Response:
    """Add an ETag to every API read, and answer 304 to a client that has it (RFC 9110, 13.1.2)."""
    response = await call_next(request)
    if request.method != "GET" or response.status_code != 200 or not request.url.path.startswith("/api/v1/"):
        return response
    body = b"".join([part async for part in response.body_iterator])  # type: ignore[attr-defined]
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, headers={**dict(response.headers), "ETag": etag})
