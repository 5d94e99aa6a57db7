"""The guard against namesakes at work: what a firm has taught it, and deciding stored mentions anew."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, select

from analysis import store
from analysis.relevance import Firm, Relevance, Taught, learn, relevance
from vigie import db, due
from vigie.db.tables import company, judgement, mention

NOTHING = Taught()
_STEP, _MOST_VERDICTS = 500, 500


def about(firm: Mapping[str, Any], title: str | None, text: str, url: str | None, taught: Taught) -> Relevance:
    """Whether a text speaks of `firm` (a row of `company`)."""
    return relevance(_firm(firm), text, title=title, url=url, taught=taught)


def taught(connection: Connection, firm: Mapping[str, Any]) -> Taught:
    """What the firm's people said of earlier finds: set aside, or brought back."""
    said = (
        select(judgement.c.value, mention.c.title, mention.c.text, mention.c.url)
        .join(mention, mention.c.id == judgement.c.mention_id)
        .where(judgement.c.company_id == firm["id"], judgement.c.aspect == "status", mention.c.relevance.is_not(None))
        .order_by(judgement.c.at.desc())
        .limit(_MOST_VERDICTS)
    )
    verdicts = [(row.value != "aside", f"{row.title or ''}\n{row.text}", row.url) for row in connection.execute(said)]
    return learn(verdicts, _firm(firm)) if verdicts else NOTHING


def decide_due(engine: Engine) -> int:
    """Decide anew for the firms that changed their names or taught the guard; how many firms that was."""
    timers = due.claim(engine, due.RELEVANCE, limit=5)
    for timer in timers:
        decide_anew(engine, timer.key)
        with db.writing(engine) as connection:
            due.finish(connection, timer)
    return len(timers)


def decide_anew(engine: Engine, company_id: str) -> None:
    """Every stored find of the firm, in pages; what it decides moves the rollups and alerts nobody."""
    after = ""
    while rows := _page(engine, company_id, after):
        with db.reading(engine) as connection:
            found = connection.execute(select(company).where(company.c.id == company_id)).mappings().one_or_none()
            if found is None:
                return
            firm = dict(found)
            known = taught(connection, firm)
        decided = {row["id"]: store.standing(about(firm, row["title"], row["text"], row["url"], known)) for row in rows}
        with db.writing(engine) as connection:
            store.reread(connection, decided)
        after = rows[-1]["id"]


def _page(engine: Engine, company_id: str, after: str) -> Sequence[RowMapping]:
    wanted = (
        mention.c.company_id == company_id, mention.c.relevance.is_not(None), ~mention.c.expired, mention.c.id > after,
    )  # fmt: skip
    with db.reading(engine) as connection:
        return connection.execute(select(mention).where(*wanted).order_by(mention.c.id).limit(_STEP)).mappings().all()


def _firm(row: Mapping[str, Any]) -> Firm:
    return Firm(row["name"], row["city"], row["siren"], row["sector"], row["website"], tuple(row["aliases"]))
