"""Avis Vérifiés (Skeepers): the file of reviews that a merchant's website id opens, as its public plugins read it.

The file holds customers' e-mail addresses and order numbers: neither is kept. Its dates have seven decimals and a
space before their zone.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ingest.clean import text_of
from ingest.found import Found
from ingest.http import Web
from ingest.moments import written
from ingest.rating import on_five
from ingest.source import Cursor, Options, Poll, Polled, Terms
from ingest.sources.api import get_json, identity, listed, text
from vigie.errors import SourceError

_BASE = "https://cl.avis-verifies.com"
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,190}")


class AvisVerifies(Polled):
    """The shop's reviews, whole at each poll."""

    description = "your Avis Vérifiés reviews, by your website id"
    target = "the website id (a long key of letters and digits)"
    platform: str | None = "avis_verifies"
    options: Mapping[str, str] = {"base": "another server"}
    terms = Terms(attribution="Avis Vérifiés", benchmark=False)

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        if not re.fullmatch(r"[\w-]{6,128}", target):
            raise SourceError("the website id holds letters, digits and dashes only", permanent=True)
        folders = "/".join(target[:3])
        url = f"{options.get('base', _BASE)}/fr/cache/{folders}/{quote(target)}/AWS/WEBSITE_API/reviews.json"
        reviews = listed(get_json(web, url), "reviews")
        return Poll(tuple(one for one in map(_review, reviews) if one is not None))


def _review(data: dict[str, Any]) -> Found | None:
    rate, key = data.get("rate"), identity(data.get("id_review"))
    try:
        rating = on_five(rate)
    except ValueError:
        return None
    if key is None or rating is None:
        return None
    said = text_of(text(data.get("review")))
    first, last = text(data.get("firstname")), text(data.get("lastname"))
    return Found(
        external_id=key,
        author=text_of(" ".join(filter(None, (first, f"{last[0]}." if last else None)))) or None,
        text=_MAIL.sub("…", said),
        rating=rating,
        rating_given=str(rate),
        experienced_at=written(data.get("review_date")),
        published_at=written(data.get("publish_date")) or written(data.get("review_date")),
        reply=_reply(data.get("moderation")),
        platform="avis_verifies",
    )


def _reply(exchange: Any) -> str | None:
    """The merchant's last word; "3" is the customer."""
    said = [one for one in exchange if isinstance(one, dict)] if isinstance(exchange, list) else []
    ours = [text(one.get("comment")) for one in said if str(one.get("comment_origin")) != "3"]
    return text_of(ours[-1]) or None if ours else None
