"""Limits of what a client may send: how much, how long it may take, and how many may be sending at once.

A client that sends half a request and waits costs a connection and memory. Each limit here ends with an answer (408,
413, 503) or a closed connection, and leaves room for the other clients.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import h11
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import cookie_parser
from uvicorn.protocols.http.h11_impl import H11Protocol

from api import errors
from vigie import access, db

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEAD_SECONDS = 20.0  # from the first byte of a request, or the connection, to the end of the headers
MAX_WAITING_HEADS = 100  # connections whose headers have not come; beyond that the oldest is closed
_MAX_CONNECTIONS = 500
_MAX_HEAD_BYTES = 65_536
_KEEP_ALIVE_SECONDS = 5
# A body in chunks of one byte costs 7 microseconds a byte: after so many chunks they must be of a decent size.
_FREE_CHUNKS, _MIN_CHUNK_BYTES = 1_000, 64
_PART_BYTES = 65_536
_UPLOADS = "/start/files"
_SESSION_COOKIE = "vigie_session"  # browsers may know it by a prefixed name


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Limits of request bodies. An upload is a file that a signed-in person drops on a page."""

    body_bytes: int = 2_000_000
    upload_bytes: int = 20_000_000
    body_seconds: float = 20.0
    upload_seconds: float = 180.0
    open_bodies: int = 64
    open_bodies_of_address: int = 16
    held_bytes: int = 64_000_000
    patience_seconds: float = 1.0  # for a body, while others have no place


class BoundedBody:
    """ASGI middleware that reads each body whole before the app sees the request, within `limits`."""

    def __init__(self, app: App, engine: Engine, limits: BodyLimits | None = None) -> None:
        self._app, self._engine, self._limits = app, engine, limits or BodyLimits()
        self._open_by_address: Counter[str] = Counter()
        self._open: OrderedDict[asyncio.Timeout, float] = OrderedDict()  # the oldest first, with when it began
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body, or refuse it."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = _Body()
        try:
            refusal = await self._read(scope, receive, body)
            if refusal is None:
                await self._app(scope, _replay(body, receive), send)
            else:
                await _refuse(refusal, scope, receive, send)
        finally:
            self._held_bytes -= body.size

    async def _read(self, scope: Scope, receive: Receive, body: "_Body") -> "_Refusal | None":
        """Read the request's body into `body`; return why it is refused, or None."""
        limits = self._limits
        is_upload = scope["path"].endswith(_UPLOADS) and await self._has_session(scope)
        max_bytes = limits.upload_bytes if is_upload else limits.body_bytes
        seconds = limits.upload_seconds if is_upload else limits.body_seconds
        too_large = _Refusal(413, "Too large", f"the body may hold {max_bytes // 1_000_000} MB")
        declared = _header(scope, b"content-length", b"0")
        if not declared.isdigit() or int(declared[:12]) > max_bytes:
            return too_large
        address = scope["client"][0] if scope.get("client") else ""
        if self._open_by_address[address] >= limits.open_bodies_of_address or not self._make_room():
            return _BUSY
        self._open_by_address[address] += 1
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                self._open[deadline] = asyncio.get_running_loop().time()
                return await self._collect(receive, body, max_bytes, too_large)
        except TimeoutError:
            return _Refusal(408, "Too slow", f"the body must come within {seconds:g} seconds")
        finally:
            self._open.pop(deadline, None)
            self._open_by_address[address] -= 1
            self._open_by_address += Counter()  # forgets the addresses with none

    def _make_room(self) -> bool:
        """Return whether one more body may come; where all places are taken, the oldest that is slow loses its own."""
        if len(self._open) < self._limits.open_bodies:
            return True
        now = asyncio.get_running_loop().time()
        oldest, began_at = next(iter(self._open.items()))
        if now - began_at < self._limits.patience_seconds:
            return False
        del self._open[oldest]
        oldest.reschedule(now)
        return True

    async def _collect(
        self, receive: Receive, body: "_Body", max_bytes: int, too_large: "_Refusal"
    ) -> "_Refusal | None":
        has_more = True
        while has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return _GONE
            chunk = message.get("body", b"")
            body.add(chunk)
            self._held_bytes += len(chunk)
            has_more = message.get("more_body", False)
            if body.size > max_bytes:
                return too_large
            if self._held_bytes > self._limits.held_bytes:
                return _BUSY
        return None

    async def _has_session(self, scope: Scope) -> bool:
        """Return whether the request brings the cookie of an open session."""
        cookies = cookie_parser(_header(scope, b"cookie", b"").decode("latin-1"))
        tokens = [value for name, value in cookies.items() if name.endswith(_SESSION_COOKIE)]
        return bool(tokens) and await run_in_threadpool(self._is_session, tokens[0])

    def _is_session(self, token: str) -> bool:
        with db.reading(self._engine) as connection:
            return access.authenticate(connection, token, "session") is not None


class _Body:
    """A body as it came; `size` is of all of it, in bytes, whatever was given on since.

    Small chunks are joined, since each costs an object.
    """

    def __init__(self) -> None:
        self.parts: deque[bytearray] = deque()
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """Append a chunk."""
        self.size += len(chunk)
        if self.parts and len(self.parts[-1]) < _PART_BYTES:
            self.parts[-1] += chunk
        else:
            self.parts.append(bytearray(chunk))


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer to a body that is not read to its end."""

    status: int
    title: str
    detail: str


_GONE = _Refusal(408, "Gone", "the body broke off")  # nobody is there to read it, but the app must have an answer
_BUSY = _Refusal(503, "Too many requests at once", "other requests are being read: try again in a moment")


async def _refuse(refusal: _Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    answer = errors.problem(refusal.status, refusal.title, refusal.detail)
    answer.headers["Connection"] = "close"  # what the client still sends is not read
    await answer(scope, receive, send)


def _replay(body: _Body, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once, part by part, and keeps no part that it gave."""
    is_done = False

    async def receive_again() -> Message:
        nonlocal is_done
        if is_done:
            return await receive()
        part = bytes(body.parts.popleft()) if body.parts else b""
        is_done = not body.parts
        return {"type": "http.request", "body": part, "more_body": not is_done}

    return receive_again


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"transfer-encoding" in names or _header(scope, b"content-length", b"0") != b"0"


def _header(scope: Scope, name: bytes, default: bytes) -> bytes:
    return next((value for known_name, value in scope["headers"] if known_name == name), default)


class BoundedConnection(h11.Connection):
    """An HTTP/1.1 connection that refuses bodies in thousands of tiny chunks."""

    _chunks = 0
    _chunk_bytes = 0

    def next_event(self) -> Any:
        """Return the next event; raises h11's `RemoteProtocolError`."""
        event = super().next_event()
        if isinstance(event, h11.Data):
            self._chunks += 1
            self._chunk_bytes += len(event.data)
            if self._chunks > _FREE_CHUNKS and self._chunk_bytes < self._chunks * _MIN_CHUNK_BYTES:
                raise h11.RemoteProtocolError("the chunks of the body are too small")
        elif isinstance(event, h11.EndOfMessage):
            self._chunks = self._chunk_bytes = 0
        return event


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, with a deadline for a request's headers."""

    # Of all connections of the process, the oldest first.
    _waiting: ClassVar["OrderedDict[BoundedProtocol, asyncio.TimerHandle]"] = OrderedDict()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = BoundedConnection(h11.SERVER, _MAX_HEAD_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle bytes, which may complete the headers."""
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """Begin to wait for the headers of the next request."""
        super().on_response_complete()
        self._watch_head()

    def _watch_head(self) -> None:
        """Start the deadline of the headers, or end it where they have come."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self not in self._waiting and not self.transport.is_closing():
            self._waiting[self] = self.loop.call_later(HEAD_SECONDS, self.transport.abort)
            if len(self._waiting) > MAX_WAITING_HEADS:
                oldest = next(iter(self._waiting))
                oldest._stop_waiting()
                oldest.transport.abort()

    def _stop_waiting(self) -> None:
        if timer := self._waiting.pop(self, None):
            timer.cancel()


class ServerOptions(TypedDict):
    """uvicorn's options that bound what clients may take."""

    http: type[asyncio.Protocol]
    limit_concurrency: int
    timeout_keep_alive: int
    backlog: int


SERVER_OPTIONS: ServerOptions = {
    "http": BoundedProtocol,
    "limit_concurrency": _MAX_CONNECTIONS,
    "timeout_keep_alive": _KEEP_ALIVE_SECONDS,
    "backlog": 512,
}
