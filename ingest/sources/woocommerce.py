"""Product reviews of the firm's own WooCommerce shop.

https://woocommerce.github.io/woocommerce-rest-api-docs/#product-reviews — HTTP Basic with the shop's own keys. The
answer holds reviewers' e-mail addresses: they are not kept.
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ingest.clean import link, text_of
from ingest.found import Found
from ingest.http import Web
from ingest.moments import iso
from ingest.rating import on_five
from ingest.source import Cursor, Options, Poll, Polled
from ingest.sources.api import PER_PAGE, get_json, identity, listed, read_pages, text

_RECENT_PAGES = 2  # once all was read


class WooCommerce(Polled):
    """Approved product reviews."""

    description = "product reviews of your own WooCommerce shop, by your own keys"
    target = "the address of the shop"
    options: Mapping[str, str] = {
        "key": "the consumer key, kept encrypted",
        "secret": "the consumer secret, kept encrypted",
    }
    secrets = frozenset({"key", "secret"})

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        pair = f"{options.get('key', '')}:{options.get('secret', '')}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        url = f"{target.rstrip('/')}/wp-json/wc/v3/products/reviews"

        def fetch(page: int) -> list[dict[str, Any]]:
            asked = {"page": page, "per_page": PER_PAGE, "orderby": "date_gmt", "order": "desc", "status": "approved"}
            return listed(get_json(web, f"{url}?{urlencode(asked)}", headers), "reviews")

        return read_pages(cursor, fetch, _review, recent=_RECENT_PAGES)


def _review(data: dict[str, Any]) -> Found | None:
    """A rating of 0 is WooCommerce's way to say that none was given."""
    stars, key = data.get("rating"), identity(data.get("id"))
    rating = on_five(stars) if isinstance(stars, int | float) and 1 <= stars <= 5 else None
    said = text_of(text(data.get("review")))
    if key is None or not (said or rating is not None):
        return None
    return Found(
        external_id=key,
        author=text_of(text(data.get("reviewer"))) or None,
        text=said,
        rating=rating,
        rating_given=f"{stars:g}" if rating is not None else None,
        published_at=iso(data.get("date_created_gmt")),
        url=link(text(data.get("product_permalink"))),
    )
