"""The videos of a YouTube channel (its public feed; comments would need a key)."""

import re

from ingest.sources.feed import Preset, is_address
from vigie.errors import SourceError

_CHANNEL = re.compile(r"(?:^|/channel/)(UC[\w-]{22})(?:$|[/?#])")
_FEED = "https://www.youtube.com/feeds/videos.xml?channel_id="


class YouTube(Preset):
    """A channel that may speak of the firm."""

    kind, host = "youtube", "youtube.com"
    description = "new videos of a YouTube channel that may speak of the firm"
    target = "the channel's id (UC…) or its address with /channel/"
    guarded = True

    def address(self, target: str) -> str:
        if match := _CHANNEL.search(target):
            return _FEED + match[1]
        if is_address(target):
            return target
        raise SourceError(f"{target[:80]!r} is no channel: its id begins with UC", permanent=True)
