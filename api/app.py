"""The API as one FastAPI app; who serves it may add pages to it."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from api import errors
from api.audit import Audit
from api.idempotency import Idempotency
from api.rate_limit import RateLimit
from api.routes import companies, health, inbound, mentions, rules, sources, trends, webhooks
from api.services import Services
from vigie import __version__

MOST_BODY, MOST_UPLOAD = 2_000_000, 20_000_000  # bytes; the latter for files that somebody drops on a page
_UPLOADS = "/start/files"
_DESCRIPTION = """Reviews and mentions of small firms: collected, understood, alerted.

Every read has an `ETag`. A `POST` may carry an `Idempotency-Key`: sent again within a day, it is answered as the first
time and done once. `RateLimit-*` headers say how many requests are left, for each key and process.
"""

Next = Callable[[Request], Awaitable[Response]]
Scope = dict[str, Any]


def create_app(services: Services) -> FastAPI:
    """The app that works with `services`."""
    app = FastAPI(
        title="Vigie",
        version=__version__,
        description=_DESCRIPTION,
        docs_url="/api/docs",
        redoc_url=None,
        redirect_slashes=False,  # its redirects name whatever Host was sent
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
    app.add_middleware(BoundedBody)
    return app


async def _etag(request: Request, call_next: Next) -> Response:
    """An ETag on every API read, and 304 for whoever has it (RFC 9110, 13.1.2)."""
    response = await call_next(request)
    if request.method != "GET" or response.status_code != 200 or not request.url.path.startswith("/api/v1/"):
        return response
    body = b"".join([part async for part in response.body_iterator])  # type: ignore[attr-defined]
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, headers={**dict(response.headers), "ETag": etag})


class BoundedBody:
    """Refuses bodies over the limit of their address, whatever their Content-Length says."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MOST_UPLOAD if scope["path"].endswith(_UPLOADS) else MOST_BODY
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:12]) > most:
            await self._refuse(scope, receive, send, most)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > most:
                await self._refuse(scope, receive, send, most)
                return
        whole = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Any:
            return next(whole, None) or await receive()

        await self._app(scope, again, send)

    async def _refuse(self, scope: Scope, receive: Any, send: Any, most: int) -> None:
        answer = errors.problem(413, "Too large", f"the body may hold {most} bytes")
        await answer(scope, receive, send)
