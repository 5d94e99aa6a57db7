"""One recorded or invented exchange for each kind of source that is polled; the contract suite runs them all.

A kind without an entry here fails the suite: a new source brings its own.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.web import Answer

GOOGLE_REVIEWS = {
    "reviews": [
        {"reviewId": "r1", "reviewer": {"displayName": "Sandrine M."}, "starRating": "TWO",
         "comment": "Attente trop longue.\n\n(Translated by Google)\nToo long a wait.",
         "createTime": "2026-11-20T09:00:00Z", "updateTime": "2026-11-20T09:00:00Z",
         "reviewReply": {"comment": "Nous sommes désolés.", "updateTime": "2026-11-21T09:00:00Z"}},
        {"reviewId": "r2", "reviewer": {"displayName": "x", "isAnonymous": True}, "starRating": "FIVE",
         "createTime": "2026-11-19T09:00:00Z", "updateTime": "2026-11-19T09:00:00Z"},
    ],
    "averageRating": 4.3, "totalReviewCount": 127,
}  # fmt: skip

RSS = """<rss version="2.0"><channel><title>T</title>
<item><guid>1</guid><title>{0}</title><link>{1}</link><description>{2}</description>
<pubDate>Fri, 20 Nov 2026 09:00:00 GMT</pubDate></item></channel></rss>"""

PAGE = """<html><head><title>Boulangerie Mercier</title>
<script type="application/ld+json">{"broken": </script>
<script type="application/ld+json">{"@context":"https://schema.org","@graph":[{"@type":"Bakery","name":"Mercier",
"aggregateRating":{"@type":"AggregateRating","ratingValue":"8,6","bestRating":10,"ratingCount":42},
"review":[{"@type":"Review","author":{"@type":"Person","name":"Sandrine"},"datePublished":"2026-11-20",
"reviewBody":"Très bon pain &amp; accueil","reviewRating":{"@type":"Rating","ratingValue":4}},
{"@type":"Review","author":"Karim","reviewBody":"Trop cher","reviewRating":{"ratingValue":"2"}}]}]}</script></head>
<body><div itemscope itemtype="https://schema.org/Review"><span itemprop="author">Léa</span>
<p itemprop="reviewBody">Attente</p><span itemprop="reviewRating" itemscope itemtype="https://schema.org/Rating">
<meta itemprop="ratingValue" content="6"><meta itemprop="bestRating" content="10"></span></div></body></html>"""


@dataclass
class Recorded:
    """Pages by path, the target and options for a site, and what must come out: texts or titles with their rating."""

    pages: dict[str, Answer]
    target: Callable[[str], str]
    expected: list[tuple[str, float | None]]
    options: Callable[[str], dict] = field(default=lambda url: {})
    # a path whose answer may be anything, for hostile answers
    path: str = ""


def _json(data) -> Answer:
    return Answer(json.dumps(data, ensure_ascii=False).encode(), headers={"Content-Type": "application/json"})


def _feed(title, link="https://exemple.fr/1", text=""):
    return Answer(RSS.format(title, link, text).encode())


def _at(path):
    return lambda url: url + path


RECORDED: dict[str, Recorded] = {
    "feed": Recorded({"/f": _feed("Bon pain", text="Très bon pain")}, _at("/f"), [("Très bon pain", None)]),
    "press": Recorded({"/f": _feed("Bon pain", text="Très bon pain")}, _at("/f"), [("Très bon pain", None)]),
    "google_news": Recorded(
        {"/f": _feed("Le fournil primé - Le Populaire", text="&lt;a href='x'&gt;Le fournil primé&lt;/a&gt; Le Populaire")},
        _at("/f"), [("Le fournil primé", None)],
    ),
    "google_alerts": Recorded(
        {"/f": _feed("&lt;b&gt;Mercier&lt;/b&gt; primé", "https://www.google.com/url?rct=j&amp;url=https://journal.fr/a&amp;ct=ga")},
        _at("/f"), [("Mercier primé", None)],
    ),
    "youtube": Recorded({"/f": _feed("Visite du fournil")}, _at("/f"), [("Visite du fournil", None)]),
    "mastodon": Recorded({"/f": _feed("", text="Le pain de #Mercier")}, _at("/f"), [("Le pain de #Mercier", None)]),
    "wordpress": Recorded({"/comments/feed/": _feed("Par Karim", text="Merci !")}, lambda url: url, [("Merci !", None)]),
    "page": Recorded(
        {"/p": Answer(PAGE.encode())}, _at("/p"),
        [("Très bon pain & accueil", 4.0), ("Trop cher", 2.0), ("Attente", 3.0)], lambda url: {"own": "yes"},
    ),
    "app_store": Recorded(
        {"/fr/rss/customerreviews/id=123/page=1/sortby=mostrecent/json": _json({"feed": {"entry": {
            "id": {"label": "9"}, "title": {"label": "Pratique"}, "content": {"label": "On commande vite"},
            "author": {"name": {"label": "Léa"}}, "im:rating": {"label": "4"}}}})},
        lambda url: "123", [("On commande vite", 4.0)], lambda url: {"base": url},
        "/fr/rss/customerreviews/id=123/page=1/sortby=mostrecent/json",
    ),
    "google_business": Recorded(
        {"/v4/accounts/1/locations/2/reviews": _json(GOOGLE_REVIEWS)}, lambda url: "accounts/1/locations/2",
        [("Attente trop longue.", 2.0), ("", 5.0)], lambda url: {"base": url, "token": "t"},
    ),
    "trustpilot": Recorded(
        {"/v1/business-units/abc/reviews": _json({"reviews": [
            {"id": "t1", "stars": 3, "title": "Moyen", "text": "Livraison lente", "language": "fr",
             "createdAt": "2026-11-20T09:00:00Z", "consumer": {"displayName": "Karim"}, "companyReply": None}]})},
        lambda url: "abc", [("Livraison lente", 3.0)], lambda url: {"base": url, "key": "k"},
    ),
    "avis_verifies": Recorded(
        {"/fr/cache/9/a/b/9abcdef/AWS/WEBSITE_API/reviews.json": _json([
            {"id_review": "v1", "firstname": "Léa", "lastname": "Martin", "email": "lea@example.fr", "order_ref": "C1",
             "review": "Parfait, écrivez-moi à lea@example.fr", "rate": "5",
             "review_date": "2026-11-18T10:11:12.0000000 +01:00", "publish_date": "2026-11-20T10:11:12.0000000 +01:00",
             "moderation": [{"comment": "Merci !", "comment_origin": "1"}]}])},
        lambda url: "9abcdef", [("Parfait, écrivez-moi à …", 5.0)], lambda url: {"base": url},
    ),
    "woocommerce": Recorded(
        {"/wp-json/wc/v3/products/reviews": _json([
            {"id": 7, "date_created_gmt": "2026-11-20T09:00:00", "review": "<p>Belle qualité</p>\n", "rating": 4,
             "reviewer": "Léa", "reviewer_email": "lea@example.fr"},
            {"id": 8, "date_created_gmt": "2026-11-20T09:00:00", "review": "<p>Bien</p>", "rating": 0, "reviewer": "K"}])},
        lambda url: url, [("Belle qualité", 4.0), ("Bien", None)], lambda url: {"key": "k", "secret": "s"},
    ),
}  # fmt: skip
for one in RECORDED.values():
    one.path = one.path or next(iter(one.pages))
