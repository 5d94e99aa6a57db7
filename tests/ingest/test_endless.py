"""Bytes that make a careless parser walk for minutes: each reader ends soon, with what it could read or an error."""

import time

import pytest

from ingest import files
from ingest.clean import text_of
from ingest.files.table import How
from ingest.http import Answer
from ingest.sources import feed
from ingest.sources.page import Page
from tests.ingest.mails import review_of
from vigie.errors import InvalidInputError, SourceError

SIZE = 300_000
DEADLINE = 4.0  # seconds of CPU; the slowest took 0.8, and most of these half a minute or more before they were bounded
PATTERNS = [
    "<p ", "<img ", '<img alt="a" ', "<a ", "<a b='", '<a href="', "<b x={}>", "<div>", "<b x={}><object></b></object>",
    "«", '"', "« a »", '{"a":', "=?utf-8?q?a?=", "<script", "<![CDATA[", "[", "&#", "a b ", "★", "> ", "a;b\n", "<li>",
]  # fmt: skip
MAIL = b"From: noreply@trustpilot.com\r\nSubject: Ali a ecrit un avis\r\nContent-Type: text/%s; charset=utf-8\r\n\r\n"


class Served:
    def __init__(self, body):
        self.body = body

    def get(self, url, *_, **__):
        return Answer(200, {}, self.body, url)


READERS = {
    "a feed": lambda body: list(feed.parse(body, {}, "http://x/")),
    "an entry": lambda body: list(feed.parse(b"<rss version='2.0'><channel><item><title>x</title><description><![CDATA["
                                             + body + b"]]></description></item></channel></rss>", {}, "http://x/")),
    "a page": lambda body: Page().poll(Served(body), "http://x/", {"own": "yes"}, {}),
    "a page's feed": lambda body: feed.discover(body, "http://x/"),
    "a text": lambda body: text_of(body.decode()),
    "a mail": lambda body: review_of(MAIL % b"plain" + body),
    "a mail of markup": lambda body: review_of(MAIL % b"html" + body),
    "a mail's head": lambda body: review_of(b"From: noreply@trustpilot.com\r\nSubject: " + body.replace(b"\n", b" ")),
    "a table": lambda body: files.read(b"avis;note\n" + body, How("Europe/Paris"), "csv"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("reader", READERS)
def test_nothing_is_read_for_ever(reader):
    for pattern in PATTERNS:
        body = "".join(pattern.replace("{}", str(n)) for n in range(SIZE // len(pattern))).encode()
        started = time.process_time()
        try:
            READERS[reader](body)
        except (SourceError, InvalidInputError) as error:
            assert str(error)
        assert time.process_time() - started < DEADLINE, pattern


def test_ten_megabytes_of_open_tags_are_no_feed():
    started = time.process_time()
    with pytest.raises(SourceError, match="never end"):
        READERS["a feed"](b"<rss version='2.0'><channel>" + b"<a " * 3_300_000)
    assert time.process_time() - started < DEADLINE


def test_text_of_too_many_tags_is_text_all_the_same():
    shown = text_of("<b x=1>" * 5_000 + "Bien &amp; bon<br>merci")
    assert shown == "Bien & bon\nmerci"


def test_a_large_honest_page_is_read():
    rows = "<tr><td><p>x<td><span>y</span>" * 8_000
    review = '<script type="application/ld+json">{"@type": "Review", "reviewBody": "Bien"}</script>'
    body = f"<html><table>{rows}</table>{review}</html>".encode()
    assert [one.text for one in Page().poll(Served(body), "http://x/", {}, {}).found] == ["Bien"]
