"""The owner's mailbox over a real socket: read-only, headers first, only listed senders, on from where it stopped."""

import base64
import re
import socketserver
import threading
import time
from contextlib import suppress
from email import message_from_bytes
from urllib.parse import quote

import dns.resolver
import pytest

from ingest.http import Web
from ingest.mail import receive
from ingest.sources import KINDS, mailbox
from tests.ingest.test_mail import SAMPLES, body_of, forwarded, mail, signed
from tests.web import drips_headers, receiver
from vigie.errors import SourceError


class Mailserver:
    """A small IMAP server: what it was asked is in `asked`."""

    def __init__(self, mails, validity=7, capabilities="", folder="INBOX"):
        self.mails, self.validity, self.asked = mails, validity, []
        self.capabilities, self.folder, self.credentials = capabilities, folder, []
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.say("* OK ready")
                for line in self.rfile:
                    tag, _, command = line.decode().strip().partition(" ")
                    server.asked.append(command)
                    if command.startswith("LOGOUT"):
                        self.say("* BYE now", f"{tag} OK done")
                        return
                    self.answer(tag, command)

            def say(self, *lines):
                self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

            def answer(self, tag, command):
                upper = command.upper()
                if upper.startswith("CAPABILITY"):
                    self.say(f"* CAPABILITY IMAP4rev1 {server.capabilities}".strip(), f"{tag} OK done")
                elif upper.startswith("AUTHENTICATE PLAIN"):
                    self.say("+ ")
                    server.credentials.append(base64.b64decode(self.rfile.readline()).decode())
                    self.say(f"{tag} OK done")
                elif upper.startswith("LOGIN"):
                    self.say(f"{tag} OK done" if '"secret"' in command else f"{tag} NO wrong password")
                elif upper.startswith("EXAMINE") and command.partition(" ")[2] != f'"{server.folder}"':
                    self.say(f"{tag} NO there is no such folder")
                elif upper.startswith("EXAMINE"):
                    self.say(
                        f"* {len(server.mails)} EXISTS",
                        f"* OK [UIDVALIDITY {server.validity}]",
                        f"{tag} OK [READ-ONLY]",
                    )
                elif match := re.match(r'UID SEARCH UID (\d+):\* (?:HEADER )?([\w-]+) "(.*)"', command):
                    found = [
                        uid
                        for uid, raw in server.mails.items()
                        if match[3] in str(message_from_bytes(raw.partition(b"\r\n\r\n")[0])[match[2]])
                    ]
                    self.say(
                        "* SEARCH " + " ".join(str(uid) for uid in found if uid >= int(match[1])), f"{tag} OK done"
                    )
                elif match := re.match(r"UID FETCH (\d+) \((BODY\.PEEK\[(.*)\].*)\)", command):
                    raw = server.mails[int(match[1])]
                    raw = raw.split(b"\r\n\r\n")[0] + b"\r\n\r\n" if "HEADER" in match[3] else raw
                    self.wfile.write(f"* 1 FETCH (UID {match[1]} BODY[] {{{len(raw)}}}\r\n".encode() + raw + b")\r\n")
                    self.say(f"{tag} OK done")
                else:
                    self.say(f"{tag} BAD what")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def letter(platform):
    sender, subject, rating, _ = SAMPLES[platform]
    return mail(sender, subject, body_of(rating))


@pytest.fixture
def mailserver(signing, parsers):
    server = Mailserver(
        {
            3: signed(signing, letter("trustpilot")),
            4: mail("maman@exemple.fr", "Dimanche ?", "On mange à 13 h"),
            5: letter("planity"),
        }
    )
    yield server
    server.close()


def poll(server, cursor=None, **options):
    with Web((server.host,)) as web:
        given = {"password": "secret", **options}
        return KINDS["mailbox"].poll(web, f"imap://marie%40exemple.fr@{server.host}/INBOX", given, cursor or {})


def test_only_listed_senders_are_opened_and_nothing_is_marked(mailserver):
    found = poll(mailserver).found
    assert [(one.platform, one.rating, one.apart) for one in found] == [
        ("trustpilot", 3.0, None),
        ("planity", 5.0, "unverified"),
    ]
    fetched = [command for command in mailserver.asked if "FETCH" in command.upper()]
    assert not any(" 4 " in command for command in fetched), "a private mail was not touched"
    assert all("PEEK" in command for command in fetched)
    assert not any(re.match(r"SELECT|STORE|EXPUNGE|UID STORE", command.upper()) for command in mailserver.asked)


@pytest.mark.parametrize(
    ("user", "folder", "password"),
    [
        ("marie%40exemple.fr", "INBOX%22%0d%0aZ1%20SELECT%20INBOX%0d%0aZ2%20EXPUNGE", "secret"),
        ("marie%40exemple.fr", "INBOX%0aZ1%20NOOP", "secret"),
        ("marie%0d%0aZ1%20NOOP", "INBOX", "secret"),
        ("marie%40exemple.fr", "A%00B", "secret"),
        ("marie%40exemple.fr", "INBOX", "secret\r\nZ1 NOOP"),
    ],
)
def test_no_command_of_its_own_hides_in_an_address_or_a_password(mailserver, user, folder, password):
    with Web((mailserver.host,)) as web, pytest.raises(SourceError, match="control character"):
        KINDS["mailbox"].poll(web, f"imap://{user}@{mailserver.host}/{folder}", {"password": password}, {})
    assert mailserver.asked == []


def test_a_mail_that_went_to_another_address_first_is_asked_about(mailserver, signing):
    elsewhere = letter("trustpilot").replace(b"marie@exemple.fr", b"autre@exemple.fr")
    mailserver.mails = {1: signed(signing, elsewhere)}
    assert [one.apart for one in poll(mailserver).found] == ["unconfirmed"]


def test_it_goes_on_where_it_stopped_and_begins_anew_in_a_new_mailbox(mailserver):
    first = poll(mailserver)
    assert poll(mailserver, first.cursor).found == ()
    mailserver.mails[9] = letter("vroomly")
    assert [one.platform for one in poll(mailserver, first.cursor).found] == ["vroomly"]
    mailserver.validity = 8
    assert len(poll(mailserver, first.cursor).found) == 3


def test_a_forwarding_address_brings_what_was_sent_to_it_and_nothing_else(mailserver):
    _, subject, rating, _ = SAMPLES["google"]
    by_hand = forwarded("gmail", SAMPLES["google"][0], subject, body_of(rating))
    mailserver.mails |= {
        10: b"Delivered-To: avis+mercier@cabinet.fr\r\n" + letter("vroomly"),
        11: b"Delivered-To: avis+autre@cabinet.fr\r\n" + letter("planity"),
        13: b"Delivered-To: lesavis+mercier@cabinet.fr\r\n" + letter("treatwell"),
        12: b"X-Original-To: avis+mercier@cabinet.fr\r\n" + by_hand,
    }
    read = poll(mailserver, to="avis+mercier@cabinet.fr")
    assert [(one.platform, one.apart) for one in read.found] == [("vroomly", "unverified"), ("google", "unverified")]
    assert poll(mailserver, read.cursor, to="avis+mercier@cabinet.fr").found == ()
    with pytest.raises(SourceError, match="address"):
        poll(mailserver, to='a"b@cabinet.fr')


def drips(connection):
    connection.sendall(b"* OK re")
    drips_headers(connection)


def promises(connection):
    """A literal of two gigabytes in the first answer."""
    connection.sendall(b"* OK ready\r\n")
    connection.recv(65_536)
    connection.sendall(b"* CAPABILITY {2000000000}\r\nx")
    time.sleep(2)


@pytest.mark.parametrize("behave", [drips, promises])
def test_a_server_that_drips_or_promises_too_much_is_left(monkeypatch, behave):
    monkeypatch.setattr(mailbox, "_WHOLE", 1.0)
    started = time.monotonic()
    with receiver(behave, speaks_first=True) as address:
        host = address.split("/")[2]
        with Web((host,)) as web, pytest.raises(SourceError):
            KINDS["mailbox"].poll(web, f"imap://m@{host}", {"password": "x"}, {})
    assert time.monotonic() - started < 10


def test_a_wrong_password_and_a_wrong_address_are_told(mailserver):
    with pytest.raises(SourceError, match="refuses"):
        poll(mailserver, password="nope")
    with pytest.raises(SourceError, match="password"):
        poll(mailserver, password="")
    with Web() as web, pytest.raises(SourceError, match="private"):
        KINDS["mailbox"].poll(web, f"imaps://m@{mailserver.host}", {"password": "x"}, {})


def test_a_password_is_not_sent_in_clear(mailserver):
    with Web() as web, pytest.raises(SourceError, match="imaps://"):
        KINDS["mailbox"].poll(web, f"imap://m@{mailserver.host}", {"password": "x"}, {})
    assert mailserver.asked == []


def test_the_authserv_option_is_accepted_and_proves_nothing(mailserver):
    header = b"Authentication-Results: mx.exemple.fr; dkim=pass header.d=planity.com\r\n"
    mailserver.mails = {1: header + letter("planity")}
    assert [review.apart for review in poll(mailserver, authserv="mx.exemple.fr").found] == ["unverified"]


def test_a_mail_that_cannot_be_read_does_not_stop_the_others(mailserver):
    mailserver.mails = {
        1: letter("trustpilot").replace(b'charset="utf-8"', b"charset=undefined"),
        2: b"From: noreply@trustpilot.com\r\nX: " + b"Content-Type: " * 80 + b"\r\n\r\nx",
        3: letter("planity"),
    }
    read = poll(mailserver)
    assert "planity" in [review.platform for review in read.found]
    assert read.unreadable == 1
    assert read.cursor["uid"] == 3


def test_a_name_server_that_does_not_answer_delays_the_mail(mailserver, signing, monkeypatch):
    mailserver.mails = {1: letter("planity"), 2: signed(signing, letter("trustpilot")), 3: letter("vroomly")}

    def fail(*arguments, **options):
        raise dns.resolver.NoNameservers

    # In this process, where the name server can be made to fail.
    monkeypatch.setattr(mailbox, "read_mail", receive.read_mail)

    with monkeypatch.context() as patched:
        patched.setattr(dns.resolver, "resolve", fail)
        first = poll(mailserver)
        assert [review.platform for review in first.found] == ["planity"]
        assert first.more
        with pytest.raises(SourceError, match="cannot be looked up"):
            poll(mailserver, first.cursor)
    again = poll(mailserver, first.cursor)
    assert [(review.platform, review.apart) for review in again.found] == [
        ("trustpilot", None),
        ("vroomly", "unverified"),
    ]


def floods(connection):
    line = b"* OK " + b"x" * 990 + b"\r\n"
    with suppress(OSError):
        for _ in range(200):
            connection.sendall(line * 1_000)


def test_a_server_that_floods_is_left():
    with receiver(floods, speaks_first=True) as address:
        host = address.split("/")[2]
        with Web((host,)) as web, pytest.raises(SourceError, match="more than a mailbox"):
            KINDS["mailbox"].poll(web, f"imap://m@{host}", {"password": "x"}, {})


def poll_folder(server, folder, password="secret"):
    with Web((server.host,)) as web:
        target = f"imap://marie%40exemple.fr@{server.host}/{quote(folder)}"
        return KINDS["mailbox"].poll(web, target, {"password": password}, {})


@pytest.mark.parametrize(
    ("folder", "on_server"),
    [
        ("Avis reçus", "Avis re&AOc-us"),
        ("Avis re&AOc-us", "Avis re&AOc-us"),
        ("Réputation/Avis & notes", "R&AOk-putation/Avis &- notes"),
        ("R&D", "R&-D"),
        ("台北/日本語", "&U,BTFw-/&ZeVnLIqe-"),  # the example of RFC 3501, 5.1.3
        ("👍", "&2D3cTQ-"),
        ('avis "google"', 'avis \\"google\\"'),
        ('A" B\\', 'A\\" B\\\\'),
    ],
)
def test_a_folder_is_found_under_the_name_that_its_owner_sees(mailserver, folder, on_server):
    mailserver.folder = on_server
    assert [review.platform for review in poll_folder(mailserver, folder).found] == ["trustpilot", "planity"]


def test_a_password_with_accents_is_sent_as_utf_8(mailserver):
    mailserver.capabilities = "AUTH=PLAIN"
    assert len(poll(mailserver, password="réception€").found) == 2
    assert mailserver.credentials == ["\0marie@exemple.fr\0réception€"]


def test_a_server_that_takes_no_accents_is_told_in_words(mailserver):
    with pytest.raises(SourceError, match="accents"):
        poll(mailserver, password="réception€")


@pytest.mark.parametrize("header", ["X-Original-From", "Reply-To"])
def test_a_mail_that_a_list_passed_on_is_read_and_proves_nothing(mailserver, header):
    sender, subject, rating, _ = SAMPLES["trustpilot"]
    message = mail("'Trustpilot' via Avis <avis@exemple.fr>", subject, body_of(rating))
    mailserver.mails = {1: f"{header}: Trustpilot <{sender}>\r\n".encode() + message}
    (review,) = poll(mailserver).found
    assert (review.author, review.rating, review.apart) == ("Sandrine M.", 3.0, "unverified")


def test_each_review_of_one_mail_is_brought(mailserver):
    sender = "businessprofile-noreply@google.com"
    body = "2 five-star reviews\nRead reviews\n\nAjay\nGood.\n\nReply to review\n\nZoé\nBien.\n\nReply to review\n"
    mailserver.mails = {1: mail(sender, "Maison Delage, you got 2 new reviews", body)}
    assert [(review.author, review.text) for review in poll(mailserver).found] == [("Ajay", "Good."), ("Zoé", "Bien.")]


def test_a_platforms_mail_that_is_not_understood_is_counted(mailserver):
    mailserver.mails = {
        1: mail("noreply@trustpilot.com", "Quelqu'un a modifié son avis", "Rendez-vous sur le site pour le lire."),
        2: mail("noreply@trustpilot.com", "Votre facture", "Merci, elle est jointe."),
        3: letter("planity"),
    }
    read = poll(mailserver)
    assert ([review.platform for review in read.found], read.unreadable) == (["planity"], 1)
