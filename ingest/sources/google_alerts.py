"""A Google Alert delivered as a feed, as its owner makes it by hand on google.com/alerts."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from ingest.clean import link
from ingest.found import Found
from ingest.http import Answer
from ingest.sources.feed import Preset


class GoogleAlerts(Preset):
    """What Google finds for an alert; links lead to the page itself, not through Google."""

    kind, host = "google_alerts", "google.com"
    description = "a Google Alert delivered as a feed"
    target = "the address of the alert's feed (google.com/alerts, delivery: RSS feed)"
    guarded = True

    def read(self, answer: Answer) -> tuple[Found, ...]:
        return tuple(replace(one, url=unwrapped(one.url)) for one in super().read(answer))


def unwrapped(url: str | None) -> str | None:
    """Where a link through google.com/url leads."""
    parts = urlsplit(url or "")
    if not (parts.hostname or "").removeprefix("www.").startswith("google.") or parts.path != "/url":
        return url
    asked = parse_qs(parts.query)
    return link((asked.get("url") or asked.get("q") or [""])[0]) or url
