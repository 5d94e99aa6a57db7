"""The doors: a one-time link, or a link and six digits by mail; out again. No GET uses anything up."""

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Engine
from starlette.background import BackgroundTask

from dashboards import letters
from dashboards.visit import LANGUAGE, Given, Visitor, cookie_name, language_of, show
from vigie import access, db, people
from vigie.access import SESSION_LIFE
from vigie.settings import Settings

router = APIRouter()
_ASKED_HERE = "vigie_sign_in"  # a cookie: the six digits work only in the browser that asked for them
Email = Annotated[str, Form(max_length=320)]


@router.get("/open", response_class=HTMLResponse)
def ask(request: Request, link: str = "") -> Response:
    """One button: mail scanners open links, and must not use them up."""
    return show("open.html", language_of(request), link=link, failed=False)


@router.post("/open", response_class=HTMLResponse)
def enter(request: Request, given: Given, link: Annotated[str, Form(max_length=200)]) -> Response:
    with db.writing(given.engine) as connection:
        session = access.open_session(connection, link)
    if session is None:
        return show("open.html", language_of(request), 403, link="", failed=True)
    return _inside(session, given.settings)


@router.post("/sign-in", response_class=HTMLResponse)
def sign_in(request: Request, given: Given, email: Email) -> Response:
    """Give the same answer in the same time for every address: the mail is made after the answer was sent."""
    response = _sign_in_page(request, given.settings, email)
    browser = request.cookies.get(_ASKED_HERE) or secrets.token_urlsafe(24)
    response.set_cookie(
        _ASKED_HERE,
        browser,
        max_age=int(people.CODE_LIFE.total_seconds()),
        path="/sign-in",
        httponly=True,
        samesite="lax",
        secure=given.settings.is_https,
    )
    response.background = BackgroundTask(_send_sign_in, given.engine, given.settings, email, browser)
    return response


def _send_sign_in(engine: Engine, settings: Settings, email: str, browser: str) -> None:
    """Send a link and a code to the person of that address, if there is one."""
    if "\0" in email:  # PostgreSQL has no such text, so nobody has that address
        return
    with db.writing(engine) as connection:
        started = people.begin(connection, email, settings.secret(), browser)
        if started:
            letters.sign_in(connection, settings, *started)


@router.post("/sign-in/code", response_class=HTMLResponse)
def sign_in_by_code(
    request: Request, given: Given, email: Email, code: Annotated[str, Form(max_length=20)]
) -> Response:
    with db.writing(given.engine) as connection:
        browser = request.cookies.get(_ASKED_HERE, "")
        session = people.enter(connection, email, code, given.settings.secret(), browser)
    if session is None:
        return _sign_in_page(request, given.settings, email, 403, failed=True)
    return _inside(session, given.settings)


@router.post("/sign-out")
def sign_out(request: Request, given: Given, who: Visitor, everywhere: Annotated[bool, Form()] = False) -> Response:
    with db.writing(given.engine) as connection:
        access.end_session(connection, request.cookies[cookie_name(given.settings)])
        if everywhere and who.person_id:
            access.end_sessions(connection, who.person_id)
    answer = RedirectResponse("/", 303)
    name = cookie_name(given.settings)
    answer.delete_cookie(name, secure=given.settings.is_https, httponly=True, samesite="lax")
    return answer


@router.post("/language")
def speak(language: Annotated[Literal["fr", "en"], Form()]) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(LANGUAGE, language, max_age=int(SESSION_LIFE.total_seconds()), httponly=True, samesite="lax")
    return answer


def _sign_in_page(
    request: Request, settings: Settings, email: str, status: int = 200, *, failed: bool = False
) -> HTMLResponse:
    sends_mail = bool(settings.smtp_url)
    return show("sign_in.html", language_of(request), status, email=email, failed=failed, sends_mail=sends_mail)


def _inside(session: str, settings: Settings) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        cookie_name(settings),
        session,
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=settings.is_https,
    )
    return answer
