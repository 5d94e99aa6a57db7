"""Pages in a real browser, mails through a real server; hostile words stay words."""

import email
import re
import threading
from datetime import UTC, datetime, timedelta
from email import policy
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from babel.messages.pofile import read_po
from starlette.testclient import TestClient

from analysis import queries
from analysis.report import Week
from dashboards import i18n, weekly
from ingest import collect, sources_store
from ingest.found import Found, mentions
from tests.pipeline import analyse, is_exact
from tests.servers import free_port
from vigie import clock, companies, db
from vigie.cli import work
from vigie.cli.roles import one_time_link
from vigie.errors import SettingsError
from vigie.outbox import Delivery, DeliveryError

XSS = '"><script>alert(1)</script><img src=x onerror=alert(2)> \u202e {{7*7}} %(x)s'
LAST_WEEK = Week.of(datetime.now(UTC).date()).before()
ROOT = Path(__file__).parent.parent.parent


def hear(house, firm, *found, name="Google", notify="fresh", kind="push"):
    with db.writing(house.engine) as connection:
        source = sources_store.named(connection, firm["id"], kind, name)
        sources_store.received(connection, source, None)
    collected = mentions(firm["id"], source["id"], found, numbered=True)
    collect.append(house.log, firm["id"], sources_store.origin(source), collected, notify=notify)
    analyse(house)


def a_week(house, firm):
    """A week with praise, complaints, and somebody who means harm."""
    monday = datetime.combine(LAST_WEEK.first, datetime.min.time(), UTC) + timedelta(hours=12)
    hear(
        house, firm,
        Found(text="La meilleure brioche du quartier, et quel accueil !", author="Nadia", rating=5, published_at=monday),
        Found(text="Attente interminable et pénible.", author="Paul", rating=1, published_at=monday + timedelta(days=1)),
        Found(text="Attente horrible samedi.", author="Sandrine", rating=2, published_at=monday + timedelta(days=2)),
        Found(text=XSS, title=XSS, author=XSS, rating=3, published_at=monday + timedelta(days=3)),
        Found(text="Correct.", rating=4, published_at=monday - timedelta(days=30)),
        name=XSS.replace("\u202e", ""),  # no name may turn the order of what stands beside it
    )  # fmt: skip


@pytest.fixture
def client(house):
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)


def enter(client, house):
    link = one_time_link(house).partition("link=")[2]
    assert client.post("/open", data={"link": link}).status_code == 303
    return link


def test_pages_open_with_a_link_once_and_a_get_uses_nothing_up(client, house, firm):
    assert client.get(f"/companies/{firm['id']}").status_code == 401
    link = one_time_link(house).partition("link=")[2]
    for _ in range(3):
        assert client.get("/open", params={"link": link}).status_code == 200
        assert client.head("/open", params={"link": link}).status_code in {200, 405}
    assert client.post("/open", data={"link": link}).headers["location"] == "/"
    assert client.get(f"/companies/{firm['id']}").status_code == 200
    assert TestClient(client.app, base_url="http://127.0.0.1").post("/open", data={"link": link}).status_code == 403


def test_a_host_that_is_not_ours_is_refused(client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/health", headers={"Host": "vigie.internal"}).status_code == 200


def test_an_unknown_firm_is_not_found(client, house, firm):
    enter(client, house)
    assert client.get("/companies/co_unknown").status_code == 404


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_page_shows_strangers_words_as_words(client, house, firm, language):
    a_week(house, firm)
    enter(client, house)
    page = client.get(f"/companies/{firm['id']}?lang={language}")
    assert ("Votre réputation" in page.text) is (language == "fr")
    page = client.get(f"/companies/{firm['id']}/reviews?lang={language}")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "49" not in re.findall(r"\{\{.*?\}\}|49 %", page.text)
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_an_empty_firm_says_what_to_do_next(client, house, firm):
    enter(client, house)
    page = client.get(f"/companies/{firm['id']}").text
    assert "Vigie n’écoute encore nulle part" in page
    assert "Personne n’a parlé de vous" in page
    assert "None" not in page


def test_an_owner_answers_for_what_vigie_is_not_sure_of(client, house, firm):
    """A mail read for the first time, an article about a namesake: asked on the page, answered by a button."""
    now = datetime.now(UTC)
    hear(house, firm, Found(text="Très froid.", author="Sandrine", rating=2, published_at=now, apart="unconfirmed"))
    away = Found(
        title="Un Mercier élu maire de Brest",
        text="M. Mercier, du parti.",
        url="https://example.fr/a",
        published_at=now,
    )
    hear(house, firm, away, kind="press", name="Presse")
    page = f"/companies/{firm['id']}/reviews"
    with db.reading(house.engine) as connection:
        waiting = queries.mentions(connection, firm["id"], queries.Filter(apart="unconfirmed"))[0]["id"]
        aside = queries.mentions(connection, firm["id"], queries.Filter(apart="aside"))[0]["id"]
    answer = {"aspect": "confirmed", "value": "yes"}
    assert client.post(f"{page}/{waiting}/correct", data=answer).status_code == 401
    enter(client, house)
    assert "apart=unconfirmed" in client.get(page).text
    assert "Est-ce bien 2,0 sur 5, de Sandrine" in client.get(f"{page}/{waiting}").text
    assert "ne vous nomme pas" not in client.get(f"{page}?apart=unconfirmed").text
    assert "maire de Brest" in client.get(f"{page}?apart=aside").text
    assert client.post(f"{page}/{waiting}/correct", data=answer).status_code == 303
    assert client.post(f"{page}/{aside}/correct", data={"aspect": "status", "value": "new"}).status_code == 303
    assert client.post(f"{page}/m_none/correct", data=answer).status_code == 404
    assert client.post(f"{page}/{waiting}/correct", data={"aspect": "label", "value": "yes"}).status_code == 422
    assert "apart=" not in re.sub(r"<form.*?</form>", "", client.get(page).text, flags=re.DOTALL)
    assert "Est-ce bien" not in client.get(f"{page}/{waiting}").text
    with db.reading(house.engine) as connection:
        assert len(queries.mentions(connection, firm["id"], queries.Filter())) == 2
    assert is_exact(house)


def mail_of(house, firm, week=LAST_WEEK, language="fr"):
    with db.reading(house.engine) as connection:
        facts = weekly.gather(connection, firm, week)
    return facts, weekly.render(facts, language, page="https://vigie.example.fr/companies/x")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_weekly_mail_is_sound(house, firm, language):
    a_week(house, firm)
    facts, mail = mail_of(house, firm, language=language)
    assert (facts["mentions"], facts["negative"]) == (4, 2)
    assert len(mail.subject) <= 78
    assert "\n" not in mail.subject
    assert not re.search(r"<(script|form|svg|style|link|img)\b", mail.html.lower())
    assert "Sandrine" in mail.text
    assert XSS[:30] in mail.text, "unharmed in the text part"
    assert "&lt;script&gt;" in mail.html
    assert not re.search(r"\b(None|NaN|nan|Undefined)\b", mail.text + mail.html)
    assert len(mail.html) < 90_000


def test_french_typography(house, firm):
    a_week(house, firm)
    _, mail = mail_of(house, firm)
    own = re.sub(r"«.*?»", "", mail.text, flags=re.S).replace(XSS, "").replace("https:", "")
    assert not re.search(r"[^\s\u00a0\u202f][:;!?](\s|$)", own), "a no-break space goes before : ; ! ?"
    assert "3,0 sur 5" in own


def test_an_empty_week_is_short_and_honest(house, firm):
    _, mail = mail_of(house, firm)
    assert "Personne n’a parlé" in mail.subject
    assert "À FAIRE" not in mail.text


def test_a_mail_with_two_hundred_mentions_is_not_clipped(house, firm):
    moment = datetime.combine(LAST_WEEK.first, datetime.min.time(), UTC) + timedelta(days=2)
    hear(
        house,
        firm,
        *(Found(text="Bon pain. " * 200, author=f"A{n}", rating=4, published_at=moment) for n in range(210)),
    )
    _, mail = mail_of(house, firm)
    assert len(mail.html.encode()) < 90_000


def outbox_of(house):
    return sorted(house.settings.outbox_dir.glob("*.eml"))


def deliver(house):
    work.deliver(house, threading.Event(), once=True)


def test_a_weekly_mail_is_made_once_for_each_recipient(house, firm):
    a_week(house, firm)
    with db.writing(house.engine) as connection:
        for address in ("marie@example.fr", "karim@example.fr"):
            companies.add_recipient(connection, firm["id"], address)
    for _ in range(2):
        weekly.send(house.engine, house.settings, firm, LAST_WEEK)
        deliver(house)
    mails = [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in outbox_of(house)]
    assert {one["to"] for one in mails} == {"marie@example.fr", "karim@example.fr"}
    assert len({one["message-id"] for one in mails}) == 2
    assert all(one["auto-submitted"] == "auto-generated" and one["date"] for one in mails)
    assert [part.get_content_type() for part in mails[0].iter_parts()] == ["text/plain", "text/html"]


def test_each_mention_is_mailed_once_and_a_late_one_is_marked(house, firm):
    a_week(house, firm)
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "marie@example.fr")
    weekly.send(house.engine, house.settings, firm, LAST_WEEK)
    moment = datetime.combine(LAST_WEEK.last, datetime.min.time(), UTC)
    hear(house, firm, Found(text="Entendu après coup.", published_at=moment), notify="always")
    this_week = Week(LAST_WEEK.first + timedelta(days=7))
    with db.reading(house.engine) as connection:
        facts = weekly.gather(connection, firm, this_week, recipient="marie@example.fr")
    assert [(one["text"], one["late"]) for one in facts["list"]] == [("Entendu après coup.", True)]
    assert facts["mentions"] == 0, "the numbers are of the week by publication"


def test_nobody_is_asked_the_same_twice_in_eight_weeks(house, firm):
    weeks = [Week(LAST_WEEK.first - timedelta(weeks=9 - later)) for later in (0, 1, 8, 9)]
    for week in weeks:
        monday = datetime.combine(week.first, datetime.min.time(), UTC) + timedelta(hours=12)
        said = [f"Attente horrible, {n} fois de trop, le {week.first}." for n in (2, 3)]
        hear(house, firm, *(Found(text=one, rating=1, published_at=monday) for one in said))
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "marie@example.fr")
    weekly.send(house.engine, house.settings, firm, weeks[0])

    def asked(week):
        with db.reading(house.engine) as connection:
            facts = weekly.gather(connection, firm, week, recipient="marie@example.fr")
        return [one["theme"] for one in facts["actions"] if one["kind"] == "theme"]

    assert [asked(week) for week in weeks[1:]] == [[], [], ["waiting"]]
    with db.reading(house.engine) as connection:
        shown = weekly.gather(connection, firm, weeks[1])
    assert shown["actions"][0]["kind"] == "theme", "the page is for those who come and look"


@pytest.mark.parametrize("edition", ["owner", "team"])
def test_patients_words_do_not_leave_by_mail(house, edition):
    with db.writing(house.engine) as connection:
        company_id = companies.add(connection, "Cabinet Durand", sector="86.23Z")
        firm = dict(companies.get(connection, company_id))
        companies.add_recipient(connection, company_id, "cabinet@example.fr", edition=edition)
    a_week(house, firm)
    weekly.send(house.engine, house.settings, firm, LAST_WEEK)
    deliver(house)
    (path,) = outbox_of(house)
    wire = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    said = "".join(part.get_content() for part in wire.iter_parts())
    assert "Cabinet Durand" in said
    for words in ("brioche", "horrible", "interminable", "Sandrine", "Nadia", "Paul"):
        assert words not in said


def test_monday_comes_by_the_timer_once(house, firm):
    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "marie@example.fr")
    assert weekly.send_due(house.engine, house.settings) == 0, "not before Monday"
    from sqlalchemy import update

    from vigie.db.tables import due

    with db.writing(house.engine) as connection:
        connection.execute(update(due).where(due.c.kind == "report").values(due_at=clock.now() - timedelta(days=2)))
    assert weekly.send_due(house.engine, house.settings) == 1
    assert weekly.send_due(house.engine, house.settings) == 0
    deliver(house)
    assert len(outbox_of(house)) == 1


class Inbox:
    def __init__(self, answer="250 OK"):
        self.mails, self.answer = [], answer

    async def handle_DATA(self, server, session, envelope):
        if self.answer.startswith("250"):
            self.mails.append((envelope.rcpt_tos, envelope.content))
        return self.answer


@pytest.fixture
def smtp():
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield inbox, f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


def test_a_mail_goes_through_a_real_server(smtp, house, firm):
    from dashboards.mailer import SmtpSender

    a_week(house, firm)
    inbox, url = smtp
    _, mail = mail_of(house, firm)
    wire = weekly.message(mail, sender="Vigie <vigie@example.fr>", recipient="marie@example.fr", message_id="abc")
    sender = SmtpSender(url)
    sender.check("Vigie <vigie@example.fr>")
    delivery = Delivery("1", "mail", None, "marie@example.fr", "abc", wire.as_bytes())
    sender.send(delivery)
    ((recipients, content),) = inbox.mails
    assert recipients == ["marie@example.fr"]
    assert b"Message-ID: <abc@example.fr>" in content
    inbox.answer = "451 later"
    with pytest.raises(DeliveryError) as later:
        sender.send(delivery)
    assert not later.value.permanent
    inbox.answer = "550 not this one"
    with pytest.raises(DeliveryError) as refused:
        sender.send(delivery)
    assert not refused.value.permanent, "the address was taken: only its refusal is for good"
    with pytest.raises(DeliveryError, match="does not answer"):
        SmtpSender(f"smtp://127.0.0.1:{free_port()}").send(delivery)


def test_a_password_is_never_sent_in_clear(smtp):
    from dashboards.mailer import SmtpSender

    with pytest.raises(DeliveryError, match="no encryption"):
        SmtpSender(smtp[1].replace("//", "//marie:geheim@")).check("vigie@example.fr")


def test_no_mail_leaves_with_links_to_this_machine_only(house):
    inside = house.settings.model_copy(update={"smtp_url": "smtp://mail.example.fr"})
    assert weekly.page_of(inside, "co_1") is None
    outside = inside.model_copy(update={"base_url": "https://vigie.example.fr"})
    assert weekly.page_of(outside, "co_1") == "https://vigie.example.fr/companies/co_1"


def test_every_text_is_translated():
    po = ROOT / "dashboards" / "locales" / "fr" / "vigie.po"
    with po.open(encoding="utf-8") as file:
        catalogue = {
            (one.id[0] if isinstance(one.id, tuple) else one.id): one.string for one in read_po(file) if one.id
        }
    used = {
        text
        for names in (
            i18n._THEMES,
            i18n._RULES,
            i18n._APART,
            i18n._FINDINGS,
            i18n._REASONS,
            i18n._REQUESTS,
            i18n._HABITS,
            i18n._TRADES,
            i18n._FAULTS,
            i18n._GROUNDS,
            i18n._NOTICES,
            i18n._EVENTS,
            i18n._SPANS,
        )
        for text in names.values()
    }
    for path in (ROOT / "dashboards" / "templates").rglob("*.*"):
        used |= set(re.findall(r'(?:\b_|ngettext)\("([^"]+)"', path.read_text(encoding="utf-8")))
    assert len(used) > 60
    assert used - set(catalogue) == set(), "missing in French"
    assert set(catalogue) - used == set(), "no longer used"
    assert all(all(one) if isinstance(one, tuple) else one for one in catalogue.values())


def test_listening_beyond_this_machine_needs_an_address(embedded, monkeypatch):
    from vigie.cli.roles import address

    with pytest.raises(SettingsError, match="VIGIE_BASE_URL"):
        address("0.0.0.0", 8000)
    monkeypatch.setenv("VIGIE_BASE_URL", "https://vigie.example.fr")
    assert address("0.0.0.0", 8000) == {}


def test_a_session_is_a_cookie_that_scripts_cannot_read(client, house, firm):
    link = one_time_link(house).partition("link=")[2]
    cookie = client.post("/open", data={"link": link}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_wishes_and_contradictions_are_shown_with_the_customers_words(client, house, firm):
    enter(client, house)
    hear(
        house, firm,
        Found(text="Bon pain, mais il faudrait accepter la carte bleue.", published_at=datetime.now(UTC)),
        Found(text="Impossible de payer par carte.", published_at=datetime.now(UTC)),
        Found(text="Horrible, personnel odieux, à fuir absolument !", rating=5, published_at=datetime.now(UTC)),
    )  # fmt: skip
    page = client.get(f"/companies/{firm['id']}").text
    assert "Ce que vos clients vous demandent" in page
    assert "payer par carte" in page
    assert "2 clients en trois mois" in page
    assert "les mots disent le contraire des étoiles" in client.get(f"/companies/{firm['id']}/reviews").text


def test_an_alert_is_dealt_with_by_a_button_and_only_by_those_who_may(client, house, firm):
    hear(house, firm, Found(text="Accueil odieux.", author="Paul", rating=1, published_at=datetime.now(UTC)))
    page = f"/companies/{firm['id']}"
    with db.reading(house.engine) as connection:
        (alert,) = queries.alerts(connection, firm["id"])
    assert client.post(f"{page}/alerts/{alert['id']}/resolve").status_code == 401
    enter(client, house)
    assert ">C’est réglé</button>" in client.get(f"{page}/alerts").text
    assert client.post(f"{page}/alerts/unknown/resolve").status_code == 404
    assert client.post(f"{page}/alerts/{alert['id']}/resolve").status_code == 303
    assert ">C’est réglé</button>" not in client.get(f"{page}/alerts").text
    with db.reading(house.engine) as connection:
        assert queries.alerts(connection, firm["id"])[0]["acknowledged_by"] is not None


def test_a_day_is_the_firms_own(client, house, firm):
    enter(client, house)
    late = datetime(2026, 6, 14, 22, 30, tzinfo=UTC)  # half past midnight in Limoges
    hear(house, firm, Found(text="Horrible, à fuir !", rating=1, published_at=late))
    place = f"/companies/{firm['id']}"
    [opened] = re.findall(r'href="(\S+/reviews/[^"?#]+)', client.get(f"{place}/reviews").text)
    with clock.held(late):
        client.post(f"{opened}/dispute", data={"reason": "insult"})
    listed, page = client.get(f"{place}/reviews").text, client.get(opened).text
    assert "15 juin" in listed
    assert {"lundi 15 juin", "15 septembre 2026", "lundi 29 juin"} <= set(
        re.findall(r"(?:lundi )?\d+ \w+(?: 2026)?", page)
    )
    assert not re.search("14 (juin|sept)|28 juin", listed + page)
    assert "2026-06-15T00:30:00+02:00" in client.get(f"{place}/settings/export/mentions.csv").text


def test_a_moment_has_no_day_until_somebody_says_where():
    late = datetime(2026, 6, 14, 22, 30, tzinfo=UTC)
    assert i18n.short_day(late, "fr", "America/Martinique") == "14 juin"
    assert i18n.short_day(late, "fr", "Europe/Paris") == "15 juin"
    with pytest.raises(TypeError):
        i18n.short_day(late, "fr")
