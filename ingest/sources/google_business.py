"""Google Business Profile, API v4: the reviews of a listing that the firm owns.

https://developers.google.com/my-business/reference/rest/v4/accounts.locations.reviews/list — at most 50 a page, newest
first. Access is granted by Google on request. Raw texts are kept for 30 days (a commitment of another client of this
API, which we take for ours; Google's own page was not verified).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

from ingest.clean import text_of
from ingest.found import Found
from ingest.http import Web
from ingest.moments import iso
from ingest.rating import on_five
from ingest.source import Aggregate, Cursor, Options, Poll, Polled, Terms
from ingest.sources.api import PAGES_A_POLL, get_json, identity, listed, text
from vigie.errors import SourceError

_BASE = "https://mybusiness.googleapis.com"
_MOST_PAGES = 40
_TARGET = re.compile(r"^accounts/[\w-]+/locations/[\w-]+$")
# How Google joins a translation to the original, both ways round.
_TRANSLATED, _ORIGINAL = "(Translated by Google)", "(Original)"


class GoogleBusiness(Polled):
    """The firm's reviews on Google, by its own access."""

    description = "your Google reviews, by your own access to Google Business Profile"
    target = "accounts/…/locations/…"
    platform: str | None = "google"
    options: Mapping[str, str] = {
        "token": "an OAuth access token (business.manage), kept encrypted",
        "base": "another server",
    }
    secrets = frozenset({"token"})
    terms = Terms(keep_days=30, attribution="Google", benchmark=False)

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        if not _TARGET.match(target):
            raise SourceError("the listing is written accounts/…/locations/…", permanent=True)
        headers = {"Authorization": f"Bearer {options.get('token', '')}"}
        url = f"{options.get('base', _BASE)}/v4/{quote(target)}/reviews"
        found: dict[str, Found] = {}
        aggregates: tuple[Aggregate, ...] = ()
        token = str(cursor.get("token") or "")
        pages_read = int(cursor.get("pages") or 0)
        for _ in range(PAGES_A_POLL):
            asked = {"pageSize": "50", "orderBy": "updateTime desc", **({"pageToken": token} if token else {})}
            data = get_json(web, f"{url}?{urlencode(asked)}", headers)
            if not isinstance(data, dict):
                raise SourceError("its answer holds no reviews")
            aggregates = aggregates or _aggregates(data)
            page = list(_usable(listed(data.get("reviews", []), "reviews")))
            known = [one for one in page if one.external_id in found]
            found |= {one.external_id or str(len(found)): one for one in page if one.external_id not in found}
            token, pages_read = text(data.get("nextPageToken")) or "", pages_read + 1
            # Beyond what the last poll saw, nothing has changed: pages are sorted by their last change.
            is_seen = (known and len(known) == len(page)) or _is_known(page, cursor)
            if not token or is_seen or pages_read >= _MOST_PAGES:
                token = ""
                break
        changes = [one.updated_at for one in found.values()] + [iso(cursor.get("newest"))]
        latest = max((moment for moment in changes if moment), default=None)
        newest = latest.isoformat() if latest else None
        following: Cursor = {"until": newest or cursor.get("until")}
        if token:  # what was known before counts until all pages are read
            following = {"until": cursor.get("until"), "token": token, "newest": newest, "pages": pages_read}
        return Poll(tuple(found.values()), following, aggregates=aggregates, more=bool(token))


def review(data: Any) -> Found:
    """One review in Google's form, as the API and Takeout write it; raises ValueError when it is none."""
    if not isinstance(data, dict):
        raise ValueError("it is no review")
    stars = text(data.get("starRating"))
    rating = None if stars in {None, "STAR_RATING_UNSPECIFIED"} else on_five(stars)
    words, translation = split_translation(text(data.get("comment")) or "")
    if not words and rating is None:
        raise ValueError("it has neither text nor rating")
    reviewer = data.get("reviewer")
    reviewer = reviewer if isinstance(reviewer, dict) else {}
    answered = data.get("reviewReply")
    reply = text(answered.get("comment")) if isinstance(answered, dict) else None
    name = text(data.get("name")) or ""
    return Found(
        external_id=identity(data.get("reviewId")) or name.rpartition("/")[2] or None,
        author=None if reviewer.get("isAnonymous") is True else text_of(text(reviewer.get("displayName"))) or None,
        text=text_of(words),
        translation=text_of(translation) or None,
        rating=rating,
        rating_given=stars if rating is not None else None,
        published_at=iso(data.get("createTime")),
        updated_at=iso(data.get("updateTime")),
        reply=text_of(split_translation(reply or "")[0]) or None,
        platform="google",
    )


def _usable(reviews: list[dict[str, Any]]) -> Iterator[Found]:
    """A review that cannot be read stops no other."""
    for one in reviews:
        with suppress(ValueError):
            yield review(one)


def split_translation(comment: str) -> tuple[str, str | None]:
    """The customer's own words, and Google's translation of them if it is there."""
    before, marker, after = comment.partition(_TRANSLATED)
    if not marker:
        return comment, None
    if before.strip():
        return before.rstrip(), after.strip()
    translation, marker, original = after.partition(_ORIGINAL)
    if marker:
        return original.lstrip(), translation.strip()
    return translation.strip(), None


def _aggregates(data: dict[str, Any]) -> tuple[Aggregate, ...]:
    average, count = data.get("averageRating"), data.get("totalReviewCount")
    if isinstance(average, int | float) and isinstance(count, int) and 0 < average <= 5 and count > 0:
        return (Aggregate(round(float(average), 2), count, f"{average:g}", "google"),)
    return ()


def _is_known(page: list[Found], cursor: Cursor) -> bool:
    until = iso(cursor.get("until"))
    return (
        until is not None and bool(page) and all(one.updated_at is not None and one.updated_at <= until for one in page)
    )
