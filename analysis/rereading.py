"""Reading anew what an older analyser read, a batch at a time; judgements stand, and nobody is alerted."""

from sqlalchemy import Engine, select

from analysis import reading, store
from analysis.reading import ANALYSER, Asked
from analysis.themes import SHIPPED, Vocabulary, trade_of
from vigie import db
from vigie.db.tables import company, mention

_BATCH = 200


def reread_outdated(engine: Engine, sentiment: str = "learned", vocabulary: Vocabulary = SHIPPED) -> int:
    """Read the next mentions that another analyser read; how many there were, 0 when all are read."""
    wanted = select(
        mention.c.id, mention.c.text, mention.c.title, mention.c.language, mention.c.rating, company.c.sector
    ).join(company, company.c.id == mention.c.company_id)
    # Words that expired cannot be read again: what they once said stands.
    outdated = wanted.where(mention.c.analyser != ANALYSER, mention.c.expired.is_(False))
    with db.reading(engine) as connection:
        rows = connection.execute(outdated.order_by(mention.c.id).limit(_BATCH)).all()
    asked = [
        Asked(row.text or "", row.title, row.language, row.rating, row.language, trade_of(row.sector)) for row in rows
    ]
    read = reading.read_all(asked, sentiment, vocabulary)
    fields = {row.id: store.read_fields(one) for row, one in zip(rows, read, strict=True)}
    with db.writing(engine) as connection:
        store.reread(connection, fields)
    return len(rows)
