"""Mentions: read, pushed, judged."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from analysis import queries, store
from api import paging
from api.auth import Edit, Read, Shown
from api.schemas import Apart, JudgementIn, Label, Mention, MentionIn, Mentions, Pushed, PushIn
from api.services import Given
from ingest import sources_store
from ingest.clean import link
from ingest.collect import Parcel
from ingest.found import Found, mentions
from ingest.rating import on_five
from vigie import db
from vigie.errors import InvalidInputError
from vigie.log.threads import in_log_thread

router = APIRouter(prefix="/companies/{company_id}/mentions", tags=["mentions"])

Words = Annotated[str | None, Query(max_length=200)]


@router.get("", response_model=Mentions)
def list_mentions(
    firm: Read,
    given: Given,
    first: Annotated[date | None, Query(alias="from")] = None,
    last: Annotated[date | None, Query(alias="to")] = None,
    source: Words = None,
    location: Words = None,
    theme: Words = None,
    sentiment: Label | None = None,
    rating: Annotated[float | None, Query(ge=0, le=5)] = None,
    q: Words = None,
    status: Annotated[Literal["new", "acknowledged", "done"] | None, Query()] = None,
    assigned_to: Words = None,
    apart: Annotated[Apart | None, Query()] = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> dict[str, Any]:
    """A firm's mentions, latest first; days are the firm's own, both included.

    `q` holds words that title, text or author must all hold, whatever their accents and inflection; `serv*` stands for
    every word that begins so. `apart` shows those that do not count: set aside, of an
    unverified sender, not yet confirmed, notes or copies.
    """
    wanted = queries.Filter(
        first=first, last=last, source_id=source, location_id=location, theme=theme, sentiment=sentiment,
        rating=rating, q=_plain(q), status=status, assigned_to=_plain(assigned_to), apart=apart,
    )  # fmt: skip
    with db.reading(given.engine) as connection:
        rows = queries.mentions(connection, firm["id"], wanted, limit=limit, after=paging.decode(cursor))
        names = queries.source_names(connection, firm["id"])
    more = paging.encode(rows[-1]["published_at"], rows[-1]["id"]) if len(rows) == limit else None
    return {"items": [queries.shown_mention(dict(row), names) for row in rows], "next_cursor": more}


@router.get("/{mention_id}", response_model=Mention)
def show_mention(mention_id: str, firm: Read, given: Given) -> dict[str, Any]:
    """One mention, with the words that made its score."""
    with db.reading(given.engine) as connection:
        row = queries.one_mention(connection, firm["id"], mention_id)
        return queries.shown_mention(dict(row), queries.source_names(connection, firm["id"]))


@router.post("", response_model=Pushed, status_code=202)
@in_log_thread
def push_mentions(values: PushIn, firm: Edit, given: Given) -> dict[str, Any]:
    """Send mentions. What is answered 202 is durable; sending it again changes nothing."""
    found = [found_of(at, one) for at, one in enumerate(values.mentions)]
    with db.writing(given.engine) as connection:
        source = sources_store.named(connection, firm["id"], "push", values.source)
        sources_store.received(connection, source, None)
    collected = mentions(firm["id"], source["id"], found)
    given.intake.append(Parcel(firm["id"], sources_store.origin(source), collected))
    return {"ids": [one.id for one in collected]}


@router.post("/{mention_id}/judgements", response_model=Mention)
def judge_mention(mention_id: str, values: JudgementIn, firm: Edit, given: Given, who: Shown) -> dict[str, Any]:
    """Correct a label, or set a status (new, acknowledged, done, aside). It stands, whatever is read anew later."""
    with db.writing(given.engine) as connection:
        row = store.judge(connection, firm["id"], mention_id, values.aspect, values.value, who.name[:64])
        return queries.shown_mention(row, queries.source_names(connection, firm["id"]))


def found_of(at: int, one: MentionIn) -> Found:
    """What was sent, as something found. Raises `InvalidInputError` naming its place."""
    try:
        rating = on_five(one.rating, best=one.best)
    except ValueError as error:
        raise InvalidInputError(f"mentions/{at}/rating: {error}") from error
    if not (one.text.strip() or (one.title or "").strip()) and rating is None:
        raise InvalidInputError(f"mentions/{at}: it has neither text nor rating")
    same = one.model_dump(
        include={"text", "author", "title", "language", "published_at", "updated_at", "experienced_at", "reply"}
    )
    given = None if one.rating is None else str(one.rating)
    return Found(external_id=one.id, url=link(one.url), rating=rating, rating_given=given, **same)


def _plain(q: str | None) -> str | None:
    return q.replace("\x00", "") or None if q else None
