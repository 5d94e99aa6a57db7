"""What went wrong, as a page: a program is answered with a problem (RFC 9457), a browser with the same in words."""

import json
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from dashboards.visit import FOR_PROGRAMS, PAGE_HEADERS, language_of, show

Next = Callable[[Request], Awaitable[Response]]
_PROBLEM = "application/problem+json"
# The reasons that an owner can act on; others are a program's, and stay out of the page.
_TOLD = {403, 408, 413, 429}


async def show_problems(request: Request, call_next: Next) -> Response:
    """The middleware."""
    response = await call_next(request)
    if response.headers.get("content-type") != _PROBLEM or not wants_page(request):
        return response
    body = b"".join([part async for part in response.body_iterator])  # type: ignore[attr-defined]
    page = problem_page(request, response.status_code, str(json.loads(body).get("detail") or ""))
    kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
    page.headers.update(kept | PAGE_HEADERS)
    return page


def wants_page(request: Request) -> bool:
    """Return whether a person asks, by a browser."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(FOR_PROGRAMS)


def problem_page(request: Request, status: int, detail: str = "") -> HTMLResponse:
    """Return the page for a problem; `detail` is shown where the visitor can act on it."""
    template = "failing.html" if status >= 500 else "missing.html" if status == 404 else "refused.html"
    return show(template, language_of(request), status, why=detail if status in _TOLD else "")
