"""A hashtag or an account on a Mastodon server, by its public feed (undocumented: mastodon/documentation#836)."""

import re
from urllib.parse import quote

from ingest.sources.feed import Preset, is_address
from vigie.errors import SourceError

_NAMED = re.compile(r"^([#@])([\w.-]+)@([\w.-]+(?::\d+)?)$")


class Mastodon(Preset):
    """Public posts: `#boulangerie@mastodon.social`, or `@mercier@piaille.fr`."""

    kind, host = "mastodon", "mastodon.social"
    description = "public posts with a hashtag, or of an account, on a Mastodon server"
    target = "#tag@server or @account@server"
    guarded = True

    def address(self, target: str) -> str:
        if match := _NAMED.match(target):
            sign, name, server = match.groups()
            return f"https://{server}/{'tags/' if sign == '#' else '@'}{quote(name)}.rss"
        if is_address(target):
            return target
        raise SourceError(f"{target[:80]!r} is neither #tag@server nor @account@server", permanent=True)
