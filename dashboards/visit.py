"""Who opens a page, of which firm, in which language; and what they are shown when they may not.

A page asks for `Reading`, `Handling`, `Editing` or `Managing`: the role that it needs for the firm in its address.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Engine

from dashboards import i18n
from dashboards.slow_work import SlowWork
from ingest.collect import Intake
from vigie import access, companies, db
from vigie.access import Principal, Role
from vigie.errors import InvalidInputError, NotFoundError, TooManyError
from vigie.log import EventLog
from vigie.settings import Settings

LANGUAGE = "vigie_language"
# Where programs ask, by whatever name they know us; they are told of errors as problems.
FOR_PROGRAMS = ("/api/", "/openapi.json", "/health", "/ready", "/metrics")
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cache-Control": "no-store",
}
FIRM = "/companies/{company_id}"


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages work with."""

    engine: Engine
    log: EventLog
    intake: Intake
    settings: Settings
    looks: SlowWork = field(default_factory=SlowWork)  # at other people's sites
    # A company has one file in the parsers' queue, so that another one's waits for one file at most.
    imports: SlowWork = field(default_factory=lambda: SlowWork(max_of_company=1))


class RefusedError(Exception):
    """The visitor is shown this page instead."""

    def __init__(self, status: int, template: str = "missing.html", **values: Any) -> None:
        self.status, self.template, self.values = status, template, values


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody on a page of a firm."""

    pages: Pages
    who: Principal
    firm: Mapping[str, Any]
    language: str

    @property
    def company_id(self) -> str:
        return str(self.firm["id"])

    @property
    def engine(self) -> Engine:
        return self.pages.engine

    def may(self, role: Role) -> bool:
        return self.who.may(role, self.company_id)

    @property
    def is_host(self) -> bool:
        """Whether they run the installation."""
        return self.who.may("admin", None)

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page of this firm."""
        return show(template, self.language, status, firm=self.firm, visit=self, **values)

    def back(self, place: str = "", anchor: str = "") -> RedirectResponse:
        """To one of the firm's places, after something was done."""
        return RedirectResponse(f"/companies/{self.company_id}{place}{anchor}", 303)


def install(app: FastAPI, pages: Pages) -> None:
    """Make `pages` known to each page of `app`, and show who is refused why."""
    app.state.pages = pages

    @app.exception_handler(RefusedError)
    def refused(request: Request, error: RefusedError) -> Response:
        return show(error.template, language_of(request), error.status, **error.values)


def cookie_name(settings: Settings) -> str:
    """Return the name of the session's cookie.

    On https it is bound to this very host (RFC 6265bis, `__Host-`), so that no sibling domain can set it.
    """
    return "__Host-vigie_session" if settings.is_https else "vigie_session"


def pages_of(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


def visitor(request: Request, pages: Annotated[Pages, Depends(pages_of)]) -> Principal:
    """Whose session this is."""
    shown = request.cookies.get(cookie_name(pages.settings))
    with db.reading(pages.engine) as connection:
        who = access.authenticate(connection, shown, "session") if shown else None
    if who is None:
        raise RefusedError(401, "open.html", link="", failed=False)
    request.state.who = who
    return who


def _of_firm(role: Role) -> Callable[..., Visit]:
    def visit(
        request: Request,
        company_id: str,
        pages: Annotated[Pages, Depends(pages_of)],
        who: Annotated[Principal, Depends(visitor)],
    ) -> Visit:
        if not who.may(role, company_id):
            raise RefusedError(404)
        try:
            with db.reading(pages.engine) as connection:
                firm = dict(companies.get(connection, company_id))
        except NotFoundError as error:
            raise RefusedError(404) from error
        return Visit(pages, who, firm, language_of(request, firm))

    return visit


Given = Annotated[Pages, Depends(pages_of)]
Visitor = Annotated[Principal, Depends(visitor)]
Reading = Annotated[Visit, Depends(_of_firm("reader"))]
Handling = Annotated[Visit, Depends(_of_firm("team"))]
Editing = Annotated[Visit, Depends(_of_firm("editor"))]
Managing = Annotated[Visit, Depends(_of_firm("admin"))]


class Trying:
    """A change that a page asks for: what cannot be is shown as a page, in words."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotFoundError):
            raise RefusedError(404) from error
        if isinstance(error, InvalidInputError):
            status = 429 if isinstance(error, TooManyError) else 422
            raise RefusedError(status, "refused.html", why=str(error)) from error


def language_of(request: Request, firm: Mapping[str, Any] | None = None) -> str:
    """What the visitor asks for by `?lang=` or once asked for, else the firm's, else the browser's."""
    for asked in (request.query_params.get("lang"), request.cookies.get(LANGUAGE)):
        if asked in i18n.LANGUAGES:
            return str(asked)
    if firm is not None:
        return str(firm["language"])
    return "en" if request.headers.get("accept-language", "").lower().startswith("en") else "fr"


def show(template: str, language: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page in `language`."""
    return HTMLResponse(i18n.render(template, language, **values), status)
