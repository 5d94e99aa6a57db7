"""How mails leave: by SMTP, or into a folder as .eml files while no server is named."""

import smtplib
import ssl
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import Engine, select

from vigie import db, due
from vigie.db.tables import outbox
from vigie.outbox import MAIL, Delivery, DeliveryError, Sender
from vigie.settings import Settings

_TIMEOUT = 20


def mail_sender(settings: Settings) -> Sender:
    """The sender that the settings name."""
    return SmtpSender(settings.smtp_url) if settings.smtp_url else FileSender(settings.outbox_dir)


class FileSender:
    """Writes each mail as an .eml file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, delivery: Delivery) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{delivery.id}.eml").write_bytes(delivery.body)


def remove_emptied(engine: Engine, folder: Path) -> int:
    """Remove the files of mails whose words were erased; return how many timers asked for it."""
    timers = due.claim(engine, due.MAIL_FILES)
    for timer in timers:
        with db.reading(engine) as connection:
            kept = set(connection.scalars(select(outbox.c.id).where(outbox.c.kind == MAIL, outbox.c.body != b"")))
        for path in folder.glob("*.eml"):
            if path.stem not in kept:
                path.unlink(missing_ok=True)
        with db.writing(engine) as connection:
            due.finish(connection, timer)
    return len(timers)


class SmtpSender:
    """Sends by SMTP: `smtp://user:password@host:587` (STARTTLS where offered), or `smtps://…` (TLS from the start)."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._tls = parts.hostname or "", parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")

    def send(self, delivery: Delivery) -> None:
        wire = message_from_bytes(delivery.body, policy=policy.SMTP)
        try:
            with self._connect() as server:
                server.send_message(wire, to_addrs=[delivery.address])
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise DeliveryError(f"the address was refused ({code})", permanent=500 <= code < 600) from error
        except smtplib.SMTPResponseException as error:
            permanent = 500 <= error.smtp_code < 600 and not isinstance(error, smtplib.SMTPAuthenticationError)
            raise DeliveryError(f"the mail server refused it ({error.smtp_code})", permanent=permanent) from error
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(f"the mail server does not answer: {error}"[:300]) from error

    def check(self) -> None:
        """Whether the server answers and lets us in; raises `DeliveryError` or OSError."""
        with self._connect() as server:
            server.noop()

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=_TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif self._user:
                server.close()
                raise DeliveryError("the mail server offers no encryption: the password is not sent in clear")
        if self._user:
            server.login(self._user, self._password)
        return server
