"""Settings: where does Vigie listen, who is told, who may look? And everything to take away."""

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from analysis import export, queries, rule_store, rules
from dashboards import letters
from dashboards.visit import FIRM, Editing, Managing, Reading, RefusedError, Trying, Visit
from ingest import recognise, sources_store
from ingest.files.writing import lines
from ingest.http import within
from ingest.source import Check
from vigie import access, audit, companies, db, outbox, people, quotas
from vigie.errors import InvalidInputError, SourceError, TooManyError
from vigie.secrets import Vault

router = APIRouter(prefix=FIRM + "/settings")
_LOOK_SECONDS = 60.0  # for all that is asked of the web while a person waits
Email = Annotated[str, Form(max_length=320)]


@router.get("", response_class=HTMLResponse)
def settings(visit: Reading) -> HTMLResponse:
    return _page(visit)


@router.post("/sources/check", response_class=HTMLResponse)
def look(visit: Editing, target: Annotated[str, Form(min_length=1, max_length=2_000)]) -> HTMLResponse:
    """What an address is and what could be collected there; nothing is kept yet."""
    try:
        with visit.pages.looks.one_of(visit.company_id), within(_LOOK_SECONDS):
            found = recognise.recognise(target.strip(), visit.pages.settings.allow_hosts)
    except (SourceError, TooManyError) as error:
        return _page(visit, target=target, problem=str(error))
    return _page(visit, target=target, found=found)


@router.post("/sources", response_class=HTMLResponse)
def listen(
    visit: Editing,
    kind: Annotated[str, Form(max_length=64)],
    target: Annotated[str, Form(max_length=2_000)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
) -> RedirectResponse:
    with Trying(), db.writing(visit.engine) as connection:
        vault = Vault(visit.pages.settings.secret())
        sources_store.add(connection, visit.company_id, kind, target.strip(), name=name.strip() or None, vault=vault)
    return visit.back("/settings", "#sources")


@router.post("/sources/{source_id}/{done}", response_class=HTMLResponse)
def turn_source(visit: Editing, source_id: str, done: Literal["pause", "resume"]) -> RedirectResponse:
    with Trying(), db.writing(visit.engine) as connection:
        if sources_store.get(connection, source_id)["company_id"] != visit.company_id:
            raise RefusedError(404)
        sources_store.change(connection, source_id, {"paused": done == "pause"})
    return visit.back("/settings", "#sources")


@router.post("/mails/again", response_class=HTMLResponse)
def send_mails_again(visit: Managing) -> RedirectResponse:
    """Send what could not be delivered once more, from the first attempt on."""
    with db.writing(visit.engine) as connection:
        mail_ids, _ = outbox.unsent_mails(connection, visit.company_id, of_host=visit.is_host)
        outbox.again(connection, mail_ids)
    return visit.back()


@router.post("/recipients", response_class=HTMLResponse)
def tell(
    visit: Managing,
    email: Email,
    edition: Annotated[Literal["owner", "team"], Form()],
    alerts: Annotated[Literal["none", "instant", "daily"], Form()] = "none",
    frequency: Annotated[Literal["weekly", "daily", "monthly"], Form()] = "weekly",
    about: Annotated[list[str] | None, Form()] = None,
    reminders: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """Somebody receives the firm's mail from now on, and the alerts `about` those rules (none named: about all)."""
    with Trying(), db.writing(visit.engine) as connection:
        known = {rules.alert_name(one) for one in rule_store.of_company(connection, visit.company_id)}
        if unknown := set(about or []) - known:
            raise InvalidInputError(f"there is no rule {min(unknown)!r}")
        if not companies.is_recipient(connection, visit.company_id, email):
            quotas.take_mail(connection, visit.company_id, email)
        companies.add_recipient(
            connection,
            visit.company_id,
            email,
            edition=edition,
            language=visit.language,
            alerts=alerts,
            frequency=frequency,
            rules=about or [],
            reminders=reminders,
        )
    return visit.back("/settings", "#told")


@router.post("/recipients/remove", response_class=HTMLResponse)
def tell_no_more(visit: Managing, email: Email) -> RedirectResponse:
    with db.writing(visit.engine) as connection:
        companies.remove_recipient(connection, visit.company_id, email)
    return visit.back("/settings", "#told")


@router.post("/people", response_class=HTMLResponse)
def invite(
    visit: Managing,
    email: Email,
    role: Annotated[Literal["owner", "adviser", "team"], Form()],
    name: Annotated[str, Form(max_length=120)] = "",
) -> RedirectResponse:
    """Let somebody in, and write to them; for an adviser this is the mandate."""
    with Trying(), db.writing(visit.engine) as connection:
        quotas.take_mail(connection, visit.company_id, email)
        person_id = people.add(connection, email, name=name.strip(), language=visit.language)
        people.grant(connection, person_id, visit.company_id, role, by=visit.who.name, name=name.strip())
        who = people.get(connection, person_id)
        letters.invite(connection, visit.pages.settings, who, visit.firm, role, visit.who.name)
    return visit.back("/settings", "#people")


@router.post("/people/{person_id}/remove", response_class=HTMLResponse)
def dismiss(visit: Managing, person_id: str) -> RedirectResponse:
    """End somebody's place in the firm, or a mandate: it holds from their next click."""
    with Trying(), db.writing(visit.engine) as connection:
        people.revoke(connection, person_id, visit.company_id)
    return visit.back("/settings", "#people")


@router.post("/staff", response_class=HTMLResponse)
def name_staff(visit: Editing, names: Annotated[str, Form(max_length=1_000)] = "") -> RedirectResponse:
    """First names of the team, with commas: hidden where a customer complains."""
    staff = list(dict.fromkeys(name for one in names.split(",") if (name := " ".join(one.split()))))
    with Trying(), db.writing(visit.engine) as connection:
        companies.change(connection, visit.company_id, {"staff": staff})
    return visit.back("/settings", "#people")


@router.post("/pseudonyms", response_class=HTMLResponse)
def use_pseudonyms(visit: Managing, wanted: Annotated[bool, Form()]) -> RedirectResponse:
    """Know authors by a pseudonym, or by their name, from now on."""
    with Trying(), db.writing(visit.engine) as connection:
        companies.change(connection, visit.company_id, {"pseudonyms": wanted})
    return visit.back("/settings", "#data")


@router.post("/feed", response_class=HTMLResponse)
def make_feed(visit: Managing, replaces: Annotated[str, Form(max_length=64)] = "") -> Response:
    """A new address of the feed of alerts, shown once; the one that it `replaces` is over.

    The same form sent again (a page that is loaded anew) changes nothing: the address may have been copied by then.
    """
    with db.writing(visit.engine) as connection:
        if access.feed_mark(connection, visit.company_id) != replaces:
            return visit.back("/settings", "#rules")
        key = access.create_feed(connection, visit.company_id)
    return _page(visit, feed=f"{visit.pages.settings.base_url.rstrip('/')}/feed/{key}.atom")


@router.post("/rules/{rule_id}", response_class=HTMLResponse)
def turn_rule(visit: Editing, rule_id: str, enabled: Annotated[bool, Form()]) -> RedirectResponse:
    with Trying(), db.writing(visit.engine) as connection:
        rule_store.change(connection, visit.company_id, rule_id, {"enabled": enabled})
    return visit.back("/settings", "#rules")


@router.get("/export/{what}.{form}")
def take_away(
    visit: Reading, what: Literal["mentions", "trends", "alerts"], form: Literal["csv", "jsonl"]
) -> StreamingResponse:
    """Everything that the firm has, in a form that other programs read; nothing for the team."""
    if not visit.may("editor"):
        raise RefusedError(403, "withheld.html")
    rows = {"mentions": export.mentions, "trends": export.trend, "alerts": export.alerts}[what]
    found: Iterator[str] = lines(rows(visit.engine, visit.firm), form)
    kind = "application/x-ndjson"
    if form == "csv":
        found, kind = chain("\ufeff", found), "text/csv; charset=utf-8"  # Excel needs the mark
    name = {"Content-Disposition": f'attachment; filename="{what}.{form}"'}
    return StreamingResponse(found, media_type=kind, headers=name)


def _page(
    visit: Visit, *, target: str = "", found: list[Check] | None = None, problem: str = "", feed: str = ""
) -> HTMLResponse:
    with db.reading(visit.engine) as connection:
        sources = sources_store.of_company(connection, visit.company_id)
        values: dict[str, Any] = {
            "sources": sources,
            "findings": list(dict.fromkeys(name for one in sources for name in one["findings"] or ())),
            "aggregates": queries.aggregates(connection, visit.company_id),
            "recipients": companies.recipients(connection, visit.company_id),
            "people": people.of_company(connection, visit.company_id),
            "rules": [
                {**one, "alert": rules.alert_name(one)} for one in rule_store.of_company(connection, visit.company_id)
            ],
            "sessions": access.sessions(connection, visit.who.person_id) if visit.who.person_id else [],
            "feed_mark": access.feed_mark(connection, visit.company_id),
            "done": audit.of_company(connection, visit.company_id) if visit.may("admin") else [],
        }
    shown: dict[str, Any] = {"target": target, "found": found, "problem": problem, "feed": feed}
    return visit.page("settings.html", own=rules.OWN, **shown, **values)
