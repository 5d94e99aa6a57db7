"""HTML into a tree, where that ends in good time.

An element that is opened inside a hundred thousand others costs the parser a walk through all of them: markup is looked
at before it is parsed. Elements that a browser closes by itself (`<p>`, `<li>`) do not nest.
"""

import re
from collections import Counter

from selectolax.lexbor import LexborHTMLParser

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_FLAT = frozenset(
    """area base br col embed hr img input link meta param source track wbr
    p li dt dd td th tr thead tbody tfoot option optgroup rb rt rp""".split()
)
_MOST_DEPTH = 2_000
MOST_TAGS = 60_000  # of a page


def tree_of(markup: str, *, most_tags: int) -> LexborHTMLParser | None:
    """The parsed document; None for one of more than `most_tags` tags, or of more than 2,000 elements open at once."""
    return LexborHTMLParser(markup) if _is_shallow(markup, most_tags) else None


def _is_shallow(markup: str, most_tags: int) -> bool:
    still_open: Counter[str] = Counter()
    depth = 0
    for count, tag in enumerate(_TAG.finditer(markup)):
        name = tag[2].lower()
        if name in _FLAT:
            pass
        elif not tag[1]:
            still_open[name] += 1
            depth += 1
        elif still_open[name]:
            still_open[name] -= 1
            depth -= 1
        if count >= most_tags or depth > _MOST_DEPTH:
            return False
    return True
