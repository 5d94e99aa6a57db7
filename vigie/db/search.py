"""The index of words, which the two databases keep and ask in different ways, with one meaning.

A word is made of a to z and 0 to 9 and begins with a letter, so that neither database has an opinion about it.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FunctionElement, Select, String, and_, literal, or_, select, text
from sqlalchemy.ext.compiler import compiles

from vigie.db.engine import upsert
from vigie.db.tables import mention_search

# The table, SQLite's index of it, and the tables in which that index lies: all derived from mentions.
PREFIX = mention_search.name


# In one statement, and in ascending order: FTS5 writes what it holds to its index at each savepoint, which a statement
# with a trigger begins with, and whenever a number is less than the last.
_WRITE = text(f"""
    INSERT INTO {PREFIX} (number, mention_id, words)
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:rows) WHERE true
    ON CONFLICT (number) DO UPDATE SET mention_id = excluded.mention_id, words = excluded.words""")


def write(connection: Connection, rows: Sequence[tuple[int, str, str]]) -> None:
    """Set the words of mentions: number, id and words of each."""
    rows = sorted(rows)
    if connection.dialect.name == "sqlite":
        connection.execute(_WRITE, {"rows": json.dumps(rows)})
    else:
        names = [column.name for column in mention_search.columns]
        upsert(connection, mention_search, [dict(zip(names, row, strict=True)) for row in rows], update=names[1:])


def matching(wanted: Sequence[Collection[str]]) -> Select[Any]:
    """The ids of the mentions that hold, of each group, at least one word; `word*` is any word that begins so.

    On PostgreSQL the index answers first: its planner takes a rare word for a frequent one, and then walks over all
    mentions of a firm.
    """
    found = select(mention_search.c.mention_id).where(_Matches(wanted)).cte("found")
    return select(found.prefix_with("MATERIALIZED", dialect="postgresql").c.mention_id)


def has_words(wanted: Sequence[Collection[str]]) -> ColumnElement[bool]:
    """Whether the words of a row of `mention_search` match, told without the index: for a few rows at a time."""
    words = literal(" ").concat(mention_search.c.words).concat(" ")
    groups = [or_(*(words.like(_pattern(word)) for word in sorted(group))) for group in wanted]
    return and_(*groups)


def _pattern(word: str) -> str:
    return f"% {word[:-1]}%" if word.endswith("*") else f"% {word} %"


def scrub(connection: Connection) -> None:
    """Leave no trace of removed words in SQLite's index; PostgreSQL's VACUUM does so in time."""
    if connection.dialect.name == "sqlite":
        connection.execute(text(f"INSERT INTO {PREFIX}_index ({PREFIX}_index) VALUES ('rebuild')"))


def drop(connection: Connection) -> None:
    """Remove the table and its index, where they are."""
    for name in (f"{PREFIX}_index", PREFIX):
        connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


class _Matches(FunctionElement[Any]):
    inherit_cache = True

    def __init__(self, wanted: Sequence[Collection[str]]) -> None:
        fts5 = " AND ".join(f"({' OR '.join(sorted(group))})" for group in wanted)
        tsquery = " & ".join(f"({' | '.join(sorted(group))})" for group in wanted).replace("*", ":*")
        super().__init__(literal(fts5, String), literal(tsquery, String))


@compiles(_Matches, "sqlite")
def _matches_sqlite(element: _Matches, compiler: Any, **kwargs: Any) -> str:
    asked, _ = element.clauses
    index = f"{PREFIX}_index"
    return f"{PREFIX}.number IN (SELECT rowid FROM {index} WHERE {index} MATCH {compiler.process(asked, **kwargs)})"


@compiles(_Matches, "postgresql")
def _matches_postgresql(element: _Matches, compiler: Any, **kwargs: Any) -> str:
    _, asked = element.clauses
    words = f"to_tsvector('simple'::regconfig, {PREFIX}.words)"
    return f"{words} @@ to_tsquery('simple'::regconfig, {compiler.process(asked, **kwargs)})"
