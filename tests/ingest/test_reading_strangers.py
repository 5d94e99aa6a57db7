"""Ratings, texts, links, CSV files, feeds: what strangers write, read or refused in plain words."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import http
from ingest.clean import link, plain, text_of
from ingest.files import csv_file
from ingest.files.table import How
from ingest.found import Found, mentions
from ingest.rating import on_five
from ingest.sources import feed
from tests.web import drips_headers, receiver
from vigie.errors import InvalidInputError, SourceError
from vigie.events import MOST_TEXT


@pytest.mark.parametrize(
    ("given_rating", "best", "expected"),
    [
        (1, 5, 1.0), ("8,5", 10, 4.25), ("8,5/10", 5, 4.25), ("4 sur 5", 5, 4.0), ("★★★☆☆", 5, 3.0), ("⭐⭐⭐⭐", 5, 4.0),
        ("FOUR", 5, 4.0), (0, 5, 0.0), ("17/20", 5, 4.25), (None, 5, None), ("  ", 5, None), ("4.5", 5, 4.5),
    ],
)  # fmt: skip
def test_a_rating_is_brought_to_five(given_rating, best, expected):
    assert on_five(given_rating, best) == expected


@pytest.mark.parametrize("bad", ["6", -1, "bon", "1e400", "nan", "9" * 20_000, "5/0", True, "4/3"])
def test_what_is_no_rating_is_refused(bad):
    with pytest.raises(ValueError):
        on_five(bad)


@given(st.text(max_size=300))
def test_any_text_is_kept_within_bounds(text):
    assert len(text_of(text)) <= MOST_TEXT
    kept = plain(text)
    assert "\x00" not in kept
    kept.encode()


def test_markup_never_gets_through_as_markup():
    hostile = (
        '<p>Bon <b>pain</b><script>alert(1)</script></p><img src=x onerror="alert(2)"><style>p{}</style>&amp; merci'
    )
    read = text_of(hostile)
    assert "alert" not in read
    assert "<" not in read
    assert read == "Bon pain\n& merci" or read == "Bon pain & merci"


@pytest.mark.parametrize("text", ["L'œuf à 5 € ; 1 < 2 & 3 > 2", "Très bon 👍🏽 — « miam »", "x < y"])
def test_plain_text_stays_exact(text):
    assert text_of(text) == text


@pytest.mark.parametrize(
    "bad", ["javascript:alert(1)", "data:text/html,x", "//x", "http://", "http://a b", "http://[::1", "ftp://x", None]
)
def test_what_is_no_web_address_is_no_link(bad):
    assert link(bad) is None


def test_equal_rows_of_a_file_all_count_and_count_once():
    rows = [Found(text="Bon", author="A"), Found(text="Bon", author="A"), Found(text="Bien", author="B")]
    first = mentions("co", "file", rows, numbered=True)
    assert len({one.id for one in first}) == 3
    assert [one.id for one in mentions("co", "file", rows, numbered=True)] == [one.id for one in first]


def test_an_absurd_date_is_the_day_we_saw_it():
    for moment in (datetime(2099, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), None):
        (one,) = mentions("co", "s", [Found(text="Bon", published_at=moment)])
        assert not one.published_at_known
        assert one.published_at == one.collected_at


CSV = {
    "semicolons": "Date;Note;Auteur;Avis\n23/11/2026;4;Léa;Très bon, vraiment\n",
    "commas": 'date,rating,author,text\n2026-11-23,4,Léa,"Très bon, vraiment"\n',
    "tabs": "Publié le\tNote\tNom\tCommentaire\n23 novembre 2026\t8/10\tLéa\tTrès bon, vraiment\n",
    "words": '"Review date","Stars","Reviewer name","Review"\n"Nov 23, 2026","4","Léa","Très bon, vraiment"\n',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("text", CSV.values(), ids=CSV)
def test_the_usual_exports_are_read(text, encoding):
    read = csv_file.read(text.encode(encoding), How("Europe/Paris"))
    assert read.bad == []
    (one,) = read.found
    assert (one.rating, one.author, one.text) == (4.0, "Léa", "Très bon, vraiment")
    assert one.published_at == datetime(2026, 11, 22, 23, tzinfo=UTC)


def test_bad_rows_are_told_with_their_line_and_stop_nobody():
    text = 'date;note;texte\n2026-11-23;4;Bon\n31/02/2026;4;Bon\n2026-11-23;9;Bon\n;;\n"a\nb";1;x\n2026-11-23;;\n2026-11-23;5;"deux\nlignes"\n'
    read = csv_file.read(text.encode(), How("Europe/Paris"))
    assert [one.text for one in read.found] == ["Bon", "Bon", "Bon", "x", "deux\nlignes"]
    assert [row.line for row in read.bad] == [8]
    assert (read.counts["undated"], read.counts["unrated"]) == (2, 1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"a;b;c\n1;2;3\n", "--map"),
        (b"PK\x03\x04\x00\x00\x00binary", "binary|column"),
        (b"\xff\xfea", "characters"),
        (b'note;avis\n4;"' + b"x" * 300_000 + b'"\n', "line 2"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(body, reason):
    with pytest.raises(InvalidInputError, match=reason):
        csv_file.read(body, How("Europe/Paris"))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_csv_or_a_clear_error(body):
    try:
        csv_file.read(body, How("Europe/Paris"))
    except InvalidInputError as error:
        assert str(error)


RSS = '<rss version="2.0"><channel><title>T</title>{}</channel></rss>'


def entries(body, headers=None):
    return list(feed.parse(body if isinstance(body, bytes) else body.encode(), headers or {}, "https://example.fr/f"))


def test_an_entry_is_read_whole():
    item = (
        "<item><guid>1</guid><title>Très &lt;b&gt;bon&lt;/b&gt;</title><link>/a</link><author>Léa</author>"
        "<description><![CDATA[<p>Le pain &amp; la <i>brioche</i></p><script>x()</script>]]></description>"
        "<pubDate>Mon, 23 Nov 2026 12:00:00 +0100</pubDate></item>"
    )
    (one,) = entries(RSS.format(item), {"content-type": "application/rss+xml; charset=utf-8"})
    assert (one.external_id, one.title, one.text) == ("1", "Très bon", "Le pain & la brioche")
    assert one.url == "https://example.fr/a"
    assert one.published_at == datetime(2026, 11, 23, 11, tzinfo=UTC)


def test_a_json_feed_is_read():
    body = '{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","content_html":"<p>Bon</p>","url":"https://a.fr/1","date_published":"2026-11-23T12:00:00Z"},{},"x"]}'
    (one,) = entries(body)
    assert (one.external_id, one.text, one.url) == ("1", "Bon", "https://a.fr/1")


AMPLIFIED = [(n, f"&a{n - 1};" * 10) for n in range(1, 9)]
ENTITIES = "".join(f'<!ENTITY a{n} "{value}">' for n, value in AMPLIFIED)
BOMB = f'<!DOCTYPE r [<!ENTITY a0 "ha">{ENTITIES}]>' + RSS.format("<item><title>&a8;</title></item>")


@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b"hello", b"\x00\x01\x02", b"<html><body>no feed</body></html>", b'{"items": 3}', b"{", b"%PDF-1.7",
     b"<a>" * 50_000, b'{"items":' + b"[" * 50_000],
    ids=["empty", "blank", "text", "binary", "page", "json", "broken-json", "pdf", "deep", "deep-json"],
)  # fmt: skip
def test_what_is_no_feed_is_a_clear_error(body):
    with pytest.raises(SourceError) as caught:
        entries(body)
    assert len(str(caught.value)) < 200


@pytest.mark.timeout(30)
def test_a_billion_laughs_end_in_time_and_size():
    try:
        found = entries(BOMB)
    except SourceError:
        return
    assert all(len(one.title or "") <= 2_000 for one in found)


def test_a_truncated_feed_gives_what_it_holds():
    whole = RSS.format("".join(f"<item><guid>{n}</guid><title>t{n}</title></item>" for n in range(5)))
    assert len(entries(whole[:-80])) >= 3


def test_a_page_names_its_feed():
    page = b'<html><head><link rel="alternate stylesheet" href="x.css"><link rel=alternate type=application/rss+xml href=/feed></head></html>'
    assert feed.discover(page, "https://example.fr/blog") == "https://example.fr/feed"
    assert feed.discover(b"<html></html>", "https://example.fr") is None


def test_a_server_that_drips_its_headers_is_left_in_time(monkeypatch):
    monkeypatch.setattr(http, "_WHOLE", 2.0)
    started = time.monotonic()
    web = http.Web(("127.0.0.1",), delay=0.0)
    with receiver(drips_headers) as url, web, pytest.raises(SourceError, match="in time"):
        web.get(url)
    assert time.monotonic() - started < 10
