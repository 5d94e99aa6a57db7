"""Names that people give: of companies, persons, sources, rules, locations and saved filters.

A name stands in subjects, mails and logs. With a line break it could pretend to be a text of the host's own; with a
control character it could move a terminal's cursor, with a bidirectional one change the order of what stands beside it.
"""

import unicodedata

from vigie.errors import InvalidInputError

# Control characters, surrogates, line and paragraph separators (Unicode general categories).
_REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
# Embeddings, overrides and isolates of the bidirectional algorithm (Unicode Standard Annex 9, 2).
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_name(name: str) -> str:
    """Return `name` as it is; raise `InvalidInputError` for one with line breaks or control characters."""
    for letter in name:
        if unicodedata.category(letter) in _REFUSED_CATEGORIES or letter in BIDI_CONTROLS:
            raise InvalidInputError("a name is one line, without control characters")
    return name
