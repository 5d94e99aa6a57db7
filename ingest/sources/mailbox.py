"""The owner's mailbox, read for the review platforms' own mails (IMAP4rev1, RFC 3501; XOAUTH2 where there is a token).

Read-only: the folder is examined, nothing is marked. Only headers that name the sender are looked at, and only mails of
the listed platforms are fetched; of a mailbox that several firms forward to, those sent to the firm's own address. UID
and UIDVALIDITY say where to go on.
"""

import imaplib
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from urllib.parse import unquote, urlsplit

import structlog

from ingest.found import Found
from ingest.http import Web
from ingest.mail.letter import MAX_BYTES
from ingest.mail.proof import is_of
from ingest.mail.receive import senders
from ingest.mail.utf7 import encode_folder
from ingest.parsing import read_mail
from ingest.source import Cursor, Options, Poll, Polled, Terms
from vigie.errors import SourceError, UnavailableError

logger = structlog.get_logger(__name__)

_TIMEOUT, _WHOLE = 20.0, 120.0  # seconds, for each answer and for a poll
_AT_ONCE = 100  # mails a poll
_MAX_ANSWER_BYTES = 40_000_000  # of a whole poll: a server that floods is left
_WHOLE_MAIL = f"BODY.PEEK[]<0.{MAX_BYTES}>"
# A mailing list that rewrites From names the sender in one of the others.
_SEARCHES = ("FROM", "HEADER X-Original-From", "HEADER Reply-To")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,190}")
# With a line break, a folder's name could hold commands of its own.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_FROM, _TO = re.compile(rb"@([\w.-]{1,190})"), re.compile(rb"[\w.+-]{1,64}@[\w.-]{1,190}")


class Mailbox(Polled):
    """`imaps://user@host/folder`, with an app password or a token."""

    description = "the review platforms' own mails in your mailbox (nothing is marked as read, nothing else is opened)"
    target = "imaps://you%40example.fr@imap.example.fr, and /Folder for one folder"
    options: Mapping[str, str] = {
        "password": "an app password, kept encrypted",
        "token": "an OAuth access token instead, kept encrypted",
        "to": "only mails sent to this address: a forwarding address of the firm's own in a mailbox for several",
        "authserv": "no longer used: only a signature that Vigie verifies itself proves a mail",
    }
    secrets = frozenset({"password", "token"})
    rhythm = timedelta(minutes=15), timedelta(hours=2)
    terms = Terms(benchmark=False)

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        parts = urlsplit(target)
        if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username:
            raise SourceError("the mailbox is written imaps://user@host", permanent=True)
        user, folder = unquote(parts.username), unquote(parts.path.strip("/")) or "INBOX"
        if _CONTROLS.search(user + folder + options.get("password", "") + options.get("token", "")):
            raise SourceError("a line break or control character stands in the mailbox's address", permanent=True)
        to = options.get("to")
        if to and not _ADDRESS.fullmatch(to):
            raise SourceError(f"{to[:80]!r} is not an e-mail address", permanent=True)
        try:
            is_tls = parts.scheme == "imaps"
            port = parts.port or (993 if is_tls else 143)
            if not is_tls and not web.is_allowed(parts.hostname, port):
                raise SourceError("imap:// would send the password in clear: write imaps://", permanent=True)
            client = _Client(web, parts.hostname, port, is_tls=is_tls)
            try:
                _enter(client, user, options)
                ours = {to} if to else _addresses(user, parts.hostname)
                return _read(client, folder, cursor, ours, to)
            finally:
                client.shutdown()
        except imaplib.IMAP4.error as error:
            raise SourceError(f"the mailbox refuses: {str(error)[:200]}") from error
        except (OSError, EOFError) as error:
            raise SourceError(f"the mailbox cannot be reached: {str(error)[:200]}") from error


class _Client(imaplib.IMAP4):
    """imaplib over a connection that was checked, for so long and for so much."""

    def __init__(self, web: Web, host: str, port: int, *, is_tls: bool) -> None:
        self._web, self._is_tls = web, is_tls
        self._left = _MAX_ANSWER_BYTES
        super().__init__(host, port, timeout=_TIMEOUT)

    def _create_socket(self, timeout: float | None):  # type: ignore[no-untyped-def]
        plain = self._web.connect(self.host, self.port, timeout or _TIMEOUT)
        # An answer that drips never meets a timeout of its own.
        self._end = threading.Timer(_WHOLE, _hang_up, [plain])
        self._end.daemon = True
        self._end.start()
        return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) if self._is_tls else plain

    def read(self, size: int) -> bytes:
        if size > 2 * MAX_BYTES:
            raise self.abort("its answer is larger than what was asked for")
        return self._spend(super().read(size))

    def readline(self) -> bytes:
        return self._spend(super().readline())

    def _spend(self, answer: bytes) -> bytes:
        self._left -= len(answer) + 100  # an answer is kept with what it is made of
        if self._left < 0:
            raise self.abort("it sends more than a mailbox has to say")
        return answer

    def shutdown(self) -> None:
        self._end.cancel()
        super().shutdown()


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it may be closed already
        connection.shutdown(socket.SHUT_RDWR)


def _enter(client: _Client, user: str, options: Options) -> None:
    if token := options.get("token"):
        client.authenticate("XOAUTH2", lambda _: f"user={user}\x01auth=Bearer {token}\x01\x01".encode())
    elif password := options.get("password"):
        _log_in(client, user, password)
    else:
        raise SourceError("the mailbox needs a password (an app password) or a token", permanent=True)


def _log_in(client: _Client, user: str, password: str) -> None:
    """Log in; LOGIN takes ASCII alone (RFC 3501, 6.2.3), AUTHENTICATE PLAIN takes UTF-8 (RFC 4616)."""
    if f"{user}{password}".isascii():
        client.login(user, password)
    elif "AUTH=PLAIN" in client.capabilities:
        client.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
    else:
        raise SourceError("the mailbox's server takes no password with accents: choose another one", permanent=True)


def _addresses(user: str, host: str) -> set[str]:
    """To whom the mailbox belongs; other addresses that lead to it are asked about once."""
    return {user if "@" in user else f"{user}@{host.removeprefix('imap.')}"}


def _read(client: _Client, folder: str, cursor: Cursor, ours: set[str], to: str | None) -> Poll:
    status, _ = client.select(encode_folder(folder), readonly=True)
    if status != "OK":
        raise SourceError(f"the mailbox has no folder {folder!r}", permanent=True)
    validity = str((client.response("UIDVALIDITY")[1] or [b""])[0])
    after = int(cursor.get("uid", 0)) if cursor.get("validity") == validity else 0
    waiting = sorted(_sent_to(client, after, to) if to else _of_platforms(client, after))
    reviews: list[Found] = []
    unreadable = 0
    last = after
    for uid in waiting[:_AT_ONCE]:
        try:
            if _is_to(client, uid, to) if to else _is_of_platform(client, uid):
                content = read_mail(_fetched(client, uid, _WHOLE_MAIL), ours, waits_for_dns=True)
                reviews += content.reviews
                if content.doubt:
                    unreadable += 1
                    logger.warning("mail_not_understood", uid=uid, doubt=content.doubt)
        except UnavailableError as error:  # the name server: this mail is read at the next poll
            if not reviews:
                raise SourceError(str(error)) from error
            break
        except (imaplib.IMAP4.error, OSError, EOFError):
            raise
        except Exception as error:  # a stranger's mail: it is skipped, and stays in the mailbox
            unreadable += 1
            logger.warning("mail_unreadable", uid=uid, error=type(error).__name__)
        last = uid
    has_more = bool(waiting) and last < waiting[-1]
    return Poll(tuple(reviews), {"validity": validity, "uid": last}, more=has_more, unreadable=unreadable)


def _of_platforms(client: _Client, after: int) -> set[int]:
    """The newer mails whose headers name a platform as the sender, each once: the server searches headers only."""
    return {uid for domain in senders() for header in _SEARCHES for uid in _search(client, after, header, domain)}


def _sent_to(client: _Client, after: int, address: str) -> set[int]:
    """The newer mails sent to `address`: a forward keeps the first recipient in To, and names ours as it delivers."""
    headers = ("TO", "HEADER Delivered-To", "HEADER X-Original-To")
    return {uid for header in headers for uid in _search(client, after, header, address)}


def _search(client: _Client, after: int, header: str, words: str) -> Iterator[int]:
    _, answer = client.uid("SEARCH", "UID", f"{after + 1}:*", *header.split(), f'"{words}"')
    for uid in (answer[0] or b"").split():
        if uid.isdigit() and int(uid) > after:  # "n:*" always names the last one
            yield int(uid)


def _is_to(client: _Client, uid: int, address: str) -> bool:
    """Whether a mail is to this very address: a search also finds another firm's that ends in the same way."""
    header = _fetched(client, uid, "BODY.PEEK[HEADER.FIELDS (TO DELIVERED-TO X-ORIGINAL-TO)]")
    return address.lower().encode() in {one.lower() for one in _TO.findall(header)}


def _is_of_platform(client: _Client, uid: int) -> bool:
    header = _fetched(client, uid, "BODY.PEEK[HEADER.FIELDS (FROM X-ORIGINAL-FROM REPLY-TO)]")
    domains = [match.decode("ascii", "replace").lower() for match in _FROM.findall(header)]
    return any(is_of(domain, senders()) for domain in domains)


def _fetched(client: _Client, uid: int, what: str) -> bytes:
    _, answer = client.uid("FETCH", str(uid), f"({what})")
    return next((part[1] for part in answer if isinstance(part, tuple)), b"")
