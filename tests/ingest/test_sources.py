"""One contract for every source: what it recorded comes out, twice is once, and strangers' bytes end as clear errors."""

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from ingest import sources_store
from ingest.clean import text_of
from ingest.found import Found, mentions
from ingest.http import Web
from ingest.source import Terms
from ingest.sources import KINDS, attribution
from ingest.sources.api import PAGES_A_POLL
from tests.ingest.recorded import GOOGLE_REVIEWS, RECORDED
from tests.pipeline import SHARED
from tests.web import Answer
from vigie import db
from vigie.errors import InvalidInputError, SourceError
from vigie.secrets import Vault

ELSEWHERE = {"mailbox"}  # polled, but not over HTTP: tests/ingest/test_mailbox.py
POLLED = [kind for kind, one in KINDS.items() if one.polled and kind not in ELSEWHERE]

HOSTILE = {
    "empty": b"",
    "binary": bytes(range(256)) * 20,
    "deep_json": b"[" * 50_000,
    "deep_object": b'{"reviews":' * 50_000,
    "digits": b'{"reviews":[{"reviewId":"1","stars":' + b"9" * 20_000 + b"}]}",
    "deep_html": b"<div itemscope>" * 10_000,
    "ld_marks": b'<script type="application/ld+json">' + b'"\\"/*<!--<![CDATA[ ,//' * 50_000,
    "deep_ld": b'<script type="application/ld+json">' + b'{"review":' * 50_000 + b"</script>",
    "wrong_types": json.dumps(
        {"reviews": [1, None, {"id": [], "stars": {}, "reviewId": {}}], "feed": [], "items": {}}
    ).encode(),
    "nulls": b'{"reviews": null, "feed": null}',
    "truncated": b'{"reviews": [{"reviewId": "1", "starRa',
    "laughs": b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><rss><channel><item><title>&b;</title></item></channel></rss>',
}


def poll(kind, site, cursor=None):
    recorded = RECORDED[kind]
    with Web((site.host,)) as web:
        return KINDS[kind].poll(web, recorded.target(site.url), recorded.options(site.url), cursor or {})


@pytest.mark.parametrize("kind", POLLED)
def test_what_was_recorded_comes_out(kind, site):
    site.pages.update(RECORDED[kind].pages)
    found = poll(kind, site).found
    assert [(one.text or one.title or "", one.rating) for one in found] == RECORDED[kind].expected
    assert all("@" not in f"{one.author}{one.text}" for one in found if kind in {"avis_verifies", "woocommerce"})


@pytest.mark.parametrize("kind", POLLED)
def test_what_is_polled_twice_is_known(kind, site):
    site.pages.update(RECORDED[kind].pages)
    first = poll(kind, site)
    again = [*poll(kind, site).found, *poll(kind, site, first.cursor).found]
    ids = {one.id for one in mentions("co", "so", first.found, platform=KINDS[kind].platform)}
    assert {one.id for one in mentions("co", "so", again, platform=KINDS[kind].platform)} == ids
    json.dumps(first.cursor)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("kind", POLLED)
def test_hostile_bytes_are_nothing_or_a_clear_error(kind, hostile, site):
    site.pages[RECORDED[kind].path] = Answer(HOSTILE[hostile])
    started = time.monotonic()
    try:
        found = poll(kind, site).found
    except SourceError as error:
        assert str(error)
    else:
        assert all(one.rating is None or 0 <= one.rating <= 5 for one in found)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("status", "words"), [(401, "password"), (403, "refuses"), (429, "less often"), (500, "out of order")]
)
@pytest.mark.parametrize("kind", POLLED)
def test_a_refusal_is_told_and_a_pause_respected(kind, status, words, site):
    site.pages[RECORDED[kind].path] = Answer(b"no", status, {"Retry-After": "120"})
    with pytest.raises(SourceError, match=words) as raised:
        poll(kind, site)
    assert raised.value.retry_after == 120


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_what_it_is(kind):
    one = KINDS[kind]
    assert one.description
    assert one.target
    assert one.secrets <= set(one.options)
    shortest, longest = one.rhythm
    assert shortest <= longest
    assert not one.polled or kind in RECORDED or kind in ELSEWHERE


def test_secrets_are_sealed_and_unknown_options_refused(house, firm):
    vault = Vault("k")
    with db.writing(house.engine) as connection:
        source_id = sources_store.add(
            connection, firm["id"], "google_business", "accounts/1/locations/2", options={"token": "hush"}, vault=vault
        )
        row = sources_store.get(connection, source_id)
        assert "hush" not in str(dict(row))
        assert sources_store.options(row, vault)["token"] == "hush"
        with pytest.raises(InvalidInputError, match="no option"):
            sources_store.add(connection, firm["id"], "feed", "https://a.fr", options={"x": "1"})


def test_google_pages_that_shift_lose_nothing(site):
    pages = {"": (range(50), "a"), "a": (range(49, 99), "b"), "b": (range(98, 110), "")}

    def answer(request):
        token = request.path.partition("pageToken=")[2]
        numbers, following = pages[token]
        reviews = [
            {"reviewId": f"r{n}", "starRating": "FOUR", "updateTime": f"2026-11-{20 - n // 20:02}T00:00:00Z"}
            for n in numbers
        ]
        return Answer(json.dumps({"reviews": reviews, "nextPageToken": following}).encode())

    site.pages["/v4/accounts/1/locations/2/reviews"] = answer
    brought = poll("google_business", site)
    assert {one.external_id for one in brought.found} == {f"r{n}" for n in range(110)}
    assert len(brought.found) == 110
    site.requests.clear()
    poll("google_business", site, brought.cursor)
    assert len(site.requests) < 3, "what was seen is not asked again"


def test_what_customers_see_is_kept_apart(site):
    site.pages.update(RECORDED["page"].pages | RECORDED["google_business"].pages)
    (seen,) = poll("page", site).aggregates
    assert (seen.average, seen.count, seen.given) == (4.3, 42, "8,6/10")
    (seen,) = poll("google_business", site).aggregates
    assert (seen.average, seen.count) == (4.3, 127)
    first = poll("google_business", site).found[0]
    assert (first.text, first.translation, first.reply) == (
        GOOGLE_REVIEWS["reviews"][0]["comment"].partition("\n")[0], "Too long a wait.", "Nous sommes désolés."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "count"), [("1284", 1284), ("1 284 avis", 1284), ("(1,284)", 1284), ("128 avis sur 3 sites", None), ("4,5", None)]
)  # fmt: skip
def test_a_page_is_read_as_its_visitors_read_it(site, shown, count):
    """Microdata are often what is shown, not what a program would write."""
    site.pages["/p"] = Answer(
        f"""<div itemscope itemtype="http://schema.org/LocalBusiness"><div itemprop="aggregateRating" itemscope
        itemtype="http://schema.org/AggregateRating"><b itemprop="ratingValue">4,6/5</b>
        <i itemprop="reviewCount">{shown}</i></div><div itemprop="review" itemscope
        itemtype="http://schema.org/Review"><span itemprop="author">Léa</span>
        <span itemprop="datePublished">12 juil. 2026</span><p itemprop="reviewBody">Très bon pain</p></div></div>""".encode()
    )
    brought = poll("page", site)
    assert [one.count for one in brought.aggregates] == ([count] if count else [])
    assert [(one.text, one.published_at) for one in brought.found] == [
        ("Très bon pain", datetime(2026, 7, 12, tzinfo=UTC))
    ]


BLOCK = (
    '{"@type": "Review", "url": "https://a.fr//b", "reviewBody": "Bon, } /* et */ \\"pas cher\\" <!-- ni", "name": "a"}'
)


@pytest.mark.parametrize(
    "block",
    [
        BLOCK, f"<!-- {BLOCK} -->", f"<!-- De Léa -->\n{BLOCK}", f"//<![CDATA[\n{BLOCK}\n//]]>", f"/*<![CDATA[*/{BLOCK}/*]]>*/",
        f'// de "Léa\n{BLOCK};', BLOCK[:-1] + ', // date\n // "x": 1\n }', BLOCK.replace('"name": "a"', '"x": [1, 2 , ]'),
        '{&quot;@type&quot;: &quot;Review&quot;, &quot;reviewBody&quot;: &quot;Bon, } /* et */ \\&quot;pas cher\\&quot; &lt;!-- ni&quot;}',
    ],
)  # fmt: skip
def test_json_ld_is_read_as_people_write_it(site, block):
    site.pages["/p"] = Answer(f'<script type="application/ld+json">{block}</script>'.encode())
    assert [one.text for one in poll("page", site).found] == [text_of('Bon, } /* et */ "pas cher" <!-- ni')]


EXAMPLES = sorted((SHARED / "inputs" / "pages" / "schema.org").glob("*.rdfa.html"))


@pytest.mark.skipif(not EXAMPLES, reason="schema.org's examples are absent (../shared/inputs/pages)")
def test_json_ld_microdata_and_rdfa_say_the_same(site):
    told = Counter()
    for example in EXAMPLES:
        said = []
        for syntax in ("json", "microdata", "rdfa"):
            site.pages["/p"] = Answer(example.with_name(f"{example.name.split('.')[0]}.{syntax}.html").read_bytes())
            brought = poll("page", site)
            told[syntax] += len(brought.found) + len(brought.aggregates)
            said.append((brought.found, brought.aggregates))
        assert said[0] == said[1] == said[2], example.name
    assert told["rdfa"] > 8, "the examples hold reviews and averages"


def test_the_firms_own_page_is_told_what_it_lacks(site):
    site.pages.update(RECORDED["page"].pages)
    assert poll("page", site).findings == ("no_https", "no_phone_layout", "no_telephone")


def test_robots_txt_is_obeyed(site):
    site.pages.update(RECORDED["page"].pages)
    site.pages["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /p\n")
    with pytest.raises(SourceError, match=r"robots\.txt"):
        poll("page", site)
    assert [path for _, path, *_ in site.requests] == ["/robots.txt"]
    site.pages["/robots.txt"] = Answer(b"", 503)
    with pytest.raises(SourceError, match=r"robots\.txt"):
        poll("page", site)


def test_terms_are_kept_by_what_is_collected():
    one = Found(text="Bien", external_id="1")
    (free,) = mentions("co", "so", [one], keep_days=Terms().words_kept)
    (month,) = mentions("co", "so", [one], keep_days=Terms(keep_days=30).words_kept)
    (hidden,) = mentions("co", "so", [one], keep_days=Terms(keep_days=30, display=False).words_kept)
    assert free.expires_at is None
    assert month.expires_at - month.collected_at == timedelta(days=30)
    assert hidden.expires_at == hidden.collected_at, "read, and never stored"


def test_a_platform_that_asks_for_it_is_named():
    assert attribution("google") == "Google"
    assert attribution("woocommerce") is None
    assert attribution(None) is None


PAGED = {
    "woocommerce": ("/wp-json/wc/v3/products/reviews", lambda n: {"id": n, "review": "Bien.", "rating": 4}, list),
    "trustpilot": ("/v1/business-units/u1/reviews", lambda n: {"id": n, "stars": 4}, lambda rows: {"reviews": rows}),
}


@pytest.mark.parametrize("kind", PAGED)
def test_a_first_read_of_many_pages_takes_several_polls(kind, site):
    """So that none runs into its time limit and begins again; each goes on where the last one ended."""
    path, review, answer = PAGED[kind]
    path = RECORDED[kind].path or path

    def page(request):
        number = int(request.path.partition("page=")[2].partition("&")[0])
        rows = [review(n) for n in range((number - 1) * 100, min(number * 100, 1_230))]
        return Answer(json.dumps(answer(rows)).encode())

    site.pages[path] = page
    ids, cursor, polls, has_more = set(), {}, 0, True
    while has_more:
        site.requests.clear()
        brought = poll(kind, site, cursor)
        assert len(site.requests) <= PAGES_A_POLL + 1
        ids |= {one.external_id for one in brought.found}
        cursor, has_more, polls = brought.cursor, brought.more, polls + 1
    assert ids == {str(n) for n in range(1_230)}
    assert polls == 3
    site.requests.clear()
    assert not poll(kind, site, cursor).more
    assert len(site.requests) <= 4, "then only the newest pages are asked for"


def test_googles_first_read_goes_on_from_its_token(site):
    def answer(request):
        number = int(request.path.partition("pageToken=")[2] or 0)
        rows = [
            {"reviewId": f"r{n}", "starRating": "FOUR", "updateTime": f"2026-{12 - n // 50:02}-01T00:00:00Z"}
            for n in range(number * 50, number * 50 + 50)
        ]
        return Answer(json.dumps({"reviews": rows, "nextPageToken": str(number + 1) if number < 11 else ""}).encode())

    site.pages["/v4/accounts/1/locations/2/reviews"] = answer
    ids, cursor, has_more, polls = set(), {}, True, 0
    while has_more:
        brought = poll("google_business", site, cursor)
        ids |= {one.external_id for one in brought.found}
        cursor, has_more, polls = brought.cursor, brought.more, polls + 1
    assert (len(ids), polls) == (600, 3)
    assert cursor == {"until": "2026-12-01T00:00:00+00:00"}
