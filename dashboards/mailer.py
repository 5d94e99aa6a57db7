"""How mails leave: by SMTP, or into a folder as .eml files while no server is set.

Only a refusal of the recipient itself is permanent. Everything else that a mail server may refuse (the sender, the
account, a quota, a policy) is mended by somebody, so the mail waits and is tried again for three days.
"""

import smtplib
import ssl
from email import message_from_bytes, policy
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import Engine, select

from vigie import db, due
from vigie.db.tables import outbox
from vigie.outbox import MAIL, Delivery, DeliveryError, Sender
from vigie.settings import Settings

_TIMEOUT_SECONDS = 20
# Enhanced status codes (RFC 3463) that say that the address itself is wrong or gone.
_ADDRESS_CODES = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")
# Without an enhanced code, one of these replies (RFC 5321, 4.2.3) in one of these words.
_ADDRESS_REPLIES = {550, 551, 553}
_ADDRESS_WORDS = (
    "user unknown",
    "unknown user",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "mailbox unavailable",
    "mailbox not found",
    "recipient rejected",
    "does not exist",
    "unknown recipient",
    "invalid recipient",
)


def mail_sender(settings: Settings) -> Sender:
    """Return the sender that the settings name."""
    return SmtpSender(settings.smtp_url) if settings.smtp_url else FileSender(settings.outbox_dir)


class FileSender:
    """Writes each mail as an .eml file that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, delivery: Delivery) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{delivery.id}.eml"
        path.touch(0o600)
        path.write_bytes(delivery.body)


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
        self._host = parts.hostname or ""
        self._is_tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._is_tls else 587)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")

    def send(self, delivery: Delivery) -> None:
        message = message_from_bytes(delivery.body, policy=policy.SMTP)
        try:
            with self._connect() as server:
                server.send_message(message, to_addrs=[_to_ascii(delivery.address)])
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = next(iter(error.recipients.values()))
            is_wrong = is_wrong_address(code, reply)
            raise DeliveryError(f"the address was refused ({_describe(code, reply)})", permanent=is_wrong) from error
        except smtplib.SMTPResponseException as error:
            said = _describe(error.smtp_code, error.smtp_error)
            raise DeliveryError(f"the mail server refused it ({said})") from error
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(f"the mail server does not answer: {error}"[:300]) from error

    def check(self, sender: str) -> None:
        """Sign in and offer a mail from `sender`, without sending one. Raises `DeliveryError`."""
        address = parseaddr(sender)[1]
        try:
            with self._connect() as server:
                code, reply = server.mail(_to_ascii(address))
                server.rset()
        except smtplib.SMTPResponseException as error:
            said = _describe(error.smtp_code, error.smtp_error)
            raise DeliveryError(f"the mail server refuses Vigie ({said})") from error
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(f"the mail server does not answer: {error}"[:300]) from error
        if code >= 400:
            said = _describe(code, reply)
            raise DeliveryError(
                f"the mail server refuses mails from {address} ({said}): set VIGIE_MAIL_FROM to its account's address"
            )

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=_TIMEOUT_SECONDS, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            self._enter(server, context)
        except BaseException:
            server.close()
            raise
        return server

    def _enter(self, server: smtplib.SMTP, context: ssl.SSLContext) -> None:
        server.ehlo()
        if not self._is_tls and server.has_extn("starttls"):
            server.starttls(context=context)
        elif not self._is_tls and self._user:
            raise DeliveryError("the mail server offers no encryption: the password is not sent in clear")
        if self._user:
            server.login(self._user, self._password)


def is_wrong_address(code: int, reply: bytes | str) -> bool:
    """Whether a refusal of RCPT says that the address is wrong, rather than that the server will not take mail now."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    first_word = (text.split() or [""])[0].lstrip("#")
    if first_word.count(".") == 2 and first_word.replace(".", "").isdigit():
        return first_word in _ADDRESS_CODES
    lower_case = " ".join(text.split()).lower()
    return code in _ADDRESS_REPLIES and any(words in lower_case for words in _ADDRESS_WORDS)


def default_sender(settings: Settings) -> str:
    """Return the sender of mails: as set, else the account that sends them, which most servers insist on."""
    account = unquote(urlsplit(settings.smtp_url or "").username or "")
    if settings.mail_from:
        return settings.mail_from
    return f"Vigie <{account}>" if "@" in account else "Vigie <vigie@localhost>"


def _to_ascii(address: str) -> str:
    """Return the address with its domain as DNS knows it (IDNA); its local part stays."""
    local_part, _, domain = address.rpartition("@")
    try:
        return f"{local_part}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address


def _describe(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return f"{code} {' '.join(text.split())}"[:200].strip()
