"""Polls over real sockets: conditional, bounded, refused where they must be, and one failure never another's."""

import gzip
import io
import ipaddress
import time
from datetime import timedelta

import feedparser
import pytest
from sqlalchemy import select, update

from analysis import queries, store
from ingest import sources_store
from ingest.http import Web
from ingest.imports import import_file
from ingest.net import is_global
from ingest.scheduling import Collector
from tests.pipeline import SHARED, analyse, is_exact
from tests.web import Answer, Site
from vigie import audit, clock, companies, db
from vigie.db.tables import due, mention, source
from vigie.errors import InvalidInputError, SourceError, UnavailableError
from vigie.log import MENTIONS

ITEM = "<item><guid>{0}</guid><title>Avis {0}</title><description>{1}</description><pubDate>{2}</pubDate></item>"


def rss(*items):
    return b'<rss version="2.0"><channel><title>T</title>' + "".join(items).encode() + b"</channel></rss>"


@pytest.fixture
def collector(house, site):
    collector = Collector(house.engine, house.intake, allow_hosts=(site.host,))
    yield collector
    collector.close()


def add(house, firm, target, **more):
    with db.writing(house.engine) as connection:
        return sources_store.add(connection, firm["id"], "feed", target, **more)


def poll_all(collector):
    collector.make_all_due()
    while collector.poll_due():
        pass


def state(house, source_id):
    with db.reading(house.engine) as connection:
        return sources_store.get(connection, source_id)


def appended(house):
    return sum(end for _, end in house.log.ends(MENTIONS).values())


def count(house, firm):
    with db.reading(house.engine) as connection:
        return store.count(connection, firm["id"])


def test_an_unchanged_feed_costs_one_conditional_request_and_no_record(house, firm, site, collector):
    def answer(request):
        if request.headers.get("If-None-Match") == '"1"':
            return Answer(status=304)
        return Answer(
            rss(ITEM.format(1, "bon", "")), headers={"ETag": '"1"', "Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
        )

    site.pages["/f"] = answer
    add(house, firm, f"{site.url}/f")
    poll_all(collector)
    poll_all(collector)
    assert appended(house) == 1
    assert site.requests[1][2]["If-Modified-Since"] == "Mon, 23 Nov 2026 10:00:00 GMT"


def test_the_same_body_without_an_etag_is_known_by_its_hash(house, firm, site, collector):
    site.pages["/f"] = Answer(rss(ITEM.format(1, "bon", "")))
    add(house, firm, f"{site.url}/f")
    poll_all(collector)
    poll_all(collector)
    assert appended(house) == 1


def test_what_a_first_poll_brings_is_silent_and_what_comes_later_is_not(house, firm, site, collector):
    today = f"{clock.now():%a, %d %b %Y %H:%M:%S} GMT"
    old = f"{clock.now() - timedelta(days=30):%a, %d %b %Y %H:%M:%S} GMT"
    bad = "Service horrible, très mauvais, vraiment nul et désagréable."
    site.pages["/f"] = Answer(rss(ITEM.format(1, bad, today)))
    add(house, firm, f"{site.url}/f")
    poll_all(collector)
    analyse(house)
    site.pages["/f"] = Answer(rss(ITEM.format(1, bad, today), ITEM.format(2, bad, today), ITEM.format(3, bad, old)))
    poll_all(collector)
    analyse(house)
    with db.reading(house.engine) as connection:
        silent = {row.title: row.silent for row in connection.execute(select(mention))}
        alerts = queries.alerts(connection, firm["id"])
    assert silent == {"Avis 1": True, "Avis 2": False, "Avis 3": True}
    assert len(alerts) == 1


def test_one_failing_source_stops_no_other_and_its_owner_sees_why(house, firm, site, collector):
    site.pages["/good"] = Answer(rss(ITEM.format(1, "bon", "")))
    site.pages["/broken"] = Answer(b"oops", 500)
    site.pages["/page"] = Answer(b"<html><body>hello</body></html>")
    site.pages["/gone"] = Answer(b"", 410)
    site.pages["/busy"] = Answer(b"", 429, {"Retry-After": "7200"})
    ids = {name: add(house, firm, f"{site.url}/{name}") for name in ("good", "broken", "page", "gone", "busy")}
    ids["unknown"] = add(house, firm, "http://does-not-exist.invalid/feed")
    poll_all(collector)
    errors = {name: state(house, one)["error"] for name, one in ids.items()}
    assert errors["good"] is None
    assert "500" in errors["broken"]
    assert "names no feed" in errors["page"]
    assert state(house, ids["gone"])["paused"]
    assert "not known" in errors["unknown"]
    with db.reading(house.engine) as connection:
        at = connection.scalar(select(due.c.due_at).where(due.c.key == ids["busy"]))
    assert at > clock.now() + timedelta(minutes=110)
    assert appended(house) == 1


def test_a_source_that_works_again_says_so(house, firm, site, collector):
    source_id = add(house, firm, f"{site.url}/f")
    poll_all(collector)
    assert state(house, source_id)["failing_since"]
    site.pages["/f"] = Answer(rss(ITEM.format(1, "bon", "")))
    poll_all(collector)
    assert state(house, source_id)["error"] is None
    assert state(house, source_id)["failing_since"] is None


def test_a_permanent_move_is_followed_and_remembered(house, firm, site, collector):
    site.pages["/old"] = Answer(status=301, headers={"Location": "/new"})
    site.pages["/new"] = Answer(rss(ITEM.format(1, "bon", "")))
    source_id = add(house, firm, f"{site.url}/old")
    poll_all(collector)
    assert state(house, source_id)["target"] == f"{site.url}/new"
    with db.reading(house.engine) as connection:
        moves = [row["subject"] for row in audit.of_company(connection, firm["id"])]
    assert moves == [f"source {source_id}: {site.url}/old -> {site.url}/new"]


def test_a_page_leads_to_its_feed(house, firm, site, collector):
    site.pages["/"] = Answer(b'<html><head><link rel="alternate" type="application/atom+xml" href="/f"></head></html>')
    site.pages["/f"] = Answer(rss(ITEM.format(1, "bon", "")))
    add(house, firm, f"{site.url}/")
    poll_all(collector)
    poll_all(collector)
    assert appended(house) == 1
    assert [path for _, path, *_ in site.requests] == ["/", "/f", "/f"]


def test_the_cursor_is_kept_only_once_the_log_has_the_mentions(house, firm, site, collector, monkeypatch):
    site.pages["/f"] = Answer(rss(ITEM.format(1, "bon", "")))
    source_id = add(house, firm, f"{site.url}/f")

    def unavailable(topic, messages):
        raise UnavailableError("the log is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(house.log), "append", lambda self, topic, messages: unavailable(topic, messages))
        while collector.poll_due():
            pass
    assert state(house, source_id)["cursor"] == {}
    with db.writing(house.engine) as connection:
        connection.execute(update(due).values(due_at=clock.now() - timedelta(seconds=1)))
    while collector.poll_due():
        pass
    assert appended(house) == 1
    assert state(house, source_id)["cursor"]


def test_several_workers_share_the_sources(house, firm, site):
    site.pages["/f"] = Answer(rss(ITEM.format(1, "bon", "")))
    for n in range(12):
        add(house, firm, f"{site.url}/f?{n}")
    workers = [Collector(house.engine, house.intake, allow_hosts=(site.host,)) for _ in range(3)]
    while sum(worker.poll_due() for worker in workers):
        pass
    for worker in workers:
        worker.close()
    assert len(site.requests) == 12


def test_the_trend_of_a_place_comes_through_its_source(house, firm, site, collector):
    with db.writing(house.engine) as connection:
        place = companies.add_location(connection, firm["id"], "Les Halles")
    site.pages["/a"] = Answer(rss(ITEM.format(1, "bon", "")))
    site.pages["/b"] = Answer(rss(ITEM.format(1, "bon", ""), ITEM.format(2, "bien", "")))
    add(house, firm, f"{site.url}/a", location_id=place)
    add(house, firm, f"{site.url}/b")
    poll_all(collector)
    analyse(house)
    today = clock.local_day(clock.now(), firm["timezone"])
    with db.reading(house.engine) as connection:
        there = queries.daily(connection, firm["id"], today, today, location_id=place)
        everywhere = queries.daily(connection, firm["id"], today, today)
    assert (there[today].mentions, everywhere[today].mentions) == (1, 3)


def test_bounds_hold_whatever_a_stranger_sends(site):
    huge = gzip.compress(b"\0" * 60_000_000)
    site.pages["/bomb"] = Answer(huge, headers={"Content-Encoding": "gzip"})
    site.pages["/loop"] = Answer(status=302, headers={"Location": "/loop"})
    site.pages["/lies"] = Answer(b"not gzip", headers={"Content-Encoding": "gzip"})
    site.pages["/file"] = Answer(status=302, headers={"Location": "file:///etc/passwd"})
    with Web((site.host,)) as web:
        started = time.monotonic()
        for path, word in (
            ("/bomb", "larger|unpacks"),
            ("/loop", "redirect"),
            ("/lies", "broken"),
            ("/file", "address"),
        ):
            with pytest.raises(SourceError, match=word):
                web.get(site.url + path)
        assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
     "http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://0177.0.0.1:{port}/", "http://10.0.0.1/",
     "http://169.254.169.254/latest/", "http://[fe80::1]/", "http://0.0.0.0:{port}/", "http://[64:ff9b::7f00:1]/"],
)  # fmt: skip
def test_private_networks_are_out_of_reach(site, url):
    with Web() as web, pytest.raises(SourceError):
        web.get(url.format(port=site.host.rpartition(":")[2]))
    assert site.requests == []


def test_a_redirect_into_a_private_network_is_refused(site):
    inner = Site()
    try:
        site.pages["/"] = Answer(status=302, headers={"Location": inner.url})
        with Web((site.host,)) as web, pytest.raises(SourceError, match="private"):
            web.get(f"{site.url}/")
        assert inner.requests == []
    finally:
        inner.close()


@pytest.mark.parametrize(
    ("address", "expected"),
    [("8.8.8.8", True), ("2001:4860:4860::8888", True), ("::ffff:8.8.8.8", True), ("::ffff:10.0.0.1", False),
     ("2002:7f00:1::", False), ("2002:808:808::", True), ("100.64.0.1", False), ("224.0.0.1", False), ("::", False)],
)  # fmt: skip
def test_what_is_global(address, expected):
    assert is_global(ipaddress.ip_address(address)) is expected


def test_a_file_imported_twice_counts_once(house, firm, tmp_path):
    path = tmp_path / "avis.csv"
    path.write_text("date;note;avis\n2026-01-05;5;Parfait\n2026-01-05;5;Parfait\n2026-02-07;1;Décevant\nhier;;\n")
    done = import_file(house.engine, house.intake, firm, path)
    assert (done.mentions, len(done.bad)) == (3, 1)
    import_file(house.engine, house.intake, firm, path)
    analyse(house)
    assert count(house, firm) == 3
    assert is_exact(house)
    with db.reading(house.engine) as connection:
        assert connection.scalar(select(source.c.listening_since)) == "2026-01-05"
        assert queries.alerts(connection, firm["id"]) == [], "the past alerts nobody"


def test_an_unreadable_file_says_why(house, firm, tmp_path):
    with pytest.raises(InvalidInputError, match="cannot be read"):
        import_file(house.engine, house.intake, firm, tmp_path / "absent.csv")


FEEDS = SHARED / "inputs" / "feeds"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not FEEDS.is_dir(), reason="feeds of other projects are absent (../shared/inputs)")
def test_feeds_that_nobody_here_wrote(house, firm, site, collector):
    """Every file gives at least the distinct entries that feedparser finds, or an error; a second poll adds nothing."""
    expected, ids = {}, {}
    with db.writing(house.engine) as connection:
        for path in sorted(FEEDS.rglob("*")):
            if not path.is_file() or _is_expected_result(path):
                continue
            url = f"/{len(ids)}"
            body = path.read_bytes()
            site.pages[url] = Answer(body, headers={"Content-Type": "application/xml"})
            source_id = sources_store.add(connection, firm["id"], "feed", site.url + url)
            ids[source_id], expected[source_id] = path, _distinct(body)
    assert len(ids) > 2_000
    poll_all(collector)
    analyse(house)
    first = _per_source(house)
    with db.writing(house.engine) as connection:
        connection.execute(update(source).values(cursor={}))
        errors = {row.id: row.error for row in connection.execute(select(source))}
    too_few = [
        (str(ids[one].relative_to(FEEDS)), first.get(one, 0), count, errors[one])
        for one, count in expected.items()
        if first.get(one, 0) < count and not errors[one]
    ]
    read = sum(not error for error in errors.values())
    print(f"{len(ids)} files: {read} read, {len(ids) - read} refused, {sum(first.values())} mentions")
    assert too_few == []
    refused_with_entries = [
        str(ids[one].relative_to(FEEDS)) for one, error in errors.items() if error and expected[one]
    ]
    assert len(refused_with_entries) <= 5, refused_with_entries
    poll_all(collector)
    analyse(house)
    assert _per_source(house) == first, "a second poll adds nothing"
    assert is_exact(house)


def _is_expected_result(path):
    return (path.suffix == ".json" and "gofeed" in path.parts) or path.name == "LICENSE"


def _distinct(body):
    parsed = feedparser.parse(
        io.BytesIO(body),
        response_headers={"content-type": "application/xml"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    seen = set()
    for entry in parsed.entries:
        content = " ".join(one.get("value") or "" for one in entry.get("content") or ())
        date = dict.get(entry, "published") or dict.get(entry, "updated") or ""
        says = (entry.get("title") or "", content or entry.get("summary") or "", date)
        key = entry.get("id") or entry.get("link") or (says if any(says) else None)
        if key:
            seen.add(key)
    return len(seen)


def _per_source(house):
    with db.reading(house.engine) as connection:
        rows = connection.execute(select(mention.c.source_id, mention.c.id))
        found = {}
        for source_id, _ in rows:
            found[source_id] = found.get(source_id, 0) + 1
    return found
