"""Who changed what, through the pages or the API: kept for a year."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from vigie import audit, db

# Programs push all day: what they bring is in the mentions, each with its source and time.
_NOT_NOTED = {"push_mentions"}

Next = Callable[[Request], Awaitable[Response]]


class Audit:
    """The middleware of one app: each change that was answered well, by somebody known, is noted."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        who = getattr(request.state, "who", None)
        route = request.scope.get("route")
        changes = request.method not in {"GET", "HEAD", "OPTIONS"} and response.status_code < 400
        if changes and who is not None and route is not None and route.name not in _NOT_NOTED:
            await run_in_threadpool(self._note, request, who.name, route.name)
        return response

    def _note(self, request: Request, by: str, action: str) -> None:
        with db.writing(self._engine) as connection:
            audit.note(connection, request.path_params.get("company_id"), by, action, request.url.path)
