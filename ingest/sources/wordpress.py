"""The comments on the firm's own WordPress site."""

from ingest.http import Web
from ingest.source import Check
from ingest.sources.feed import Feed


class WordPress(Feed):
    """`{site}/comments/feed/`, the latest ten or so."""

    description = "comments on your own WordPress site"
    target = "the address of the site"

    def address(self, target: str) -> str:
        return target if "/feed" in target else f"{target.rstrip('/')}/comments/feed/"

    def check(self, web: Web, target: str) -> Check | None:
        return None  # `feed` tells what the site names
