"""The firm's own form: its public feedback page, the QR code that leads there, and the staff's counter form.

Everybody gets the same: the public platforms' links stand on the page before any rating, and the thanks after a 1 and
after a 5 are the same bytes, since soliciting only the happy is forbidden (Google's fake-engagement policy).

No answer is lost: one that looks like a robot's is kept, excluded until somebody says that it counts, and what was
typed stands in the page again whenever it could not be kept.
"""

import ipaddress
import re
import secrets
import time
from collections import deque
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, Engine, RowMapping

from dashboards import i18n
from ingest import collect, sources_store
from ingest.clean import link, plain
from ingest.found import Found, mentions
from vigie import clock, companies, db, ids
from vigie.errors import NotFoundError, UnavailableError
from vigie.log import EventLog
from vigie.log.threads import in_log_thread
from vigie.settings import Settings

QUICKEST_SECONDS = 2.0  # from opening the page to sending it
MAX_CHARS = 5_000
MAX_CONTACT_CHARS = 320
WINDOW_SECONDS = 600.0
MAX_ANSWERS_OF_ADDRESS = 60  # to one form: a shop's Wi-Fi, or the tablet at its till, is one address
MAX_ANSWERS_OF_FORM = 1_000
MAX_COUNTED_KEYS = 10_000
_STAMP = re.compile(r"(\d{1,12})\.[0-9a-f]{16}")
_CONTACT = re.compile(r"[^\s@<>,;:\"]{1,64}@[^\s@<>,;:\"]{1,190}\.[^\s@.<>,;:\"]{2,24}")


class AnswerLimit:
    """How many answers each key may give in ten minutes; forgets what is old."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._times: dict[str, deque[float]] = {}

    def allows(self, key: str) -> bool:
        """Count an answer, and say whether it is within the limit."""
        now = time.monotonic()
        if len(self._times) >= MAX_COUNTED_KEYS:
            self._forget_old(now)
        times = self._times.setdefault(key, deque(maxlen=self._limit))
        if len(times) == self._limit and times[0] > now - WINDOW_SECONDS:
            return False
        times.append(now)
        return True

    def _forget_old(self, now: float) -> None:
        recent = {key: times for key, times in self._times.items() if times[-1] > now - WINDOW_SECONDS}
        # Still too many: somebody draws new addresses. The oldest half is forgotten.
        latest_first = sorted(recent.items(), key=lambda pair: -pair[1][-1])
        self._times = dict(latest_first[: MAX_COUNTED_KEYS // 2])


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody typed into the form, as it came."""

    stamp: str = ""
    rating: str = ""
    text: str = ""
    wish: str = ""
    email: str = ""
    consent: str = ""
    # A field that nobody sees: what fills it is a robot. Browsers fill fields by their names, and know none like it.
    second_thought: str = ""
    # Whether the page has asked already if the address may be used.
    asked: str = ""

    @property
    def stars(self) -> int | None:
        """The rating from 1 to 5; None for anything else."""
        return int(self.rating) if self.rating in {"1", "2", "3", "4", "5"} else None

    @property
    def contact(self) -> str | None:
        """The address, where the customer agreed to be answered."""
        address = self.email.strip()
        return address if self.consent and address else None

    def find_fault(self) -> str | None:
        """Return what the customer must see to before the answer can be kept, by name; None when nothing."""
        if max(len(self.text), len(self.wish)) > MAX_CHARS:
            return "too_long"
        if not (self.stars or self.text.strip() or self.wish.strip()):
            return "empty"
        if self.contact and not _CONTACT.fullmatch(self.contact):
            return "address"
        if self.email.strip() and not self.consent and not self.asked:
            return "consent"
        return None

    def is_suspect(self) -> bool:
        """Whether a robot seems to have sent it.

        A page may stay open for days on a tablet, and the installation's key may change meanwhile, so a stamp never
        expires and is not signed: it tells haste, and one page from another.
        """
        match = _STAMP.fullmatch(self.stamp)
        if self.second_thought or not match:
            return True
        return clock.now().timestamp() - int(match[1]) < QUICKEST_SECONDS

    def identity(self) -> str:
        """Return the same for a double click, and another for other words from the same page."""
        return ids.derived("form", self.stamp[:40], self.stars, self.text, self.wish, self.contact)


def read_answer(
    stamp: Annotated[str, Form()] = "",
    rating: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
    wish: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    consent: Annotated[str, Form()] = "",
    second_thought: Annotated[str, Form()] = "",
    asked: Annotated[str, Form()] = "",
) -> Answer:
    """Return the form's fields; whatever is too long or missing is said on the page."""
    return Answer(stamp, rating, text, wish, email[: MAX_CONTACT_CHARS * 2], consent, second_thought, asked)


def public_router(engine: Engine, log: EventLog, settings: Settings) -> APIRouter:
    """The pages that anybody may open."""
    router = APIRouter()
    by_address = AnswerLimit(MAX_ANSWERS_OF_ADDRESS)
    by_form = AnswerLimit(MAX_ANSWERS_OF_FORM)

    @router.get("/avis/{source_id}", response_class=HTMLResponse)
    def ask(request: Request, source_id: str) -> Response:
        with db.reading(engine) as connection:
            firm, source = _form(connection, source_id)
        if firm is None or source is None:
            return _missing(request)
        return _form_page(request, firm, source, Answer())

    @router.post("/avis/{source_id}", response_class=HTMLResponse)
    @in_log_thread
    def answer(request: Request, source_id: str, answer: Annotated[Answer, Depends(read_answer)]) -> Response:
        """Keep the answer. The thanks are the same whatever it says, and for a robot too."""
        with db.reading(engine) as connection:
            firm, source = _form(connection, source_id)
        if firm is None or source is None:
            return _missing(request)
        if fault := answer.find_fault():
            return _form_page(request, firm, source, answer, fault, 422)
        is_allowed = by_address.allows(f"{source_id} {_network_of(request)}") and by_form.allows(source_id)
        if not is_allowed:
            return _form_page(request, firm, source, answer, "later", 429)
        try:
            _keep(engine, log, source, _found(answer))
        except UnavailableError:
            return _form_page(request, firm, source, answer, "later", 503)
        language = _language(request, firm)
        return _page("feedback_thanks.html", language, firm=firm, links=_links(source))

    return router


def note(engine: Engine, log: EventLog, company_id: str, said: str, by: str) -> None:
    """What a customer told the staff: never a review, without stars, never in the score."""
    with db.writing(engine) as connection:
        source = sources_store.named(connection, company_id, "counter", "Comptoir")
    _keep(engine, log, source, Found(text=plain(said, most=MAX_CHARS), author=by or None, apart="note"))


def qr_code(address: str, form: str) -> tuple[bytes, str]:
    """The QR code of an address as `svg` or `png`, and its media type. Error correction M survives a coffee stain."""
    out = BytesIO()
    code = segno.make_qr(address, error="m")
    code.save(out, kind=form, scale=10, border=4, **({"xmldecl": False} if form == "svg" else {}))
    return out.getvalue(), "image/svg+xml" if form == "svg" else "image/png"


def address_of(settings: Settings, source_id: str) -> str:
    """The public address of a feedback page."""
    return f"{settings.base_url.rstrip('/')}/avis/{source_id}"


def _keep(engine: Engine, log: EventLog, source: RowMapping, found: Found) -> None:
    collected = mentions(source["company_id"], source["id"], [found])
    collect.append(log, source["company_id"], sources_store.origin(source), collected)
    with db.writing(engine) as connection:
        sources_store.received(connection, source, clock.now())


def _form(connection: Connection, source_id: str) -> tuple[RowMapping | None, RowMapping | None]:
    """The firm and the form, if there is such a form and it is open."""
    try:
        source = sources_store.get(connection, source_id)
        firm = companies.get(connection, source["company_id"])
    except NotFoundError:
        return None, None
    return (firm, source) if source["kind"] == "form" and not source["paused"] else (None, None)


def _links(source: RowMapping) -> list[str]:
    return [kept for one in source["options"].get("links", "").split() if (kept := link(one))]


def _found(answer: Answer) -> Found:
    words, wish = plain(answer.text), plain(answer.wish)
    return Found(
        text=words or wish,
        wish=wish or None,
        rating=answer.stars,
        rating_given=f"{answer.stars}/5" if answer.stars else None,
        contact=answer.contact,
        external_id=answer.identity(),
        apart="unconfirmed" if answer.is_suspect() else None,
    )


def _make_stamp() -> str:
    """Return when the page was opened, in seconds, and what tells it from others."""
    return f"{int(clock.now().timestamp())}.{secrets.token_hex(8)}"


def _network_of(request: Request) -> str:
    """Return the visitor's address; of IPv6 the network of 64 bits, since one visitor has all of it."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))


def _language(request: Request, firm: RowMapping | None) -> str:
    """Return the language that the visitor chose, else the browser's, else the firm's."""
    chosen = request.query_params.get("lang")
    if chosen in i18n.LANGUAGES:
        return str(chosen)
    for preference in request.headers.get("accept-language", "")[:200].split(","):
        code = preference.partition(";")[0].strip()[:2].lower()
        if code in i18n.LANGUAGES:
            return code
    return str(firm["language"]) if firm else i18n.LANGUAGES[0]


def _missing(request: Request) -> HTMLResponse:
    return _page("feedback_missing.html", _language(request, None), 404)


def _form_page(
    request: Request, firm: RowMapping, source: RowMapping, answer: Answer, fault: str = "", status: int = 200
) -> HTMLResponse:
    """Return the form, filled with what was typed, and with what must be seen to."""
    stamp = answer.stamp if _STAMP.fullmatch(answer.stamp) else _make_stamp()
    values = {"firm": firm, "links": _links(source), "stamp": stamp, "answer": answer, "fault": fault}
    return _page("feedback.html", _language(request, firm), status, **values)


def _page(template: str, language: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(i18n.render(template, language, **values), status)
