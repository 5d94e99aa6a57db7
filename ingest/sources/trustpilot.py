"""Trustpilot, by the API key of a business account (https://developers.trustpilot.com; the path was not verified).

Its service reviews are public; a business account with the Connect module is needed for the key.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ingest.clean import text_of
from ingest.found import Found
from ingest.http import Web
from ingest.moments import iso
from ingest.rating import on_five
from ingest.source import Cursor, Options, Poll, Polled, Terms
from ingest.sources.api import PER_PAGE, get_json, identity, listed, read_pages, text

_BASE = "https://api.trustpilot.com"
_RECENT_PAGES = 3  # once all was read


class Trustpilot(Polled):
    """The firm's reviews on Trustpilot."""

    description = "your Trustpilot reviews, by your own API key"
    target = "the business unit's id"
    platform: str | None = "trustpilot"
    options: Mapping[str, str] = {"key": "the API key, kept encrypted", "base": "another server"}
    secrets = frozenset({"key"})
    terms = Terms(attribution="Trustpilot", benchmark=False)

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        headers = {"apikey": options.get("key", "")}
        url = f"{options.get('base', _BASE)}/v1/business-units/{quote(target, safe='')}/reviews"

        def fetch(page: int) -> list[dict[str, Any]]:
            asked = urlencode({"page": page, "perPage": PER_PAGE, "orderBy": "createdat.desc"})
            data = get_json(web, f"{url}?{asked}", headers)
            return listed(data.get("reviews") if isinstance(data, dict) else None, "reviews")

        return read_pages(cursor, fetch, _review, recent=_RECENT_PAGES)


def _review(data: dict[str, Any]) -> Found | None:
    stars, key = data.get("stars"), identity(data.get("id"))
    if key is None or not isinstance(stars, int | float) or not 1 <= stars <= 5:
        return None
    consumer, answered = data.get("consumer"), data.get("companyReply")
    return Found(
        external_id=key,
        author=text_of(text(consumer.get("displayName"))) or None if isinstance(consumer, dict) else None,
        title=text_of(text(data.get("title")), most=2_000) or None,
        text=text_of(text(data.get("text"))),
        language=(text(data.get("language")) or "")[:2] or None,
        rating=on_five(stars),
        rating_given=f"{stars:g}",
        published_at=iso(data.get("createdAt")),
        updated_at=iso(data.get("updatedAt")),
        reply=text_of(text(answered.get("text"))) or None if isinstance(answered, dict) else None,
        platform="trustpilot",
    )
