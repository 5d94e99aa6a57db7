"""A newspaper's, blog's or forum's feed: only what speaks of the firm counts."""

from ingest.http import Web
from ingest.source import Check
from ingest.sources.feed import Feed


class Press(Feed):
    """Any feed that also speaks of others."""

    description = "the feed of a newspaper, blog or forum: only what speaks of the firm counts"
    guarded = True

    def check(self, web: Web, target: str) -> Check | None:
        return None  # a feed is told as `feed`; whether it speaks of others, its owner knows
