"""Authors by a pseudonym, for firms that ask for it: known again within the firm, and named nowhere.

A pseudonym is a keyed hash of the name (HMAC, RFC 2104), so that nobody without the installation's secret can tell
whose it is, or that two firms have the same customer.
"""

import hashlib
import hmac
import re
import unicodedata
from base64 import b32encode
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache

from sqlalchemy import Connection, select

from vigie.db.tables import company
from vigie.events import Mention

_MADE = re.compile(r"client-[a-z2-7]{10}")
_NAME = re.compile(r"[^\W\d_]{3,}")
_HIDDEN = "[…]"


def wanted(connection: Connection, company_ids: Collection[str]) -> set[str]:
    """Those of the firms that ask for it."""
    ask = select(company.c.id).where(company.c.id.in_(sorted(company_ids)), company.c.pseudonyms)
    return set(connection.scalars(ask))


@lru_cache(maxsize=10_000)
def pseudonym(key: str, company_id: str, name: str) -> str:
    """The pseudonym of a name; capitals, accents and spaces aside. That of a pseudonym is itself."""
    if _MADE.fullmatch(name):
        return name
    plain = "".join(one for one in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(one))
    text = "\x1f".join(("pseudonym", company_id, " ".join(plain.split())))
    digest = hmac.new(key.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return f"client-{b32encode(digest)[:10].decode().lower()}"


def masked(key: str, company_id: str, mention: Mention) -> Mention:
    """The mention under its author's pseudonym; where its words name the author too, that is hidden."""
    if not mention.author or _MADE.fullmatch(mention.author):
        return mention
    names = "|".join(sorted(map(re.escape, set(_NAME.findall(mention.author))), key=len, reverse=True))
    spoken = re.compile(rf"\b(?:{names})\b", re.I) if names else None

    def hidden(text: str) -> str:
        return spoken.sub(lambda found: _HIDDEN if found[0][0].isupper() else found[0], text) if spoken else text

    return replace(
        mention,
        author=pseudonym(key, company_id, mention.author),
        text=hidden(mention.text),
        title=mention.title and hidden(mention.title),
        reply=mention.reply and hidden(mention.reply),
        translation=mention.translation and hidden(mention.translation),
    )
