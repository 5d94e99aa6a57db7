"""The same question finds the same mentions on both databases, and what Python's own reading of it finds."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from sqlalchemy import delete, func, select

from analysis import reading, search, store
from analysis.words import asked_forms, asked_words, forms
from tests.pipeline import SHARED
from vigie import companies, db, due
from vigie.db.migrate import migrate
from vigie.db.tables import due as timers
from vigie.db.tables import mention, mention_search
from vigie.events import Mention, Origin

AUTHOR = "Nadia Ben Saïd"
NOW = datetime.now(UTC)
SAID = {
    "serveuse": "Les serveuses étaient adorables, l'accueil parfait.",
    "queue": "Trop de queue, j'ai attendu 20 minutes !",
    "english": "The waiters were lovely and the queues were short.",
    "cyrillic": "Отличная пекарня, рекомендую",
    "chinese": "非常好吃",
    "odd": "AND OR NOT NEAR(a b) \"'; DROP TABLE mention; -- <b>100%</b> a_b C++ 1e5 00123 3.14 e-mail@example.fr",
    "oe": "Un cœur sur la main, des œufs frais, peut-être aujourd’hui.",
    "emoji": "❤️❤️ 👍🏽",
    "empty": "",
    "long": "a" * 5_000 + " aigu",
}
ASKED = {
    "serveuse": {"serveuse"},
    "SERVEUSES adorable": {"serveuse"},
    "l'accueil": {"serveuse"},
    "accueil attendu": set(),
    "attendre": {"queue"},
    "queue": {"queue", "english"},
    "waiter": {"english"},
    "отличная": {"cyrillic"},
    "отли*": {"cyrillic"},
    "非常*": {"chinese"},
    "coeur oeuf": {"oe"},
    "cœurs": {"oe"},
    "peut-être": {"oe"},
    "aujourd'hui": {"oe"},
    "and or not near": {"odd"},
    "100%": {"odd"},
    "c++ 1e5": {"odd"},
    "00123 3.14": {"odd"},
    "e-mail@example.fr": {"odd"},
    "drop table": {"odd"},
    "a_b": {"odd"},
    "'); DROP TABLE mention; --": {"odd"},
    "* * *": set(),
    '"': set(),
    "❤️": set(),
    "a" * 200: {"long"},
    "aig*": {"long"},
    "nadia serveuse": {"serveuse"},
}


def add(engine, firm, said):
    rows = [
        store.row_of(
            firm,
            Origin("so_1", "push", "API"),
            Mention(id=firm["id"] + name, text=text, author=AUTHOR, collected_at=NOW,
                    published_at=NOW - timedelta(days=number)),
            reading.read(text, rating=None),
            "never",
        )
        for number, (name, text) in enumerate(said.items())
    ]  # fmt: skip
    with db.writing(engine) as connection:
        store.store(connection, rows)


def firm_of(engine, name="Boulangerie", **values):
    with db.writing(engine) as connection:
        return dict(companies.get(connection, companies.add(connection, name, **values)))


def found(engine, firm, q):
    ours = select(mention.c.id).where(mention.c.company_id == firm["id"], search.finds(firm["id"], q))
    with db.reading(engine) as connection:
        return {one.removeprefix(firm["id"]) for one in connection.scalars(ours)}


@pytest.fixture
def firm(engine):
    return firm_of(engine)


def test_words_are_found_whatever_their_inflection_and_nothing_asked_is_taken_for_syntax(engine, firm):
    add(engine, firm, SAID)
    assert {q: found(engine, firm, q) for q in ASKED} == ASKED


def test_no_firm_finds_the_words_of_another(engine, firm):
    other = firm_of(engine, "Garage")
    add(engine, firm, {"ours": "Attente horrible"})
    add(engine, other, {"theirs": "Attente horrible"})
    assert (found(engine, firm, "attente"), found(engine, other, "attente")) == ({"ours"}, {"theirs"})
    named = search._firm(other["id"])
    assert found(engine, firm, named) == found(engine, firm, f"{named}*") == set()


def test_an_edition_changes_what_is_found_and_a_removed_mention_is_found_no_more(engine, firm):
    add(engine, firm, {"a": "Attente horrible"})
    with db.writing(engine) as connection:
        known = dict(connection.execute(select(mention)).mappings().one())
        edited = {**known, "text": "Brioche superbe", "content_hash": "x", "edition_at": NOW + timedelta(1)}
        store.store(connection, [edited])
    assert (found(engine, firm, "attente"), found(engine, firm, "brioche")) == (set(), {"a"})
    with db.writing(engine) as connection:
        connection.execute(delete(mention))
        assert connection.scalar(select(func.count()).select_from(mention_search)) == 0
    assert found(engine, firm, "brioche") == set()


def test_what_was_stored_before_the_index_is_filled_in(engine, firm, monkeypatch):
    add(engine, firm, SAID)
    with db.writing(engine) as connection:
        connection.execute(delete(mention_search))
        due.schedule(connection, due.SEARCH, ["mentions"])
    monkeypatch.setattr(search, "_BATCH", 4)
    while search.fill(engine):
        pass
    assert {q: found(engine, firm, q) for q in ASKED} == ASKED
    with db.reading(engine) as connection:
        assert connection.scalar(select(func.count()).where(timers.c.kind == due.SEARCH)) == 0


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="needs the labelled texts of ../shared/data")
@pytest.mark.parametrize("language", ["fr", "en"])
def test_texts_of_strangers_are_found_by_their_words(engine, firm, language):
    with gzip.open(SHARED / "data" / f"sentiment_{language}.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = {str(number): json.loads(line)["text"] for number, line in enumerate(islice(lines, 200))}
    add(engine, firm, texts)
    words = {name: set(asked_words(text)) for name, text in texts.items()}
    for q in sorted(set().union(*words.values()))[::40]:
        answered = found(engine, firm, q)
        assert {name for name, said in words.items() if q in said} <= answered
        same = {name for name, text in texts.items() if asked_forms(q) & forms(f"{text} {AUTHOR}", language)}
        assert answered == same


def test_removed_words_are_in_no_byte_of_the_index(tmp_path):
    path = tmp_path / "vigie.db"
    engine = db.connect(f"sqlite:///{path}")
    migrate(engine)
    firm = firm_of(engine)
    add(engine, firm, {"a": "Xylophonissimo !", "b": "Brioche"})
    assert b"xylophonissimo" in held(path)
    with db.writing(engine) as connection:
        connection.execute(delete(mention).where(mention.c.id == firm["id"] + "a"))
        search.scrub(connection)
    db.scrub(engine)
    engine.dispose()
    assert b"xylophonissimo" not in held(path)
    assert found(engine, firm, "brioche") == {"b"}


def held(path):
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))
