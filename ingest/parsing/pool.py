"""The parent's side of the parser children: who may use one, for how long, and when it is replaced.

An item that takes too long, too much memory or the child's life costs its own answer only: the child is killed, and
the next item gets a new one.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, Literal

from pydantic import TypeAdapter, ValidationError

from ingest.files.columns import UnknownColumnsError
from ingest.files.table import BadRow
from ingest.found import Found
from ingest.parsing.parts import FileSummary, PageContent
from vigie.errors import InvalidInputError, SourceError, UnavailableError

IDLE_SECONDS, ITEMS_PER_CHILD = 60.0, 500
MAX_WAIT_SECONDS = 180.0  # for a child that is free
MAX_DATA_BYTES = 200_000_000  # of a child, besides its program: 230 MB in all
_MAX_ANSWER_BYTES = 150_000_000
# What an interpreter needs to start and to find its packages.
_KEPT_VARIABLES = frozenset(
    "PATH HOME LD_LIBRARY_PATH PYTHONPATH PYTHONHOME PYTHONUSERBASE VIRTUAL_ENV LANG LC_ALL LC_CTYPE TZ".split()
)

Reason = Literal["time", "memory", "crash", "unreadable", "busy"]
Part = Found | BadRow | FileSummary | PageContent
# A child that a stranger took over may send whatever it likes: only these types are built, and they are validated.
_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Found, BadRow, FileSummary, PageContent)
}


class ParserError(Exception):
    """An item got no answer, for a reason that the caller puts into words."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class ParserPool:
    """At most `size` children, shared by all threads of this process."""

    def __init__(
        self,
        size: int = 1,
        *,
        tasks: str = "ingest.parsing.tasks",
        idle_seconds: float = IDLE_SECONDS,
        items_per_child: int = ITEMS_PER_CHILD,
        max_data_bytes: int = MAX_DATA_BYTES,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [sys.executable, "-m", "ingest.parsing.child", tasks, str(max_data_bytes)]
        # Secrets stay with the parent.
        self._environment = {name: value for name, value in os.environ.items() if name in _KEPT_VARIABLES}
        self._environment |= environment or {}
        self._idle_seconds, self._items_per_child = idle_seconds, items_per_child
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._reaper: threading.Timer | None = None

    def run(self, task: str, body: bytes | BinaryIO, arguments: Mapping[str, object], *, seconds: float) -> list[Part]:
        """Return the parts that `task` finds in `body`.

        Raises `ParserError` when there is no answer, and the `InvalidInputError` or `SourceError` of the task.
        """
        if not self._slots.acquire(timeout=MAX_WAIT_SECONDS):
            raise ParserError("busy")
        try:
            child = self._take_child()
            try:
                parts = child.parse(task, body, arguments, seconds)
            except BaseException:
                child.kill()
                raise
            self._give_back(child)
        finally:
            self._slots.release()
        return _checked(parts)

    def pids(self) -> list[int]:
        """Return the process ids of the children that wait for work."""
        with self._lock:
            return [child.pid for child in self._idle]

    def close(self) -> None:
        """End the children that wait for work."""
        with self._lock:
            children, self._idle = self._idle, []
            if self._reaper:
                self._reaper.cancel()
                self._reaper = None
        for child in children:
            child.end()

    def _take_child(self) -> "_Child":
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive():
                    return child
                child.kill()
        try:
            return _Child(self._command, self._environment)
        except OSError as error:  # this process has no file descriptor or memory left
            raise ParserError("busy") from error

    def _give_back(self, child: "_Child") -> None:
        if child.parsed_items >= self._items_per_child or child.is_spent:
            child.end()
            return
        with self._lock:
            child.idle_since = time.monotonic()
            self._idle.append(child)
            if self._reaper is None:
                self._start_reaper()

    def _start_reaper(self) -> None:
        self._reaper = threading.Timer(self._idle_seconds, self._end_idle)
        self._reaper.daemon = True
        self._reaper.start()

    def _end_idle(self) -> None:
        """End the children that had no work for a while; look again while there are others."""
        latest = time.monotonic() - self._idle_seconds
        with self._lock:
            ended = [child for child in self._idle if child.idle_since <= latest]
            self._idle = [child for child in self._idle if child.idle_since > latest]
            self._reaper = None
            if self._idle:
                self._start_reaper()
        for child in ended:
            child.end()


class _Child:
    """One child process. Used by one thread at a time."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        # A session of its own: Ctrl-C is for the parent, whose end closes the child's standard input.
        self._process = subprocess.Popen(  # noqa: S603 # our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        self._has_expired = False
        self.pid = self._process.pid
        self.parsed_items = 0
        self.idle_since = 0.0
        self.is_spent = False

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def parse(
        self, task: str, body: bytes | BinaryIO, arguments: Mapping[str, object], seconds: float
    ) -> "list[Part | VigieTaskError]":
        """Return the parts of one item; raises `ParserError`."""
        self.parsed_items += 1
        deadline = threading.Timer(seconds, self._expire)
        deadline.daemon = True
        deadline.start()
        try:
            self._send(task, body, arguments, seconds)
            return list(self._receive())
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise ParserError("time" if self._has_expired else "crash") from error
        finally:
            deadline.cancel()

    def end(self) -> None:
        """Let it end by itself, or kill it."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self._input.close()
            self._process.wait(1)
        self.kill()

    def kill(self) -> None:
        """Kill it and close its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._input, self._output):
            with suppress(OSError):  # what was left to write has no reader
                pipe.close()

    def _expire(self) -> None:
        self._has_expired = self.is_spent = True
        self._process.kill()

    def _send(self, task: str, body: bytes | BinaryIO, arguments: Mapping[str, object], seconds: float) -> None:
        file = io.BytesIO(body) if isinstance(body, bytes) else body
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        request = {"task": task, "size": size, "arguments": arguments, "seconds": seconds}
        self._input.write(json.dumps(request).encode() + b"\n")
        shutil.copyfileobj(file, self._input, 65_536)
        self._input.flush()

    def _receive(self) -> "Iterator[Part | VigieTaskError]":
        left = _MAX_ANSWER_BYTES
        while line := self._output.readline(left):
            left -= len(line)
            if left <= 0:
                raise ParserError("memory")
            message = json.loads(line)
            if "done" in message:
                return
            if "error" in message:
                yield self._failure(message)
                return
            yield _ADAPTERS[message["type"]].validate_python(message["value"])
        raise ParserError("time" if self._has_expired else "crash")

    def _failure(self, message: dict[str, Any]) -> "VigieTaskError":
        reason = message["error"]
        if reason == "invalid":
            return InvalidInputError(str(message["message"]))
        if reason == "source":
            return SourceError(str(message["message"]))
        if reason == "unavailable":
            return UnavailableError(str(message["message"]))
        if reason == "columns":
            return UnknownColumnsError(message["header"], message["rows"], message["columns"])
        if reason == "unreadable":
            return ParserError("unreadable")
        self.is_spent = True  # a child that ran out of memory ends
        return ParserError("memory")


VigieTaskError = InvalidInputError | SourceError | UnavailableError | ParserError


def _checked(parts: list[Part | VigieTaskError]) -> list[Part]:
    """Return the parts; raises the error with which the item ended, if it did."""
    checked: list[Part] = []
    for part in parts:
        if isinstance(part, Exception):
            raise part
        checked.append(part)
    return checked
