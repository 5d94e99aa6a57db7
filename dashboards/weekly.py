"""The weekly mail: gathered once for each firm and period, kept as it was sent, rendered in text and HTML."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, select

from analysis import endpoints, erasure, markers, queries, report
from analysis.report import Facts, Month, Period, Week
from dashboards import i18n, subscription
from dashboards.mailer import default_sender
from vigie import clock, companies, db, due, ids, outbox
from vigie.db.tables import mention, reported, source
from vigie.db.tables import report as report_table
from vigie.errors import NotFoundError
from vigie.outbox import Delivery
from vigie.settings import Settings

OWNER, TEAM = "owner", "team"
_TEMPLATES = {OWNER: ("mail/subject.txt", "mail/weekly"), TEAM: ("mail/team_subject.txt", "mail/team")}
_MOST_LISTED = 200
_NOT_TWICE_WITHIN = 8  # weeks
_MOST_SUBJECT = 76
_LOOKED_BACK = 371  # days: the year that is compared, as it stood a week ago too


@dataclass(frozen=True, slots=True)
class Mail:
    """A rendered report: its subject, its text part, its HTML part."""

    subject: str
    text: str
    html: str


def send_due(engine: Engine, settings: Settings) -> int:
    """Make the weekly mails that are due; how many firms that was."""
    timers = due.claim(engine, due.REPORT)
    for timer in timers:
        _send_due(engine, settings, timer)
    return len(timers)


def _send_due(engine: Engine, settings: Settings, timer: due.Timer) -> None:
    firm = None
    with db.reading(engine) as connection, suppress(NotFoundError):
        firm = dict(companies.get(connection, timer.key))
    if firm is not None:
        for period in report.ended(clock.local_day(clock.now(), firm["timezone"])):
            send(engine, settings, firm, period)
    with db.writing(engine) as connection:
        due.finish(connection, timer, again_at=companies.next_report(connection, firm) if firm else None)


def send_again(engine: Engine, firm: Mapping[str, Any], period: Period) -> int:
    """Send that period's mails once more to whoever they could not be delivered to; how many that is."""
    with db.writing(engine) as connection:
        recipients = companies.recipients(connection, firm["id"])
        event_ids = {_event_id(firm["id"], period, who["edition"], who["email"]) for who in recipients}
        return outbox.resend_failed(connection, outbox.MAIL, event_ids)


def send(engine: Engine, settings: Settings, firm: Mapping[str, Any], period: Period) -> int:
    """Enqueue that period's mail for each recipient who asked for such and has not had it; how many that was."""
    with db.reading(engine) as connection:
        waiting = [
            who
            for who in companies.recipients(connection, firm["id"])
            if who["frequency"] == period.frequency
            and not _was_sent(connection, firm["id"], period, who["edition"], who["email"])
        ]
        meant = [(who, gather_edition(connection, firm, period, who["edition"], who["email"])) for who in waiting]
    deliveries = [(who, facts, _delivery(settings, firm, period, who, facts)) for who, facts in meant if facts]
    with db.writing(engine) as connection:
        for who, facts, delivery in deliveries:
            _keep(connection, firm["id"], period, who["edition"], who["email"], facts)
            outbox.enqueue(connection, [delivery])
        if period.span == Week.span and any(who["edition"] == OWNER for who, _, _ in deliveries):
            endpoints.tell_ready(connection, firm["id"], period.name, clock.now())
    return len(deliveries)


def gather_edition(
    connection: Connection, firm: Mapping[str, Any], period: Period, edition: str, recipient: str | None = None
) -> Facts | None:
    """The facts of one edition; None where the team's has nothing to say, and is not sent."""
    if edition == TEAM:
        suggested = _suggested(connection, firm, period, TEAM, recipient)
        told = report.team_facts(firm, period, _of_week(connection, firm, period, None), suggested)
        if told and endpoints.is_medical(firm["sector"]):
            return {**told, "praise": []} if told["habit"] else None
        return told
    return gather(connection, firm, period, recipient=recipient)


def gather(connection: Connection, firm: Mapping[str, Any], period: Period, *, recipient: str | None = None) -> Facts:
    """The facts of a period; for a recipient, what an earlier mail told them is not listed again."""
    days = queries.daily(connection, firm["id"], period.last - timedelta(days=364), period.last)
    sources = connection.execute(select(source).where(source.c.company_id == firm["id"])).mappings().all()
    since = [date.fromisoformat(one["listening_since"]) for one in sources if one["listening_since"]]
    return report.facts(
        firm,
        period,
        days,
        min(since, default=None),
        _of_week(connection, firm, period, recipient),
        _late(connection, firm, period, recipient) if recipient else (),
        [dict(one) for one in sources],
        queries.daily(connection, firm["id"], period.last - timedelta(days=364), period.last, forms=True),
        queries.by_theme(connection, firm["id"], period.last - timedelta(days=_LOOKED_BACK), period.last),
        markers.fresh(connection, firm["id"], period.last),
        _suggested(connection, firm, period, OWNER, recipient),
    )


def render(
    facts: Facts,
    language: str,
    *,
    page: str | None,
    leave: str | None = None,
    monthly: str | None = None,
    edition: str = OWNER,
) -> Mail:
    """The mail of those facts; `page` is the address of the firm's page, `leave` the one that stops these mails,
    `monthly` the one that asks for a monthly mail instead, offered after quiet weeks."""
    values = {"facts": facts, "page": page, "leave": leave, "monthly": monthly if facts.get("quiet") else None}
    subject, body = _TEMPLATES[edition]
    return Mail(
        subject=_subject(i18n.render(subject, language, **values)),
        text=i18n.render(f"{body}.txt", language, **values),
        html=i18n.render(f"{body}.html", language, **values),
    )


def facts_for_mail(firm: Mapping[str, Any], facts: Facts, edition: str, language: str) -> Facts:
    """Return what may leave by mail or file: without words where customers may have written of their health."""
    if edition != OWNER or not endpoints.is_medical(firm["sector"]):
        return facts
    instead = i18n.translations(language).gettext("What was said can be read on Vigie's page only.")
    return report.without_words(facts, instead)


def message(mail: Mail, *, sender: str, recipient: str, message_id: str) -> EmailMessage:
    """The mail as it goes over the wire. Sent twice after a crash, it carries the same Message-ID."""
    wire = plain(mail.subject, mail.text, sender, recipient, message_id)
    wire.add_alternative(mail.html, subtype="html")
    return wire


def plain(subject: str, text: str, sender: str, recipient: str, message_id: str) -> EmailMessage:
    """A mail with a text part alone."""
    wire = EmailMessage()
    wire["Subject"] = _subject(subject)
    wire["From"] = sender
    wire["To"] = recipient
    wire["Date"] = formatdate(clock.now().timestamp())
    wire["Message-ID"] = f"<{message_id}@{_domain(sender)}>"
    wire["Auto-Submitted"] = "auto-generated"
    wire.set_content(text)
    return wire


def page_of(settings: Settings, company_id: str) -> str | None:
    """The address of the firm's page, unless it would open on this machine only while the mail leaves it."""
    if settings.is_loopback and settings.smtp_url:
        return None
    return f"{settings.base_url.rstrip('/')}/companies/{company_id}"


def sender(settings: Settings) -> str:
    """Who the mails come from."""
    return default_sender(settings)


def _event_id(company_id: str, period: Period, edition: str, email: str) -> str:
    return ids.derived("report", company_id, edition, period.name, email)


def _delivery(settings: Settings, firm: Mapping[str, Any], period: Period, who: RowMapping, facts: Facts) -> Delivery:
    edition = who["edition"]
    event_id = _event_id(firm["id"], period, edition, who["email"])
    leave = subscription.link(settings, firm["id"], who["email"])
    page = page_of(settings, firm["id"])
    facts = facts_for_mail(firm, facts, edition, who["language"])
    is_monthly = who["frequency"] == Month.frequency
    monthly = None if is_monthly else subscription.link(settings, firm["id"], who["email"], subscription.MONTHLY)
    mail = render(facts, who["language"], page=page, leave=leave, monthly=monthly, edition=edition)
    wire = message(mail, sender=sender(settings), recipient=who["email"], message_id=event_id)
    for name, value in subscription.headers(leave).items():
        wire[name] = value
    quoted = set(erasure.quoted_ids(facts))
    return outbox.delivery(outbox.MAIL, firm["id"], who["email"], event_id, wire.as_bytes(), mention_ids=quoted)


def _suggested(
    connection: Connection, firm: Mapping[str, Any], period: Period, edition: str, email: str | None
) -> set[str]:
    """What the mails of the eight weeks before asked this recipient to see to."""
    earlier = report.names_within(_NOT_TWICE_WITHIN, period)
    told = select(report_table.c.snapshot).where(
        report_table.c.company_id == firm["id"], report_table.c.edition == edition,
        report_table.c.recipient == email, report_table.c.period.in_(earlier),
    )  # fmt: skip
    return {theme for one in connection.scalars(told) for theme in report.suggestions(one)}


def _of_week(
    connection: Connection, firm: Mapping[str, Any], period: Period, recipient: str | None
) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(mention)
        .where(
            mention.c.company_id == firm["id"],
            queries.COUNTS,
            *queries.published_on(period.first, period.last),
        )
        .order_by(mention.c.published_at.desc(), mention.c.id)
        .limit(_MOST_LISTED)
    )
    told = _told(connection, firm["id"], period, recipient)
    return [dict(row) for row in rows.mappings() if row["id"] not in told]


def _late(
    connection: Connection, firm: Mapping[str, Any], period: Period, recipient: str | None
) -> list[dict[str, Any]]:
    """What was said before the period and came to our ears since it began."""
    rows = connection.execute(
        select(mention)
        .where(
            mention.c.company_id == firm["id"],
            queries.COUNTS,
            ~mention.c.silent,
            mention.c.day < period.first.isoformat(),
            mention.c.stored_at >= clock.midnight(period.first, firm["timezone"]),
        )
        .order_by(mention.c.published_at.desc(), mention.c.id)
        .limit(_MOST_LISTED)
    )
    told = _told(connection, firm["id"], period, recipient)
    return [dict(row) for row in rows.mappings() if row["id"] not in told]


def _told(connection: Connection, company_id: str, period: Period, recipient: str | None) -> set[str]:
    """The mentions that mails of other weeks told this recipient."""
    ours = reported.c.company_id == company_id, reported.c.edition == OWNER, reported.c.recipient == recipient
    return set(connection.scalars(select(reported.c.mention_id).where(*ours, reported.c.period != period.name)))


def _was_sent(connection: Connection, company_id: str, period: Period, edition: str, email: str) -> bool:
    key = (
        report_table.c.company_id == company_id,
        report_table.c.edition == edition,
        report_table.c.period == period.name,
        report_table.c.recipient == email,
    )
    return connection.execute(select(report_table.c.period).where(*key)).first() is not None


def _keep(connection: Connection, company_id: str, period: Period, edition: str, email: str, facts: Facts) -> None:
    key = {"company_id": company_id, "edition": edition, "period": period.name, "recipient": email}
    db.upsert(connection, report_table, [{**key, "snapshot": facts, "created_at": clock.now()}])
    db.upsert(connection, reported, [{**key, "mention_id": one["id"]} for one in facts.get("list", ())])


def _subject(text: str) -> str:
    """One line of at most 76 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST_SUBJECT else line[: _MOST_SUBJECT - 1].rstrip() + "…"


def _domain(address: str) -> str:
    domain = address.rpartition("@")[2].strip("<> ")
    return domain if domain.replace(".", "").replace("-", "").isalnum() else "localhost"
