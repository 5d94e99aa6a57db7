"""Strangers' markup into plain text: nothing that is shown later was ever markup."""

import html
import re
from urllib.parse import urlsplit

from ingest.markup import tree_of
from vigie.events import MOST_TEXT
from vigie.names import BIDI_CONTROLS

LONGER = MOST_TEXT + 1
_BREAKS = re.compile(r"</?(?:p|div|br|li|tr|h[1-6]|blockquote|section|article)\b[^<>]*>", re.I)
_UNSEEN = re.compile(r"<(script|style|template|noscript|iframe|svg|math)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_MARKUP = re.compile(r"<[a-zA-Z!/?]|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]\w+);")
_DOUBLE = re.compile("[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u2122]")
# Control characters but tab and line feed, and lone surrogates: nothing that anybody wrote, and not storable.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Embeddings, overrides and isolates would turn what stands beside the words (Unicode Standard Annex 9, 2).
_TURNS = str.maketrans(dict.fromkeys(BIDI_CONTROLS))
_SPACES = re.compile(r"[^\S\n\u00a0\u202f]+")
_LINES = re.compile(r" ?\n[ \n]*")
_ANY_TAG = re.compile(r"<[a-zA-Z!/?][^<>]*>")
_MOST_MARKUP, _MOST_TAGS = 400_000, 4_000  # what is read of one entry: twenty times what is kept


def plain(text: str | None, *, most: int = MOST_TEXT) -> str:
    """`text` as it was written, at most `most` long: nothing is lost but what cannot be stored, and spare spaces."""
    if not text:
        return ""
    return _folded(_CONTROLS.sub("", text[: most * 4]))[:most]


def shown(text: str | None, *, most: int = MOST_TEXT) -> str:
    """Return `text` as `plain` does, without what would change the order of the words beside it on a page."""
    return plain(text.translate(_TURNS), most=most) if text else ""


def text_of(markup: str | None, *, most: int = LONGER) -> str:
    """What a reader sees of `markup` (HTML, or text that holds none).

    Up to `LONGER` than what is kept of a mention's text, so that one that is cut is known as such.
    """
    if not markup:
        return ""
    markup = repaired(markup[:_MOST_MARKUP])
    if not _MARKUP.search(markup):
        return plain(markup, most=most)
    broken = _BREAKS.sub(lambda tag: "\n" + tag[0], _UNSEEN.sub(" ", markup))
    tree = tree_of(broken, most_tags=_MOST_TAGS)
    if tree is None:  # text all the same: without what looks like a tag
        return plain(html.unescape(_ANY_TAG.sub("", broken)), most=most)
    return plain(tree.body.text(deep=True) if tree.body else html.unescape(markup), most=most)


def link(address: str | None) -> str | None:
    """A web address that may be shown as a link; None for `javascript:`, `data:` and whatever else is none."""
    address = (address or "").strip()
    if not address or len(address) > 4_000 or _CONTROLS.search(address) or any(letter.isspace() for letter in address):
        return None
    try:
        parts = urlsplit(address)
        return address if parts.scheme.lower() in {"http", "https"} and parts.hostname else None
    except ValueError:
        return None


def repaired(text: str) -> str:
    """UTF-8 that somebody read as Windows-1252 ("trÃ¨s"), put right; anything that is not surely that stays."""
    if not _DOUBLE.search(text):
        return text
    try:
        return "".join(map(_as_cp1252, text)).encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _as_cp1252(letter: str) -> str:
    """The letter whose code is the byte that Windows-1252 writes for it (five bytes stand for themselves)."""
    try:
        return letter.encode("cp1252").decode("latin-1")
    except UnicodeEncodeError:
        return letter


def _folded(text: str) -> str:
    return _LINES.sub("\n", _SPACES.sub(" ", text)).strip()
