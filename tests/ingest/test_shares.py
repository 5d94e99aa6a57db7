"""One company's slow sources take their share of the polls, and no more."""

import threading

import pytest

from ingest import scheduling, sources_store
from ingest.scheduling import Collector
from ingest.shares import CompanyShares
from tests.servers import wait_until
from tests.web import Answer, Site
from vigie import companies, db

FEED = b'<rss version="2.0"><channel><title>T</title><item><guid>1</guid><title>Bon</title></item></channel></rss>'
SLOW_SOURCES = 40


@pytest.fixture
def slow_shop():
    """A site that answers only when the test is over; it counts who waits there."""
    shop, over = Site(), threading.Event()
    waiting, most, lock = [0], [0], threading.Lock()

    def answer(request):
        with lock:
            waiting[0] += 1
            most[0] = max(most[0], waiting[0])
        over.wait(30)
        with lock:
            waiting[0] -= 1
        return Answer(FEED)

    shop.pages["/slow"] = answer
    shop.most, shop.over = most, over
    yield shop
    over.set()
    shop.close()


def add_feeds(house, name, *addresses):
    with db.writing(house.engine) as connection:
        company_id = companies.add(connection, name)
        return [sources_store.add(connection, company_id, "feed", address) for address in addresses]


def is_polled(house, source_id):
    with db.reading(house.engine) as connection:
        return sources_store.get(connection, source_id)["polled_at"] is not None


def test_slow_sources_of_one_company_delay_no_other(house, site, slow_shop):
    site.pages["/f"] = Answer(FEED)
    slow = add_feeds(house, "Lente", *(f"{slow_shop.url}/slow?{n}" for n in range(SLOW_SOURCES)))
    (quick,) = add_feeds(house, "Vive", f"{site.url}/f")
    collector = Collector(house.engine, house.intake, allow_hosts=(site.host, slow_shop.host))

    def turn_until_polled():
        collector.poll_due()
        return is_polled(house, quick)

    try:
        wait_until(turn_until_polled, 15, 0.0)
        assert slow_shop.most[0] <= 2
        assert not any(is_polled(house, one) for one in slow)
        slow_shop.over.set()
        while collector.poll_due():
            pass
        assert all(is_polled(house, one) for one in slow), "what was put back is polled in its turn"
        assert slow_shop.most[0] == 2
        assert len(slow_shop.requests) == SLOW_SOURCES, "nothing is asked twice"
    finally:
        slow_shop.over.set()
        collector.close()


def test_what_is_put_back_is_not_claimed_again_and_again(house, site, slow_shop, monkeypatch):
    add_feeds(house, "Lente", *(f"{slow_shop.url}/slow?{n}" for n in range(SLOW_SOURCES)))
    collector = Collector(house.engine, house.intake, allow_hosts=(slow_shop.host,))
    put_back = []
    monkeypatch.setattr(Collector, "_put_back", lambda self, connection, timer: put_back.append(timer))
    try:
        for _ in range(4):
            assert collector.poll_due(), "the polls that run are not forgotten"
        assert len(put_back) < SLOW_SOURCES
    finally:
        slow_shop.over.set()
        collector.close()


def test_companies_take_turns():
    shares = CompanyShares(2)
    for number in range(9):
        assert shares.add("a", f"a{number}") == (number < 8)
    assert list(shares.take()) == ["a0", "a1"]
    shares.add("b", "b0")
    assert shares.companies_with_enough() == ["a", "b"]
    assert list(shares.take()) == ["b0"]
    shares.end("a")
    assert list(shares.take()) == ["a2"]


def test_a_claim_outlasts_the_longest_wait_and_poll():
    assert scheduling._LEASE.total_seconds() > scheduling._STALE_SECONDS + scheduling._POLL_SECONDS
