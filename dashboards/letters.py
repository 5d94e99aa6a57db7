"""Short mails to one person: how to sign in, an invitation, a webhook that is off."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, RowMapping, select

from dashboards import i18n, subscription, weekly
from vigie import access, clock, companies, db, due, ids, outbox
from vigie.db.tables import webhook
from vigie.settings import Settings

NIGHT = "21:00-07:00"  # of the firm, when no mail leaves that nobody asked for
INVITED_FOR = timedelta(days=7)


def sign_in(connection: Connection, settings: Settings, who: RowMapping, link: str, code: str) -> None:
    """The link and the six digits that somebody asked for."""
    values = {"link": _link(settings, link), "code": f"{code[:3]} {code[3:]}"}
    enqueue(connection, settings, None, who["email"], "sign_in", who["language"], ids.drawn("si"), values)


def invite(
    connection: Connection, settings: Settings, who: RowMapping, firm: Mapping[str, Any], role: str, by: str
) -> None:
    """Tell somebody that they belong to a firm now, with a link that opens its pages once within a week."""
    link = _link(settings, access.create_link(connection, who["id"], life=INVITED_FOR))
    values = {"link": link, "firm": firm["name"], "role": role, "by": by}
    enqueue(connection, settings, firm["id"], who["email"], "invited", who["language"], ids.drawn("in"), values)


def welcome(connection: Connection, settings: Settings, firm: Mapping[str, Any], email: str, language: str) -> None:
    """A mail to try an address with."""
    enqueue(connection, settings, firm["id"], email, "welcome", language, ids.drawn("we"), {"firm": firm["name"]})


def send_due(engine: Engine, settings: Settings) -> int:
    """Tell the firms whose webhooks went off; how many webhooks that was."""
    timers = due.claim(engine, due.ENDPOINT_OFF)
    for timer in timers:
        with db.writing(engine) as connection:
            hook = connection.execute(select(webhook).where(webhook.c.id == timer.key)).mappings().one_or_none()
            if hook is not None and hook["off"]:
                _endpoint_off(connection, settings, hook)
            due.finish(connection, timer)
    return len(timers)


def _endpoint_off(connection: Connection, settings: Settings, hook: RowMapping) -> None:
    """Tell the firm's recipients, by day: nobody asked for this mail, so it waits for the morning as alerts do."""
    firm = companies.get(connection, hook["company_id"])
    # Of a chat's webhook the address is the secret, and a mail goes to many.
    values = {"firm": firm["name"], "url": urlsplit(hook["url"]).netloc.rpartition("@")[2], "why": hook["off"]}
    leaves_at = clock.after_quiet(clock.now(), NIGHT, firm["timezone"])
    for who in companies.recipients(connection, hook["company_id"]):
        event_id = ids.derived("endpoint_off", hook["id"], hook["failing_since"].isoformat(), who["email"])
        address, language = who["email"], who["language"]
        enqueue(connection, settings, firm["id"], address, "endpoint_off", language, event_id, values, due_at=leaves_at)


def enqueue(
    connection: Connection,
    settings: Settings,
    company_id: str | None,
    email: str,
    template: str,
    language: str,
    event_id: str,
    values: dict[str, Any],
    leave: str | None = None,
    mention_ids: Collection[str] = (),
    due_at: datetime | None = None,
) -> None:
    """A mail of that template, whose first line is the subject; `leave` is the address that stops such mails,
    `mention_ids` are the mentions that it quotes, and it leaves at `due_at` or at once."""
    subject, _, body = i18n.render(f"mail/{template}.txt", language, **values).partition("\n")
    wire = weekly.plain(subject, body.strip() + "\n", weekly.sender(settings), email, event_id)
    for name, value in subscription.headers(leave).items():
        wire[name] = value
    mail = outbox.delivery(outbox.MAIL, company_id, email, event_id, wire.as_bytes(), None, due_at, mention_ids)
    outbox.enqueue(connection, [mail])


def _link(settings: Settings, link: str) -> str | None:
    """None where it would open on this machine only, while the mail leaves it."""
    if settings.is_loopback and settings.smtp_url:
        return None
    return f"{settings.base_url.rstrip('/')}/open?link={link}"
