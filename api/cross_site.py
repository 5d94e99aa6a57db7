"""Refuse what another site makes a visitor's browser send (CSRF), and give each answer its security headers.

A browser says where a request comes from: by Sec-Fetch-Site (W3C Fetch Metadata), else by Origin (RFC 6454). No page
carries a token, so that one that stayed open still works. A program sends neither header, and no cookie.
"""

from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from vigie.settings import LOOPBACK

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# Meant to be called from elsewhere: the public form, signed webhooks and bearer keys, and a mail program's own
# button (RFC 8058). None of them looks at a cookie.
OPEN_PATHS = ("/avis/", "/api/", "/unsubscribe/", "/monthly/", "/round/")
FROM_HERE = {"same-origin", "none"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "private, no-cache",
}
HSTS = "max-age=31536000"


class CrossSiteGuard:
    """The middleware; `base_url` is the address under which people open the pages."""

    def __init__(self, app: ASGIApp, base_url: str) -> None:
        self._app = app
        self._origin = origin_of(base_url)
        self._is_https = base_url.startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(message)
            await send(message)

        if is_cross_site(scope, self._origin):
            await _refusal()(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _add_headers(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if self._is_https:
            headers.setdefault("Strict-Transport-Security", HSTS)


def is_cross_site(scope: Scope, own_origin: str) -> bool:
    """Whether a browser says that another origin made it send this unsafe request."""
    if scope["method"] in SAFE_METHODS or scope["path"].startswith(OPEN_PATHS):
        return False
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in FROM_HERE
    origin = headers.get("origin")
    if origin is None:
        return False
    return origin not in {own_origin, _origin_on_this_machine(scope, headers)}


def origin_of(address: str) -> str:
    """Return scheme, host and port of a web address, as browsers write an origin."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


def _origin_on_this_machine(scope: Scope, headers: Headers) -> str | None:
    """Return the origin by which a visitor on this machine came, since loopback has several names."""
    origin = origin_of(f"{scope.get('scheme', 'http')}://{headers.get('host', '')}")
    return origin if urlsplit(origin).hostname in LOOPBACK else None


def _refusal() -> Any:
    return errors.problem(403, "From another site", "this was sent by a page of another site, so nothing was changed")
