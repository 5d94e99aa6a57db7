"""A span for each request of the API, below the caller's own where it sends a `traceparent`."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vigie import traces


class TraceRequests:
    """ASGI middleware; while traces are off a request passes through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not traces.is_on() or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        await self._trace(scope, receive, send)

    async def _trace(self, scope: Scope, receive: Receive, send: Send) -> None:
        from opentelemetry.trace import get_current_span

        method = scope["method"]
        parent = Headers(scope=scope).get(traces.HEADER)
        with traces.span(method, "server", parent, **{"http.request.method": method}):
            request_span = get_current_span()

            async def send_noting_status(message: Message) -> None:
                if message["type"] == "http.response.start":
                    request_span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, send_noting_status)
            route = getattr(scope.get("route"), "path", None)
            if route:  # the pattern, not the path, which may hold a secret
                request_span.update_name(f"{method} {route}")
                request_span.set_attribute("http.route", route)
