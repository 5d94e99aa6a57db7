"""Reading anew, behind what comes in, what an older analyser read; judgements stand, and nobody is alerted.

A mention shows its new reading at once, a firm's trends and sums when all its mentions have been read: half a history
by one model and half by another would show a change that was none.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select

from analysis import reading, store
from analysis.reading import ANALYSER, Asked
from analysis.themes import SHIPPED, Vocabulary, trade_of
from vigie import db, due
from vigie.db.tables import company, mention, rollup_pending

_BATCH = 200
# Words that expired cannot be read again: what they once said stands.
_OUTDATED = (mention.c.analyser != ANALYSER) & ~mention.c.expired


def ask(engine: Engine) -> int:
    """Have what another analyser read be read anew; of how many firms."""
    firms = select(mention.c.company_id).where(_OUTDATED).union(select(rollup_pending.c.company_id))
    with db.reading(engine) as connection:  # all mentions are looked at: nobody waits for that
        wanted = connection.scalars(firms).all()
    with db.writing(engine) as connection:
        due.schedule(connection, due.REREAD, wanted)
    return len(wanted)


def advance(engine: Engine, sentiment: str = "learned", vocabulary: Vocabulary = SHIPPED) -> int | None:
    """Read the next two hundred mentions of a firm whose turn it is; how many there were, None if it is nobody's."""
    for timer in due.claim(engine, due.REREAD, limit=1):
        readings = _read(engine, timer.key, sentiment, vocabulary)
        is_last = len(readings) < _BATCH
        with db.writing(engine) as connection:
            if not due.finish(connection, timer, again_at=None if is_last else db.present(connection)):
                return 0  # somebody else has it
            store.reread(connection, readings, into=rollup_pending)
            if is_last:
                store.switch_over(connection, timer.key)
        return len(readings)
    return None


def _read(engine: Engine, company_id: str, sentiment: str, vocabulary: Vocabulary) -> Mapping[str, dict[str, Any]]:
    """The fields that the next mentions of a firm will have."""
    wanted = select(
        mention.c.id,
        mention.c.text,
        mention.c.title,
        mention.c.language,
        mention.c.rating,
        mention.c.wish,
        company.c.sector,
    ).join(company, company.c.id == mention.c.company_id)
    outdated = wanted.where(mention.c.company_id == company_id, _OUTDATED).order_by(mention.c.id).limit(_BATCH)
    with db.reading(engine) as connection:
        rows = connection.execute(outdated).all()
    asked = [
        Asked(row.text or "", row.title, row.language, row.rating, row.language, trade_of(row.sector)) for row in rows
    ]
    read = reading.read_all(asked, sentiment, vocabulary)
    return {row.id: store.read_fields(one, row.wish) for row, one in zip(rows, read, strict=True)}
