"""A write that is sent again is done once: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

The first answer is kept for a day, for each key of the API, sealed as it may hold a secret that is shown once. The same
key with another request is an error; while the first request is still being worked on, the second hears 409.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple

from fastapi import Request, Response
from sqlalchemy import Connection, Engine, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool

from api import errors
from vigie import access, clock, db
from vigie.db.tables import answered
from vigie.secrets import Vault

_KEPT = timedelta(hours=24)
_ABANDONED = timedelta(minutes=1)  # a request that has not answered since then died
_LONGEST = 255
_NOT_KEPT = {401, 403, 413, 429}  # the request was not looked at: another attempt may fare better


class Known(NamedTuple):
    """What is known of a key: its request, and the answer unless that is still being made."""

    request_hash: str
    status: int | None
    body: bytes | None


Next = Callable[[Request], Awaitable[Response]]


class Idempotency:
    """The middleware of one app."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine, self._vault = engine, vault

    async def __call__(self, request: Request, call_next: Next) -> Response:
        key = request.headers.get("idempotency-key")
        if key is None or request.method != "POST" or not request.url.path.startswith("/api/v1/"):
            return await call_next(request)
        if not 0 < len(key) <= _LONGEST:
            return errors.problem(422, "Not usable", f"an Idempotency-Key has between 1 and {_LONGEST} characters")
        if not await run_in_threadpool(self._may_ask, request):
            return await call_next(request)
        mine = _hash(request.headers.get("authorization", ""), key)
        asked = _hash(request.url.path, request.url.query, (await request.body()).hex())
        known = await run_in_threadpool(self._claim, mine, asked)
        if known is not None:
            return self._again(known, asked)
        return await self._first(request, call_next, mine)

    async def _first(self, request: Request, call_next: Next, mine: str) -> Response:
        try:
            response = await call_next(request)
            body = b"".join([part async for part in response.body_iterator])  # type: ignore[attr-defined]
        except BaseException:
            await run_in_threadpool(self._release, mine)
            raise
        if response.status_code >= 500 or response.status_code in _NOT_KEPT:
            await run_in_threadpool(self._release, mine)
        else:
            await run_in_threadpool(self._keep, mine, response.status_code, body)
        return Response(body, response.status_code, headers=dict(response.headers))

    def _may_ask(self, request: Request) -> bool:
        """Whether the key is still valid: one that was taken back hears no old answer, and a stranger writes no row."""
        shown = request.headers.get("authorization", "").partition(" ")[2]
        with db.reading(self._engine) as connection:
            return access.authenticate(connection, shown, "key") is not None

    def _again(self, known: Known, asked: str) -> Response:
        if known.request_hash != asked:
            return errors.problem(422, "Not usable", "this Idempotency-Key came with another request before")
        if known.status is None or known.body is None:
            return errors.problem(409, "Conflict", "the first request with this Idempotency-Key is still being done")
        body = self._vault.decrypt(known.body).encode()
        kind = "application/json" if known.status < 400 else "application/problem+json"
        return Response(body, known.status, media_type=kind, headers={"Idempotent-Replayed": "true"})

    def _claim(self, mine: str, asked: str) -> Known | None:
        """None if the key is ours to work under; else what is known of it."""
        moment = clock.now()
        with db.writing(self._engine) as connection:
            purge(connection)
            if (known := _known(connection, mine)) is not None:
                return known
            try:
                with connection.begin_nested():
                    connection.execute(answered.insert().values(key_hash=mine, request_hash=asked, at=moment))
            except IntegrityError:  # its twin came at the same moment
                return _known(connection, mine)
            return None

    def _keep(self, mine: str, status: int, body: bytes) -> None:
        sealed = self._vault.encrypt(body.decode())
        with db.writing(self._engine) as connection:
            connection.execute(update(answered).where(answered.c.key_hash == mine).values(status=status, body=sealed))

    def _release(self, mine: str) -> None:
        with db.writing(self._engine) as connection:
            connection.execute(delete(answered).where(answered.c.key_hash == mine))


def purge(connection: Connection) -> None:
    """Forget what was answered more than a day ago, and requests that died on the way."""
    moment = clock.now()
    died = answered.c.status.is_(None) & (answered.c.at < moment - _ABANDONED)
    connection.execute(delete(answered).where(or_(answered.c.at < moment - _KEPT, died)))


def _known(connection: Connection, mine: str) -> Known | None:
    wanted = select(answered.c.request_hash, answered.c.status, answered.c.body)
    row = connection.execute(wanted.where(answered.c.key_hash == mine)).one_or_none()
    return Known(*row) if row else None


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
