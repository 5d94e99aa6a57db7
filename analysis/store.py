"""Mentions into the database, with their opinions, rollups, alerts and outbox rows, in the caller's transaction.

The old contribution of a mention is read under its row's lock and taken back before the new one is added, so that
rollups equal a recount after any edit, replay, judgement or re-analysis.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, select, update

from analysis import alert_store, copies, rollups, search
from analysis.erasure import Quotes, erase_quotes
from analysis.reading import ANALYSER, Reading
from analysis.relevance import Relevance
from analysis.rollups import Delta, Key, Sums
from analysis.wishes import OTHER
from vigie import audit, clock, db, due, ids
from vigie.db.tables import judgement, learnt, mention, rollup, rollup_pending
from vigie.errors import InvalidInputError, NotFoundError
from vigie.events import Mention, Notify, Origin

Row = dict[str, Any]
FRESH = timedelta(days=7)
_MOST_COMPARED = 1_000
_LONGEST_NAME = 64
_AT_ONCE = 2_000  # rows of a recount held at a time
_WORDS: Row = {
    "text": "", "title": None, "author": None, "reply": None, "translation": None, "because": [], "expired": True,
    "contact": None, "wish": None,
}  # fmt: skip
_LAYOUT = "layout"
STATUSES = ("new", "acknowledged", "done", "aside")
LABELS = ("negative", "neutral", "positive")

_STANDING = {"status", "apart", "copy_of", "relevance", "silent"}
_READ = {"language", "label", "score", "confidence", "mixed", "themes", "because", "analyser", "wishes", "contradicts"}
_CONTENT = {
    "url", "author", "title", "text", "rating", "rating_given", "experienced_at", "updated_at", "reply",
    "published_at", "published_at_known", "day", "edition_at", "content_hash", "source_id", "location_id",
    "platform", "translation", "cut", "layout", "expires_at", "expired", "contact", "wish",
}  # fmt: skip


def row_of(
    company: Mapping[str, Any],
    origin: Origin,
    one: Mention,
    read: Reading,
    notify: Notify,
    about: Relevance | None = None,
) -> Row:
    """A collected mention with its reading, and for a guarded source its relevance, as the row that will be stored."""
    content = {
        "url": one.url,
        "author": one.author,
        "title": one.title,
        "text": one.text,
        "rating": one.rating,
        "rating_given": one.rating_given,
        "experienced_at": one.experienced_at,
        "reply": one.reply,
        "translation": one.translation,
        "contact": one.contact,
        "wish": one.wish,
    }
    known = one.published_at if one.published_at_known else None
    row = {
        "id": one.id,
        "company_id": company["id"],
        "source_id": origin.id,
        "location_id": origin.location_id,
        **content,
        "published_at": one.published_at,
        "published_at_known": one.published_at_known,
        "updated_at": one.updated_at,
        "collected_at": one.collected_at,
        "stored_at": clock.now(),
        "edition_at": one.updated_at or one.collected_at,
        "content_hash": ids.derived(*_hashed(content), known, one.apart),
        "day": clock.day_published(one.published_at, company["timezone"]).isoformat(),
        "platform": one.platform,
        "cut": one.cut,
        "expires_at": one.expires_at,
        "expired": False,
        "apart": one.apart,
        "layout": one.layout,
        "copy_of": None,
        "assigned_to": None,
        **standing(about),
        "silent": notify == "never" or (notify == "fresh" and one.collected_at - one.published_at > FRESH),
        **read_fields(read, one.wish),
    }
    may_be_kept = one.expires_at is None or one.expires_at > one.collected_at
    return row if may_be_kept else row | _wordless(row)


def _hashed(content: Row) -> list[Any]:
    """The content that tells editions apart; a contact or wish takes part only where there is one, so that the hashes
    of earlier releases stay."""
    return [value for name, value in content.items() if name not in {"contact", "wish"} or value is not None]


def standing(about: Relevance | None) -> Row:
    """The part of a row that its relevance decides; nobody doubts what comes from a firm's own sources."""
    if about is None:
        return {"relevance": None, "status": "new"}
    shown = {"score": about.score, "reasons": list(about.reasons)}
    return {"relevance": shown, "status": "new" if about.is_about_us else "aside"}


def read_fields(read: Reading, typed_wish: str | None = None) -> Row:
    """The part of a row that comes from its reading; what was typed as a wish is one, whatever the reading says."""
    wishes = [asdict(wish) for wish in read.wishes]
    if typed_wish:
        wishes.insert(0, {"request": OTHER, "quote": typed_wish})
    return {
        "language": read.language,
        "label": read.label,
        "score": read.score,
        "confidence": read.confidence,
        "mixed": read.mixed,
        "themes": [opinion._asdict() for opinion in read.themes],
        "because": [list(pair) for pair in read.because],
        "wishes": wishes,
        "contradicts": read.contradicts,
        "analyser": ANALYSER,
    }


def store(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Store what is new or newer, with all that follows from it; return those rows."""
    stored = _locked(connection, {row["id"] for row in rows})
    judged = _judgements(connection, {row["id"] for row in rows})
    layouts = _layouts(connection, rows)
    delta: Delta = {}
    new: dict[str, Row] = {}
    changed: dict[str, Row] = {}
    for row in rows:
        known = stored.get(row["id"])
        if known and not _is_newer(row, known):
            continue
        said = layouts.get((row["company_id"], row["layout"]), {}) | judged.get(row["id"], {})
        decided = _judge(_replaced(known, row) if known else row, said)
        _replace(delta, known, decided)
        stored[row["id"]] = decided
        (new if row["id"] in new or not known else changed)[row["id"]] = decided
    _group_copies(connection, delta, new, changed)
    _insert(connection, list(new.values()))
    _update(connection, list(changed.values()), _CONTENT | _READ | _STANDING)
    search.write(connection, [*new.values(), *changed.values()])
    write_rollups(connection, delta)
    alert_store.raise_for(connection, list(new.values()))
    _look_again(connection, [*new.values(), *changed.values()])
    return [*new.values(), *changed.values()]


def reread(connection: Connection, readings: Mapping[str, Row], *, into: Table = rollup) -> None:
    """Replace `read_fields` or the `standing` of stored mentions; judgements stand, nobody is alerted. What trends
    change by goes `into` the rollups, or into those that wait for `switch_over`."""
    stored = _locked(connection, set(readings))
    judged = _judgements(connection, set(stored))
    delta: Delta = {}
    changed = []
    for mention_id, known in stored.items():
        decided = _judge({**known, **readings[mention_id]}, judged.get(mention_id, {}))
        _replace(delta, known, decided)
        changed.append(decided)
    _update(connection, changed, _READ | {"status", "relevance"})
    write_rollups(connection, delta, into)


def switch_over(connection: Connection, company_id: str) -> None:
    """A firm has been read anew: its trends change, all at once."""
    delta = _kept(connection, rollup_pending, company_id)
    connection.execute(delete(rollup_pending).where(rollup_pending.c.company_id == company_id))
    write_rollups(connection, delta)


def expire(connection: Connection, limit: int = 500) -> int:
    """Remove the words that a source's terms let us keep no longer, also where alerts, reports and deliveries quote
    them; scores and stars stay. Return how many mentions."""
    ripe = select(mention.c.id).where(mention.c.expires_at <= db.now(), ~mention.c.expired).limit(limit)
    stored = _locked(connection, set(connection.scalars(ripe)))
    rows = [{**row, **_wordless(row)} for row in stored.values()]
    _update(connection, rows, {*_WORDS, "themes", "wishes"})
    search.remove(connection, stored)
    if stored:
        _erase_quotes(connection, list(stored.values()))
    for (company_id, source_id), count in Counter((row["company_id"], row["source_id"]) for row in rows).items():
        audit.note(connection, company_id, "Vigie", "words expired", f"{count} mentions of source {source_id}")
    return len(rows)


def _erase_quotes(connection: Connection, rows: Sequence[Row]) -> None:
    texts = [row[column] for row in rows for column in ("text", "title", "translation") if row[column]]
    company_ids = {row["company_id"] for row in rows}
    erase_quotes(connection, Quotes(company_ids, {row["id"] for row in rows}, texts=texts))


def _wordless(row: Row) -> Row:
    """What becomes of a mention whose words may not be kept."""
    return {**_WORDS, **{said: [{**one, "quote": ""} for one in row[said]] for said in ("themes", "wishes")}}


def judge(connection: Connection, company_id: str, mention_id: str, aspect: str, value: str, by: str) -> Row:
    """A person decides: `label`, `status` (new, acknowledged, done, aside), `theme:<name>`, `assigned` (a name, or
    empty for nobody), or for a mail whose layout was not known `confirmed` (yes, no): then so are those written in the
    same way. It stands for good. What is (not) about the firm teaches the guard.

    Raises `NotFoundError` for a mention of another firm, `InvalidInputError` for a value that is none.
    """
    _check(aspect, value)
    known = _locked(connection, {mention_id}).get(mention_id)
    if known is None or known["company_id"] != company_id:
        raise NotFoundError(f"there is no mention {mention_id!r}")
    row = {
        "mention_id": mention_id, "aspect": aspect, "company_id": company_id, "value": value, "by": by,
        "at": clock.now(),
    }  # fmt: skip
    db.upsert(connection, judgement, [row], update=("value", "by", "at"))
    alike = _written_alike(connection, known, value) if aspect == "confirmed" else []
    decided = [_judge(one, {aspect: value}) for one in (known, *alike)]
    delta: Delta = {}
    for before, after in zip((known, *alike), decided, strict=True):
        _replace(delta, before, after)
    _update(connection, decided, _READ | {"status", "apart", "assigned_to"})
    write_rollups(connection, delta)
    if aspect == "status" and known["relevance"] is not None:
        due.schedule(connection, due.RELEVANCE, [company_id])
    return decided[0]


def write_rollups(connection: Connection, delta: Delta, into: Table = rollup) -> None:
    """Add `delta` to rollups, keys sorted so that two writers cannot wait for one another."""
    rows = [{**key._asdict(), **sums._asdict()} for key, sums in sorted(delta.items()) if any(sums)]
    db.upsert(connection, into, rows, update=_added)


def _added(table: Table, new: Any) -> Row:
    return {name: table.c[name] + new[name] for name in Sums._fields}


def recount(connection: Connection, company_id: str | None = None) -> tuple[Delta, Delta]:
    """The rollups as they are, with what they are to change by, and as a recount of the mentions gives them; empty rows
    left out."""
    is_meant = [mention.c.company_id == company_id] if company_id else []
    counted: Delta = {}
    every = select(mention).where(*is_meant).execution_options(yield_per=_AT_ONCE)
    for row in connection.execute(every).mappings():
        rollups.add(counted, rollups.contribution(dict(row)))
    kept = _kept(connection, rollup, company_id)
    rollups.add(kept, _kept(connection, rollup_pending, company_id))
    return {key: sums for key, sums in kept.items() if any(sums)}, counted


def _kept(connection: Connection, table: Table, company_id: str | None) -> Delta:
    is_meant = [table.c.company_id == company_id] if company_id else []
    return {
        Key(*(row[name] for name in Key._fields)): Sums(*(row[name] for name in Sums._fields))
        for row in connection.execute(select(table).where(*is_meant)).mappings()
    }


def _locked(connection: Connection, mention_ids: set[str]) -> dict[str, Row]:
    query = select(mention).where(mention.c.id.in_(sorted(mention_ids))).order_by(mention.c.id)
    return {row["id"]: dict(row) for row in connection.execute(db.locking(connection, query)).mappings()}


def _judgements(connection: Connection, mention_ids: set[str]) -> dict[str, dict[str, str]]:
    judged: dict[str, dict[str, str]] = defaultdict(dict)
    for row in connection.execute(select(judgement).where(judgement.c.mention_id.in_(sorted(mention_ids)))):
        judged[row.mention_id][row.aspect] = row.value
    return judged


def _layouts(connection: Connection, rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, str]]:
    """What the firms said of the layouts of these mails, as a judgement of each."""
    asked = {row["layout"] for row in rows if row["layout"]}
    if not asked:
        return {}
    said = select(learnt).where(learnt.c.kind == _LAYOUT, learnt.c.shape.in_(sorted(asked)))
    return {(row.company_id, row.shape): {"confirmed": row.value} for row in connection.execute(said)}


def _written_alike(connection: Connection, known: Row, value: str) -> list[Row]:
    """Keep what was said of a mail's layout; the firm's other mails of that layout that wait for a word, locked."""
    if known["layout"] is None:
        return []
    firm = known["company_id"]
    row = {"company_id": firm, "kind": _LAYOUT, "shape": known["layout"], "value": value, "at": clock.now()}
    db.upsert(connection, learnt, [row], update=("value", "at"))
    alike = mention.c.company_id == firm, mention.c.layout == known["layout"], mention.c.apart == "unconfirmed"
    waiting = set(connection.scalars(select(mention.c.id).where(*alike, mention.c.id != known["id"])))
    answered = {one for one, said in _judgements(connection, waiting).items() if "confirmed" in said}
    return list(_locked(connection, waiting - answered).values())


def _is_newer(row: Row, known: Row) -> bool:
    """A later edition with other content; the same content again changes nothing, nor does an older edition."""
    if row["content_hash"] == known["content_hash"]:
        return False
    return (row["edition_at"], row["content_hash"]) > (known["edition_at"], known["content_hash"])


def _replaced(known: Row, row: Row) -> Row:
    """A new edition of a known mention: it keeps its place, its status, and when it was first seen."""
    kept = {name: known[name] for name in ("collected_at", "stored_at", "silent", "copy_of")}
    if known["apart"] == "copy" and row["apart"] is None:
        kept["apart"] = "copy"
    if not row["published_at_known"]:
        kept |= {name: known[name] for name in ("published_at", "published_at_known", "day")}
    return {**row, **kept}


def _replace(delta: Delta, known: Row | None, decided: Row) -> None:
    if known:
        rollups.subtract(delta, rollups.contribution(known))
    rollups.add(delta, rollups.contribution(decided))


def _group_copies(connection: Connection, delta: Delta, new: dict[str, Row], changed: dict[str, Row]) -> None:
    """What says the same as a mention that counts becomes its copy; a fuller edition of a review takes its place."""
    earlier: dict[str, Row] = {}
    for row in [row for row in new.values() if rollups.counts(row) and copies.may_be_copy(row)]:
        others = {**_neighbours(connection, row), **changed, **earlier}
        same = (one for one in others.values() if rollups.counts(one) and copies.may_be_copy(one))
        twin = copies.twin(row, (one for one in same if one["company_id"] == row["company_id"]))
        earlier[row["id"]] = row
        if twin is None:
            continue
        fuller, lesser = (row, twin) if copies.is_fuller(row, twin) else (twin, row)
        copy = {**lesser, "apart": "copy", "copy_of": fuller["id"]}
        _replace(delta, lesser, copy)
        (new if copy["id"] in new else changed)[copy["id"]] = copy
        earlier[copy["id"]] = copy
        if fuller is row:
            _take_place(connection, delta, new, copy, row)


def _take_place(connection: Connection, delta: Delta, new: dict[str, Row], copy: Row, row: Row) -> None:
    """What was decided of the lesser edition holds for the fuller one, which alerts nobody a second time."""
    judged = _judgements(connection, {copy["id"]}).get(copy["id"], {})
    by = {"company_id": row["company_id"], "by": "copy", "at": clock.now()}
    rows = [{"mention_id": row["id"], "aspect": aspect, "value": value, **by} for aspect, value in judged.items()]
    db.upsert(connection, judgement, rows)
    decided = {**_judge(row, judged), "silent": row["silent"] or not copy["silent"]}
    _replace(delta, row, decided)
    new[row["id"]] = decided
    connection.execute(update(mention).where(mention.c.copy_of == copy["id"]).values(copy_of=row["id"]))


def _neighbours(connection: Connection, row: Row) -> dict[str, Row]:
    """The firm's mentions of about that time that may say the same, locked; the earliest heard first."""
    around = timedelta(days=max(copies.REVIEW_DAYS, copies.STORY_DAYS))
    query = (
        select(mention)
        .where(
            mention.c.company_id == row["company_id"],
            mention.c.published_at.between(row["published_at"] - around, row["published_at"] + around),
            mention.c.apart.is_(None),
            mention.c.platform.is_not(None) if row["platform"] else mention.c.relevance.is_not(None),
        )
        .order_by(mention.c.stored_at, mention.c.id)
        .limit(_MOST_COMPARED)
    )
    return {one["id"]: dict(one) for one in connection.execute(db.locking(connection, query)).mappings()}


def _judge(row: Row, judged: Mapping[str, str]) -> Row:
    decided = {**row, "themes": [dict(theme) for theme in row["themes"]]}
    decided["label"] = judged.get("label", row["label"])
    decided["status"] = judged.get("status", row["status"])
    decided["assigned_to"] = judged.get("assigned", row.get("assigned_to")) or None
    if row["apart"] == "unconfirmed" and "confirmed" in judged:
        if judged["confirmed"] == "yes":
            decided["apart"] = None
        else:
            decided["status"] = "aside"
    for theme in decided["themes"]:
        theme["label"] = judged.get(f"theme:{theme['theme']}", theme["label"])
    return decided


def _check(aspect: str, value: str) -> None:
    if aspect == "assigned":
        if len(value) > _LONGEST_NAME:
            raise InvalidInputError(f"a name has at most {_LONGEST_NAME} letters")
        return
    allowed = {"status": STATUSES, "confirmed": ("yes", "no")}.get(aspect, LABELS)
    if aspect not in {"label", "status", "confirmed"} and not aspect.startswith("theme:"):
        raise InvalidInputError(f"unknown aspect {aspect!r}: label, status, assigned, confirmed or theme:<name>")
    if value not in allowed:
        raise InvalidInputError(f"{aspect} is one of {', '.join(allowed)}")


def _insert(connection: Connection, rows: list[Row]) -> None:
    if rows:
        connection.execute(mention.insert(), rows)


def _update(connection: Connection, rows: list[Row], names: set[str]) -> None:
    if rows:
        values = {name: bindparam(f"new_{name}", type_=mention.c[name].type) for name in sorted(names)}
        bound = [{"this": row["id"], **{f"new_{name}": row[name] for name in names}} for row in rows]
        connection.execute(update(mention).where(mention.c.id == bindparam("this")).values(**values), bound)


def _look_again(connection: Connection, rows: list[Row]) -> None:
    """The windows that hold these mentions are looked at soon, outside this transaction."""
    since: dict[str, str] = {}
    for row in rows:
        if not row["silent"] and rollups.counts(row):
            since[row["company_id"]] = min(since.get(row["company_id"], row["day"]), row["day"])
    if since:
        due.schedule(connection, due.ALERTS, list(since), since=since)


def count(connection: Connection, company_id: str | None = None) -> int:
    """How many mentions a firm has, or all firms together, those set aside included."""
    is_meant = [mention.c.company_id == company_id] if company_id else []
    return connection.scalar(select(func.count()).select_from(mention).where(*is_meant)) or 0
