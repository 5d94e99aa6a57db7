"""Strangers' markup into plain text: nothing that is shown later was ever markup."""

import html
import re
import unicodedata
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from vigie.events import MOST_TEXT

_BREAKS = re.compile(r"</?(?:p|div|br|li|tr|h[1-6]|blockquote|section|article)\b[^>]*>", re.I)
_UNSEEN = re.compile(r"<(script|style|template|noscript|iframe|svg|math)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_MARKUP = re.compile(r"<[a-zA-Z!/?]|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]\w+);")
_SPACES = re.compile(r"[^\S\n\u00a0\u202f]+")
_LINES = re.compile(r" ?\n[ \n]*")
_MOST_MARKUP = 400_000  # what is read of one entry: twenty times what is kept


def plain(text: str | None, *, most: int = MOST_TEXT) -> str:
    """`text` as it was written: no character but those that cannot be stored is lost, and it is at most `most` long."""
    if not text:
        return ""
    kept = "".join(letter for letter in text[: most * 4] if letter in "\n\t" or not _is_control(letter))
    return _folded(kept)[:most]


def text_of(markup: str | None, *, most: int = MOST_TEXT) -> str:
    """What a reader sees of `markup` (HTML, or text that holds none)."""
    if not markup:
        return ""
    markup = markup[:_MOST_MARKUP]
    if not _MARKUP.search(markup):
        return plain(markup, most=most)
    body = LexborHTMLParser(_BREAKS.sub(lambda tag: "\n" + tag[0], _UNSEEN.sub(" ", markup))).body
    return plain(body.text(deep=True) if body else html.unescape(markup), most=most)


def link(address: str | None) -> str | None:
    """A web address that may be shown as a link; None for `javascript:`, `data:` and whatever else is none."""
    address = (address or "").strip()
    if not address or len(address) > 4_000 or any(_is_control(letter) or letter.isspace() for letter in address):
        return None
    try:
        parts = urlsplit(address)
        return address if parts.scheme.lower() in {"http", "https"} and parts.hostname else None
    except ValueError:
        return None


def _is_control(letter: str) -> bool:
    return letter != "\u200d" and unicodedata.category(letter) in {"Cc", "Cs"}


def _folded(text: str) -> str:
    return _LINES.sub("\n", _SPACES.sub(" ", text)).strip()
