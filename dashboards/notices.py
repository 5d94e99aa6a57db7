"""Short mails about the house itself: a webhook that is off."""

from email.message import EmailMessage

from sqlalchemy import Engine, select

from dashboards import i18n, weekly
from vigie import companies, db, due, ids, outbox
from vigie.db.tables import webhook
from vigie.settings import Settings


def send_due(engine: Engine, settings: Settings) -> int:
    """Tell the firms whose webhooks went off; how many webhooks that was."""
    timers = due.claim(engine, due.ENDPOINT_OFF)
    for timer in timers:
        with db.writing(engine) as connection:
            hook = connection.execute(select(webhook).where(webhook.c.id == timer.key)).mappings().one_or_none()
            if hook is not None and hook["off"]:
                firm = companies.get(connection, hook["company_id"])
                for who in companies.recipients(connection, hook["company_id"]):
                    event_id = ids.derived("endpoint_off", hook["id"], hook["failing_since"].isoformat(), who["email"])
                    values = {"firm": firm["name"], "url": hook["url"], "why": hook["off"]}
                    text = i18n.render("mail/endpoint_off.txt", who["language"], **values)
                    wire = _wire(text, settings, who["email"], event_id)
                    sent = outbox.delivery(outbox.MAIL, hook["company_id"], who["email"], event_id, wire.as_bytes())
                    outbox.enqueue(connection, [sent])
            due.finish(connection, timer)
    return len(timers)


def _wire(text: str, settings: Settings, recipient: str, message_id: str) -> EmailMessage:
    """The first line is the subject."""
    subject, _, body = text.partition("\n")
    return weekly.plain(subject, body.strip() + "\n", weekly.sender(settings), recipient, message_id)
