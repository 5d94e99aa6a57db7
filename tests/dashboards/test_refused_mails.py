"""A mail that a server will not take now waits and is tried again; only a wrong address ends it. On real SMTP."""

from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select, update

from dashboards.mailer import SmtpSender, default_sender, is_wrong_address
from tests.servers import free_port
from vigie import clock, db, outbox, settings
from vigie.cli import doctor
from vigie.db.tables import outbox as deliveries
from vigie.errors import SettingsError
from vigie.outbox import DeliveryError
from vigie.settings import Settings


class Refusing:
    """An SMTP server that refuses at one step with one reply."""

    def __init__(self, step="", reply=""):
        self.step, self.reply, self.received = step, reply, []

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.step == "MAIL":
            return self.reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.step == "RCPT":
            return self.reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.step == "DATA":
            return self.reply
        self.received.append(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture
def smtp():
    handler = Refusing()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    handler.url = f"smtp://127.0.0.1:{controller.port}"
    yield handler
    controller.stop()


@pytest.fixture
def mail(house):
    body = b"From: vigie@localhost\r\nTo: marie@exemple.fr\r\nSubject: x\r\n\r\nx"
    delivery = outbox.delivery(outbox.MAIL, None, "marie@exemple.fr", "event", body)
    with db.writing(house.engine) as connection:
        outbox.enqueue(connection, [delivery])
    return delivery


def send(house, smtp):
    return outbox.send_due(house.engine, {outbox.MAIL: SmtpSender(smtp.url)})


def state_of(house):
    with db.reading(house.engine) as connection:
        return connection.execute(select(deliveries.c.state, deliveries.c.error, deliveries.c.due_at)).one()


NOT_THE_ADDRESS = [
    ("MAIL", "530 5.7.0 Authentication required"),
    ("MAIL", "535 5.7.8 Bad credentials"),
    ("MAIL", "553 5.7.1 Sender address rejected: not owned by user"),
    ("MAIL", "550 5.4.5 Daily user sending limit exceeded"),
    ("RCPT", "550 5.7.1 Relaying denied"),
    ("RCPT", "550 5.4.5 Daily quota exceeded"),
    ("RCPT", "451 4.7.1 Greylisted"),
    ("RCPT", "452 4.2.2 Mailbox full"),
    ("DATA", "554 5.7.1 Message rejected as spam"),
    ("DATA", "552 5.3.4 Too large"),
]


@pytest.mark.parametrize(("step", "reply"), NOT_THE_ADDRESS)
def test_what_is_not_the_address_is_tried_again_and_seen(house, smtp, mail, step, reply):
    smtp.step, smtp.reply = step, reply
    send(house, smtp)
    state, error, due_at = state_of(house)
    assert state == "waiting"
    assert reply[:3] in error
    assert due_at > clock.now()
    with pytest.raises(Exception, match="1 mails wait"):
        doctor.check_deliveries(house)


@pytest.mark.parametrize("reply", ["550 5.1.1 No such user", "550 No such user here", "553 5.1.3 Bad address syntax"])
def test_a_wrong_address_is_given_up_and_seen(house, smtp, mail, reply):
    smtp.step, smtp.reply = "RCPT", reply
    send(house, smtp)
    assert state_of(house).state == "failed"
    with pytest.raises(Exception, match="could not be delivered"):
        doctor.check_deliveries(house)


def test_once_mended_it_is_sent_again(house, smtp, mail):
    smtp.step, smtp.reply = "RCPT", "550 5.1.1 No such user"
    send(house, smtp)
    smtp.step = ""
    with db.writing(house.engine) as connection:
        assert outbox.resend_failed(connection, outbox.MAIL) == 1
    send(house, smtp)
    assert state_of(house).state == "sent"
    assert smtp.received == [["marie@exemple.fr"]]
    assert doctor.check_deliveries(house)


def test_an_hour_of_refusals_loses_nothing(house, smtp, mail, monkeypatch):
    """The clock of the deliveries is moved on; the server is real."""
    smtp.step, smtp.reply = "MAIL", "421 4.3.2 Shutting down"
    for _ in range(3):
        send(house, smtp)
        assert state_of(house).state == "waiting"
        with db.writing(house.engine) as connection:
            connection.execute(update(deliveries).values(due_at=clock.now() - timedelta(seconds=1)))
    smtp.step = ""
    send(house, smtp)
    assert state_of(house).state == "sent"


def test_the_doctor_tries_the_sender(house, smtp):
    smtp.step, smtp.reply = "MAIL", "553 5.7.1 Sender address rejected"
    with pytest.raises(DeliveryError, match="VIGIE_MAIL_FROM"):
        SmtpSender(smtp.url).check("Vigie <vigie@localhost>")
    smtp.step = ""
    SmtpSender(smtp.url).check("Vigie <marie@exemple.fr>")
    assert smtp.received == []


def test_the_sender_is_the_account():
    assert (
        default_sender(Settings(smtp_url="smtps://marie%40exemple.fr:x@smtp.exemple.fr")) == "Vigie <marie@exemple.fr>"
    )
    assert default_sender(Settings(smtp_url="smtps://marie:x@h", mail_from="A <a@b.fr>")) == "A <a@b.fr>"


def test_an_accented_domain_leaves_as_dns_knows_it(house, smtp):
    body = b"From: vigie@localhost\r\nSubject: x\r\n\r\nx"
    delivery = outbox.delivery(outbox.MAIL, None, "contact@boulangerie-léa.fr", "event", body)
    SmtpSender(smtp.url).send(delivery)
    assert smtp.received == [["contact@xn--boulangerie-la-nkb.fr"]]


@pytest.mark.parametrize("url", ["smtp.exemple.fr", "ssmtp://x", "smtp://", "smtp://host:port"])
def test_a_mail_server_that_is_none_is_refused_at_the_start(url):
    with pytest.raises(SettingsError, match="VIGIE_SMTP_URL"):
        settings.load(smtp_url=url)


def test_codes_of_addresses():
    assert is_wrong_address(550, b"5.1.1 unknown")
    assert is_wrong_address(550, b"unknown user")
    assert not is_wrong_address(550, b"5.7.606 Access denied")
    assert not is_wrong_address(554, b"no")
    assert is_wrong_address(550, b"5.1.1\nno")
    for reply in (b"relay not permitted", b"Sender verify failed", b"classified as SPAM", b"authentication required"):
        assert not is_wrong_address(550, reply)
