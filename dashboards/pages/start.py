"""First minutes: from a firm's name to a page with real mentions. Nothing asks for a key, a port or a server's name."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse

from dashboards import letters
from dashboards.visit import FIRM, Editing, Given, Managing, RefusedError, Trying, Visit, Visitor, language_of
from ingest import imports, sources_store
from ingest.imports import Imported
from ingest.recognise import proposals
from vigie import companies, db, people
from vigie.errors import InvalidInputError

router = APIRouter()
_MOST_FILES = 20


@router.post("/companies", response_class=HTMLResponse)
def add_firm(
    request: Request,
    given: Given,
    who: Visitor,
    name: Annotated[str, Form(min_length=1, max_length=200)],
    city: Annotated[str, Form(max_length=200)] = "",
    website: Annotated[str, Form(max_length=2_000)] = "",
) -> RedirectResponse:
    """A new firm, by its name, town and site."""
    if not who.may("admin", None):
        raise RefusedError(404)
    known = {"city": city.strip() or None, "website": website.strip() or None, "language": language_of(request)}
    with Trying(), db.writing(given.engine) as connection:
        company_id = companies.add(connection, name.strip(), **known)  # type: ignore[arg-type]
    return RedirectResponse(f"/companies/{company_id}/start", 303)


@router.get(FIRM + "/start", response_class=HTMLResponse)
def start(visit: Editing) -> HTMLResponse:
    """What could be listened to, looked at right now."""
    return _page(visit)


@router.post(FIRM + "/start/sources", response_class=HTMLResponse)
def listen(visit: Editing, wanted: Annotated[list[str] | None, Form()] = None) -> RedirectResponse:
    """Listen to what was chosen: each is a kind and a target."""
    with Trying(), db.writing(visit.engine) as connection:
        known = {(row["kind"], row["target"]) for row in sources_store.of_company(connection, visit.company_id)}
        for one in (wanted or [])[:_MOST_FILES]:
            kind, _, target = one.partition(" ")
            if (kind, target) not in known:
                sources_store.add(connection, visit.company_id, kind, target)
    return visit.back("/start", "#files")


@router.post(FIRM + "/start/files", response_class=HTMLResponse)
def drop(visit: Editing, files: list[UploadFile]) -> HTMLResponse:
    """Read what was dropped: exports and saved mails. What cannot be read is said, and the rest counts."""
    read: list[tuple[str, Imported | str]] = []
    with TemporaryDirectory() as folder:
        for number, file in enumerate(files[:_MOST_FILES]):
            name = Path(file.filename or "").name[-120:] or "?"
            path = Path(folder) / f"{number}{Path(name).suffix[:8]}"
            path.write_bytes(file.file.read())
            try:
                found = imports.import_file(visit.engine, visit.pages.log, visit.firm, path, name=name)
                read.append((name, found))
            except InvalidInputError as error:
                read.append((name, str(error)))
    return _page(visit, read=read)


@router.post(FIRM + "/start/mail", response_class=HTMLResponse)
def write_to(visit: Managing, email: Annotated[str, Form(max_length=320)]) -> HTMLResponse:
    """Where to write each Monday, and a mail to try it at once."""
    with Trying(), db.writing(visit.engine) as connection:
        companies.add_recipient(connection, visit.company_id, email, language=visit.language, alerts="instant")
        person_id = people.add(connection, email, language=visit.language)
        people.grant(connection, person_id, visit.company_id, "owner", by=visit.who.name)
        letters.welcome(connection, visit.pages.settings, visit.firm, email.strip(), visit.language)
    return _page(visit, written_to=email)


def _page(visit: Visit, *, read: list[tuple[str, Imported | str]] | None = None, written_to: str = "") -> HTMLResponse:
    with db.reading(visit.engine) as connection:
        sources = sources_store.of_company(connection, visit.company_id)
        recipients = companies.recipients(connection, visit.company_id)
    settings = visit.pages.settings
    looked = read is None and not written_to
    found, problem = proposals(visit.firm, settings.allow_hosts) if looked else ([], "")
    known = {(row["kind"], row["target"]) for row in sources}
    return visit.page(
        "start.html",
        found=[one for one in found if (one.kind, one.target) not in known],
        problem=problem,
        looked=looked,
        sources=sources,
        recipients=recipients,
        read=read or [],
        written_to=written_to,
        has_form=any(row["kind"] == "form" for row in sources),
        sends_mail=settings.smtp_url is not None,
        is_loopback=settings.is_loopback,
        folder=settings.outbox_dir,
    )
