"""First minutes: from a firm's name to a page with real mentions. Nothing asks for a key, a port or a server's name."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse

from dashboards import letters
from dashboards.visit import FIRM, Editing, Given, Managing, RefusedError, Trying, Visit, Visitor, language_of
from ingest import imports, sources_store
from ingest.files.columns import UnknownColumnsError
from ingest.http import within
from ingest.imports import Imported
from ingest.recognise import proposals
from ingest.source import Check
from vigie import companies, db, people, quotas
from vigie.errors import InvalidInputError, TooManyError

router = APIRouter()
_MOST_FILES = 20
_LOOK_SECONDS = 60.0  # for all that is asked of the web while a person waits


@dataclass(frozen=True, slots=True)
class Dropped:
    """What became of a file: it was read, it cannot be, or somebody must say which column is which."""

    name: str
    done: Imported | None = None
    problem: str = ""
    unknown: UnknownColumnsError | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """A column's name for each field that somebody named."""

    text: Annotated[str, Form(max_length=500)] = ""
    rating: Annotated[str, Form(max_length=500)] = ""
    date: Annotated[str, Form(max_length=500)] = ""
    author: Annotated[str, Form(max_length=500)] = ""
    title: Annotated[str, Form(max_length=500)] = ""

    def mapping(self) -> dict[str, str]:
        return {name: column for name, column in asdict(self).items() if column}


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
    return _page(visit, read=[_read(visit, file) for file in files[:_MOST_FILES]])


@router.post(FIRM + "/start/columns", response_class=HTMLResponse)
def tell_columns(visit: Editing, file: UploadFile, said: Annotated[Columns, Depends()]) -> HTMLResponse:
    """Which column of a table is what: kept for every file with that header."""
    return _page(visit, read=[_read(visit, file, said.mapping())])


def _read(visit: Visit, file: UploadFile, mapping: Mapping[str, str] | None = None) -> Dropped:
    name = Path(file.filename or "").name[-120:] or "?"
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"dropped{Path(name).suffix[:8]}"
        with path.open("wb") as copy:
            copyfileobj(file.file, copy)
        try:
            with visit.pages.imports.one_of(visit.company_id):
                done = imports.import_file(
                    visit.engine, visit.pages.intake, visit.firm, path, name=name, mapping=mapping
                )
        except UnknownColumnsError as error:
            return Dropped(name, unknown=error)
        except InvalidInputError as error:
            return Dropped(name, problem=str(error))
    return Dropped(name, done)


@router.post(FIRM + "/start/mail", response_class=HTMLResponse)
def write_to(visit: Managing, email: Annotated[str, Form(max_length=320)]) -> HTMLResponse:
    """Where to write each Monday, and a mail to try it at once."""
    with Trying(), db.writing(visit.engine) as connection:
        quotas.take_mail(connection, visit.company_id, email)
        companies.add_recipient(connection, visit.company_id, email, language=visit.language, alerts="instant")
        person_id = people.add(connection, email, language=visit.language)
        people.grant(connection, person_id, visit.company_id, "owner", by=visit.who.name)
        letters.welcome(connection, visit.pages.settings, visit.firm, email.strip(), visit.language)
    return _page(visit, written_to=email)


def _proposals(visit: Visit) -> tuple[list[Check], str]:
    """Return what the firm could listen to, and why there is nothing."""
    try:
        with visit.pages.looks.one_of(visit.company_id), within(_LOOK_SECONDS):
            return proposals(visit.firm, visit.pages.settings.allow_hosts)
    except TooManyError as error:
        return [], str(error)


def _page(visit: Visit, *, read: list[Dropped] | None = None, written_to: str = "") -> HTMLResponse:
    with db.reading(visit.engine) as connection:
        sources = sources_store.of_company(connection, visit.company_id)
        recipients = companies.recipients(connection, visit.company_id)
    settings = visit.pages.settings
    looked = read is None and not written_to
    found, problem = _proposals(visit) if looked else ([], "")
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
