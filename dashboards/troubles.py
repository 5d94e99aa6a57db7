"""What went wrong, in the reader's language: the code's errors are English, and some of them are for an owner.

`locales/fr/troubles.po` names what varies in a message; what stands there may be such a message itself
("line 3: the rating is not a number").
"""

import re
from functools import lru_cache
from importlib.resources import files
from io import StringIO

from babel.messages.pofile import read_po

_VARYING = re.compile(r"%\\?\((\w+)\\?\)s")


def told(message: str, language: str) -> str:
    """`message` in `language`; one that the catalogue does not know stays as it is."""
    for pattern, words in _catalogue(language):
        if match := pattern.fullmatch(message):
            return words % {name: told(_unquoted(said), language) for name, said in match.groupdict().items()}
    return message


def _unquoted(said: str) -> str:
    """Python's quotation marks become French ones."""
    return f"«\u00a0{said[1:-1]}\u00a0»" if len(said) > 1 and said[0] == said[-1] == "'" else said


@lru_cache(maxsize=4)
def _catalogue(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Each message as a pattern, with its translation; those that say most come first."""
    if language == "en":
        return []
    text = files("dashboards").joinpath("locales", language, "troubles.po").read_text(encoding="utf-8")
    pairs = [(str(one.id), str(one.string)) for one in read_po(StringIO(text)) if one.id]
    pairs.sort(key=lambda pair: -len(_VARYING.sub("", pair[0])))
    return [(re.compile(_VARYING.sub(r"(?P<\1>.+?)", re.escape(said)), re.S), words) for said, words in pairs]
