"""The parser child: reads items on standard input, writes what they hold as JSON lines on standard output.

Started as `python -m ingest.parsing.child TASKS MEMORY`: TASKS is a module with a dict `TASKS`, MEMORY the most bytes
of data that the process may hold. It ends when its standard input does.
"""

import dataclasses
import importlib
import json
import math
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, BinaryIO

from ingest.files.columns import UnknownColumnsError
from vigie.errors import InvalidInputError, SourceError, UnavailableError

Part = object
Task = Callable[[bytes, Any], Iterable[Part]]
_GRACE_SECONDS = 5  # the parent kills first; the alarm is for a child whose parent is gone
_MAX_SAMPLE_CHARS = 200


def main() -> None:
    """Answer items until standard input ends."""
    # A module that openpyxl uses where it is installed: 10 MB and a pool of threads that no parser needs.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    tasks: dict[str, Task] = importlib.import_module(sys.argv[1]).TASKS
    limit = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not enter the protocol
    serve(sys.stdin.buffer, out, tasks)


def serve(items: BinaryIO, out: BinaryIO, tasks: dict[str, Task]) -> None:
    """Answer each item of `items` on `out`; return when they end or when memory did not suffice."""
    while header := items.readline():
        request = json.loads(header)
        signal.alarm(math.ceil(request["seconds"]) + _GRACE_SECONDS)
        try:
            body = items.read(request["size"])
            answer = run_task(tasks[request["task"]], body, request["arguments"])
            for message in answer:
                out.write(message)
        except MemoryError:
            out.write(encode({"error": "memory"}))
            out.flush()
            return
        out.flush()
        signal.alarm(0)


def run_task(task: Task, body: bytes, arguments: Any) -> Iterator[bytes]:
    """Yield each part of the item as a message, then one that says that it is done or why it failed."""
    try:
        for part in task(body, arguments):
            value = dataclasses.asdict(part)  # type: ignore[call-overload]
            yield encode({"type": type(part).__name__, "value": value})
        yield encode({"done": True})
    except UnknownColumnsError as error:
        rows = [[cell[:_MAX_SAMPLE_CHARS] for cell in row[:_MAX_SAMPLE_CHARS]] for row in error.rows]
        header = [cell[:_MAX_SAMPLE_CHARS] for cell in error.header]
        yield encode({"error": "columns", "header": header, "rows": rows, "columns": error.columns})
    except InvalidInputError as error:
        yield encode({"error": "invalid", "message": str(error)})
    except SourceError as error:
        yield encode({"error": "source", "message": str(error)})
    except UnavailableError as error:
        yield encode({"error": "unavailable", "message": str(error)})
    except MemoryError:
        raise
    except Exception:
        yield encode({"error": "unreadable"})


def encode(message: dict[str, object]) -> bytes:
    """Return the message as one line of JSON; a lone surrogate becomes a question mark."""
    return json.dumps(message, ensure_ascii=False, default=_encode_value).encode("utf-8", "replace") + b"\n"


def _encode_value(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} cannot be sent")


if __name__ == "__main__":
    main()
