"""Full-text search in French and English: words as they stand and as lemmas, without accents, inside one firm.

Our own tokeniser writes what is searched, the firm's own word among it; the databases only index it, so that the same
question gives the same answer on both.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, false, select

from analysis.words import asked_forms, asked_words, word_forms, written
from vigie import db, due
from vigie.db import search
from vigie.db.tables import mention, mention_search

_MOST_WORDS = 10
_LONGEST = 100  # letters of a word: nobody types more, and an index takes no more than 2,000
_BATCH = 500


def finds(company_id: str, q: str) -> ColumnElement[bool]:
    """Whether a mention of this firm holds every word of `q` in title, text or author, inflections and accents aside;
    `serv*` stands for every word that begins so."""
    wanted = _wanted(q)
    return mention.c.id.in_(search.matching([{_firm(company_id)}, *wanted])) if wanted else false()


def finds_among(mention_ids: Select[tuple[str]], q: str) -> ColumnElement[bool]:
    """Whether a mention is one of these, a few thousand at most, and holds every word of `q` as `finds` means it."""
    wanted = _wanted(q)
    is_one = mention_search.c.mention_id.in_(mention_ids)
    holding = select(mention_search.c.mention_id).where(is_one, search.has_words(wanted))
    return mention.c.id.in_(holding) if wanted else false()


def write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make mentions found by what they say now."""
    search.write(connection, [(_number(row["id"]), row["id"], _words(row)) for row in rows])


def remove(connection: Connection, mention_ids: Collection[str]) -> None:
    """Make mentions whose words are gone found by nothing."""
    connection.execute(delete(mention_search).where(mention_search.c.mention_id.in_(mention_ids)))


def scrub(connection: Connection) -> None:
    """Leave no trace of words that were removed."""
    search.scrub(connection)


def fill(engine: Engine) -> int:
    """Once after an upgrade or a restored backup: what was stored before becomes found, some at each call."""
    done = 0
    for timer in due.claim(engine, due.SEARCH, limit=1):
        with db.writing(engine) as connection:
            is_found = select(mention_search.c.mention_id).where(mention_search.c.mention_id == mention.c.id).exists()
            unfound = select(mention).where(~is_found, ~mention.c.expired).limit(_BATCH)
            rows = [dict(row) for row in connection.execute(db.locking(connection, unfound)).mappings()]
            write(connection, rows)
            done = len(rows)
            due.finish(connection, timer, again_at=db.present(connection) if rows else None)
    return done


def _wanted(q: str) -> list[set[str]]:
    """Return for each word of the question the words that answer it."""
    return [words for part in q.split() for words in _asked(part)][:_MOST_WORDS]


def _asked(part: str) -> list[set[str]]:
    """For each word of a part of the question, the words that answer it."""
    words = asked_words(part)
    answers = [set(map(_token, asked_forms(word))) for word in words]
    return [*answers[:-1], {_token(words[-1]) + "*"}] if words and part.endswith("*") else answers


def _words(row: Mapping[str, Any]) -> str:
    said = " ".join(filter(None, (row["title"], row["text"], row["author"])))
    language = "en" if row["language"] == "en" else "fr"
    tokens = chain.from_iterable([_tokens(word, language) for word in written(said)])
    return " ".join([_firm(row["company_id"]), *dict.fromkeys(tokens)])


def _firm(company_id: str) -> str:
    return "f" + company_id.encode().hex()


@lru_cache(maxsize=30_000)
def _tokens(word: str, language: str) -> tuple[str, ...]:
    return tuple(map(_token, word_forms(word, language)))


def _token(word: str) -> str:
    """A word in letters that no database takes apart."""
    word = word[:_LONGEST]
    return f"w{word}" if word.isascii() and word.isalnum() else f"x{word.encode('utf-8', 'surrogatepass').hex()}"


def _number(mention_id: str) -> int:
    """63 bits of the id's digest."""
    return int.from_bytes(hashlib.blake2b(mention_id.encode(), digest_size=8).digest()) >> 1
