"""HTML into a tree, where that ends in good time.

An element that is opened inside a hundred thousand others costs the parser a walk through all of them, and an attribute
a comparison with all others of its tag: markup is measured before it is parsed. Elements that a browser closes by
itself (`<p>`, `<li>`) do not nest.
"""

import re
from collections import Counter

from selectolax.lexbor import LexborHTMLParser

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_FLAT_TAGS = frozenset(
    """area base br col embed hr img input link meta param source track wbr
    p li dt dd td th tr thead tbody tfoot option optgroup rb rt rp""".split()
)
_MAX_DEPTH = 2_000
# Of one tag. What looks like a tag in a script may go on for hundreds of words.
_MAX_ATTRIBUTES = 1_000
# A name, and a value if there is one (html.spec.whatwg.org, 13.2.5.33). Possessive, so that each place is read once.
_ATTRIBUTE = r"""[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"?|'[^']*+'?|[^\s>]*+))?+"""
_CROWDED_TAG = re.compile(rf"<[a-zA-Z][^\s/>]*+(?:{_ATTRIBUTE}){{{_MAX_ATTRIBUTES + 1}}}+")
MOST_TAGS = 60_000  # of a page


def tree_of(markup: str, *, most_tags: int) -> LexborHTMLParser | None:
    """Return the parsed document, or None for markup that would take long.

    That is more than `most_tags` tags, more than 2,000 elements open at once, or a tag of more than 1,000 attributes.
    """
    if _is_deep(markup, most_tags) or _CROWDED_TAG.search(markup):
        return None
    return LexborHTMLParser(markup)


def _is_deep(markup: str, most_tags: int) -> bool:
    open_elements: Counter[str] = Counter()
    depth = 0
    for count, tag in enumerate(_TAG.finditer(markup)):
        name = tag[2].lower()
        if name in _FLAT_TAGS:
            pass
        elif not tag[1]:
            open_elements[name] += 1
            depth += 1
        elif open_elements[name]:
            open_elements[name] -= 1
            depth -= 1
        if count >= most_tags or depth > _MAX_DEPTH:
            return True
    return False
