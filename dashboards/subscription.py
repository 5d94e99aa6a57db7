"""Leaving a mailing, or having it once a month: links in the mails, and the mail programs' own button (RFC 8058).

The link names one firm and one address, sealed with the installation's key, and expires. Opening it changes nothing,
as mail scanners open links; the page's button, or the mail program's POST, takes the address off.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, Engine

from dashboards import i18n
from vigie import clock, companies, db, people
from vigie.errors import NotFoundError, SettingsError
from vigie.secrets import Vault
from vigie.settings import Settings

_LIFE = timedelta(days=400)
Purpose = Literal["unsubscribe", "monthly", "round"]
LEAVE: Purpose = "unsubscribe"
MONTHLY: Purpose = "monthly"
ROUND: Purpose = "round"  # an adviser's mail: it names the person in the place of a firm
_CHANGES: dict[Purpose, Callable[[Connection, str, str], object]] = {
    LEAVE: companies.remove_recipient,
    MONTHLY: companies.read_monthly,
    ROUND: lambda connection, person_id, _: people.tell_on_mondays(connection, person_id, wanted=False),
}


def link(settings: Settings, whose: str, email: str, purpose: Purpose = LEAVE) -> str | None:
    """The address that takes `email` off, or that makes its mail monthly.

    None where it would open on this machine only while the mail leaves it.
    """
    if settings.is_loopback and settings.smtp_url:
        return None
    until = (clock.now() + _LIFE).isoformat()
    sealed = Vault(settings.secret()).encrypt(" ".join((purpose, whose, until, email))).decode()
    return f"{settings.base_url.rstrip('/')}/{purpose}/{sealed}"


def headers(address: str | None) -> dict[str, str]:
    """What a mail program needs for its own button."""
    if address is None:
        return {}
    return {"List-Unsubscribe": f"<{address}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def mount(app: FastAPI, engine: Engine, settings: Settings) -> None:
    """Add the page to `app`; it needs no session."""
    app.include_router(_router(engine, lambda: Vault(settings.secret())), include_in_schema=False)


def _router(engine: Engine, vault: Callable[[], Vault]) -> APIRouter:
    router = APIRouter()
    for purpose in _CHANGES:
        _add_page(router, purpose, engine, vault)
    return router


def _add_page(router: APIRouter, purpose: Purpose, engine: Engine, vault: Callable[[], Vault]) -> None:
    @router.get(f"/{purpose}/{{sealed}}", response_class=HTMLResponse)
    def ask(sealed: str) -> Response:
        return _page(engine, _named(vault(), sealed, purpose), purpose, is_done=False)

    @router.post(f"/{purpose}/{{sealed}}", response_class=HTMLResponse)
    def change(sealed: str) -> Response:
        named = _named(vault(), sealed, purpose)
        if named is not None:
            with db.writing(engine) as connection:
                _CHANGES[purpose](connection, *named)
        return _page(engine, named, purpose, is_done=True)


def _named(vault: Vault, sealed: str, wanted: Purpose) -> tuple[str, str] | None:
    """The firm (or the person) and the address of a link of that purpose, while it is valid."""
    try:
        purpose, whose, until, email = vault.decrypt(sealed.encode()).split(" ", 3)
        is_ours = purpose == wanted and datetime.fromisoformat(until) > clock.now()
    except (SettingsError, ValueError):
        return None
    return (whose, email) if is_ours else None


def _page(engine: Engine, named: tuple[str, str] | None, purpose: Purpose, *, is_done: bool) -> Response:
    if named is None:
        return HTMLResponse(i18n.render("mailing.html", "fr", firm=None), 404)
    try:
        with db.reading(engine) as connection:
            whose = (people if purpose == ROUND else companies).get(connection, named[0])
    except NotFoundError:
        return HTMLResponse(i18n.render("mailing.html", "fr", firm=None), 404)
    page = i18n.render("mailing.html", whose["language"], firm=whose, purpose=purpose, email=named[1], is_done=is_done)
    return HTMLResponse(page)
