"""Mentions that another program sends by signed webhook."""

import hashlib
import json
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from sqlalchemy import Connection, RowMapping, select

from api.errors import UnauthenticatedError
from api.idempotency import purge
from api.routes.mentions import found_of
from api.schemas import MentionIn, Pushed
from api.services import Given
from api.webhooks.receive import signed_id
from ingest import sources_store
from ingest.collect import Parcel
from ingest.found import Found, mentions
from vigie import clock, db
from vigie.db.tables import answered
from vigie.errors import InvalidInputError, NotFoundError
from vigie.log.threads import in_log_thread

router = APIRouter(prefix="/inbound", tags=["inbound"])

_MOST = 500
_TESTS = {"test", "ping"}  # how the types of such messages end
_EXAMPLE = {"type": "review.created", "data": {"id": "r1", "text": "Très bon accueil.", "rating": 5}}
# The body is read as it came, since the signature is of its bytes; so OpenAPI is told of it by hand.
_BODY = {"required": True, "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}}


@router.post("/{source_id}", response_model=Pushed, status_code=202, openapi_extra={"requestBody": _BODY})
async def receive(source_id: str, request: Request, given: Given) -> dict[str, Any]:
    """A webhook signed by Standard Webhooks. `data`, or the whole, is a mention, or holds `mentions`.

    What is answered 202 is durable. A `webhook-id` that was accepted is answered 202 again, and changes nothing.
    """
    return await _take(given, source_id, dict(request.headers), await request.body())


@in_log_thread
def _take(given: Given, source_id: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    with db.reading(given.engine) as connection:
        source = _source(connection, source_id)
        secret = sources_store.options(source, given.vault).get("secret") if source else None
        message_id = signed_id(secret, headers, body) if secret else None
        if source is None or message_id is None:
            raise UnauthenticatedError("no source here, or not signed by its sender within five minutes")
        mark = hashlib.sha256(f"inbound {source_id} {message_id}".encode()).hexdigest()
        before = connection.scalar(select(answered.c.body).where(answered.c.key_hash == mark))
    if before is not None:
        return {"ids": json.loads(before)}
    said = _parsed(body)
    if _is_test(said):
        return {"ids": []}
    collected = mentions(source["company_id"], source_id, _found(said, message_id))
    given.intake.append(Parcel(source["company_id"], sources_store.origin(source), collected))
    ids = [one.id for one in collected]
    with db.writing(given.engine) as connection:
        purge(connection)
        sources_store.received(connection, source, None)
        row = {"key_hash": mark, "request_hash": mark, "at": clock.now(), "status": 202}
        db.upsert(connection, answered, [{**row, "body": json.dumps(ids).encode()}])
    return {"ids": ids}


def _source(connection: Connection, source_id: str) -> RowMapping | None:
    try:
        source = sources_store.get(connection, source_id)
    except NotFoundError:
        return None
    return source if source["kind"] == "webhook" and not source["paused"] else None


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"the message is not JSON: {str(error)[:200]}") from error
    if not isinstance(said, dict):
        raise InvalidInputError("the message is not a JSON object")
    return said


def _is_test(said: dict[str, Any]) -> bool:
    """Whether a message is an empty trial, which senders send to see that somebody answers."""
    is_named_so = str(said.get("type", "")).rpartition(".")[2] in _TESTS
    return said == {} or (is_named_so and said.get("data") == {})


def _found(said: dict[str, Any], message_id: str) -> list[Found]:
    """The mentions of a message; one without an id of its own goes by the message's."""
    data = said.get("data", said)
    ones = data.get("mentions", [data]) if isinstance(data, dict) else data
    if not isinstance(ones, list) or not 0 < len(ones) <= _MOST or not all(isinstance(one, dict) for one in ones):
        raise InvalidInputError(f"the message holds no mention, or more than {_MOST}")
    return [found_of(at, _mention(at, one, f"{message_id}/{at}")) for at, one in enumerate(ones)]


def _mention(at: int, one: dict[str, Any], otherwise: str) -> MentionIn:
    known = {name: value for name, value in one.items() if name in MentionIn.model_fields}
    try:
        return MentionIn.model_validate({"id": otherwise, **known})
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise InvalidInputError(f"mentions/{at}/{where}: {first['msg']}") from error
