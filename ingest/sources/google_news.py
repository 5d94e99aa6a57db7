"""Google News, searched by words. The feed is undocumented by Google; its form is that of public clients."""

from dataclasses import replace
from urllib.parse import urlencode

from ingest.found import Found
from ingest.http import Answer
from ingest.sources.feed import Preset, is_address

_SEARCH = "https://news.google.com/rss/search"


class GoogleNews(Preset):
    """The press, by words: `"Boulangerie Mercier" Limoges`."""

    kind, host = "google_news", "news.google.com"
    description = "press articles that Google News finds for some words"
    target = "the words to search, such as '\"Boulangerie Mercier\" Limoges'"
    guarded = True

    def address(self, target: str) -> str:
        if is_address(target):
            return target
        return f"{_SEARCH}?{urlencode({'q': target, 'hl': 'fr', 'gl': 'FR', 'ceid': 'FR:fr'})}"

    def read(self, answer: Answer) -> tuple[Found, ...]:
        return tuple(_tidied(one) for one in super().read(answer))


def _tidied(one: Found) -> Found:
    """The paper's name ends the title, and the text is the title once more."""
    title, dash, paper = (one.title or "").rpartition(" - ")
    if not dash:
        return one
    text = "" if one.text.startswith(title) else one.text
    return replace(one, title=title, author=one.author or paper, text=text)
