"""Logs on standard error: one line an event, without personal data and without floods.

Each line is logfmt or a JSON object. Control characters are escaped, e-mail addresses are masked, and exceptions are
shown by type and stack without their message, which may quote a customer (the level `debug` shows it). Libraries that
use the standard library's `logging` are written by the same rules, from the level `warning` on.
"""

import logging
import re
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from vigie.errors import PositionError, SettingsError, UnavailableError

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

# Line breaks are left to the renderer, which escapes them; bidirectional marks reorder what is read.
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_MAIL_ADDRESS = re.compile(r"[^\s@<>()\[\]\"',;:=/?&]{1,64}@[^\s@<>()\[\]\"',;/?&]{1,255}")
_MAX_VALUE_CHARS = 2_000
_MAX_EXCEPTION_CHARS = 8_000
_MAX_FRAMES = 30
_MAX_CAUSES = 5
_ESCAPED_FIELDS = frozenset({"level", "timestamp"})  # ours, so neither escaped nor masked
_REPEAT_SECONDS = 10.0
_TRACEBACK_SECONDS = 60.0
# Fields that differ between two lines about one outage.
_PASSING_FIELDS = frozenset({"timestamp", "path", "method", "wait"})

# Errors whose messages are ours, and say what to do.
_OWN_WORDS = (PositionError, SettingsError, UnavailableError)

Event = MutableMapping[str, Any]


def configure(level: str = "info", line_format: str = "logfmt") -> None:
    """Write the logs of this process to standard error; `level` is a key of `LEVELS`, `line_format` logfmt or json."""
    is_debug = level == "debug"
    in_order = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
    renderer = structlog.processors.JSONRenderer() if line_format == "json" else in_order
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            ExceptionText(with_messages=is_debug),
            escape_controls,
            mask_mail_addresses,
            RepeatLimit(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
    )
    library_level = logging.INFO if is_debug else max(logging.WARNING, LEVELS[level])
    logging.basicConfig(handlers=[_ToStructlog()], level=library_level)
    # kafka-python warns of each attempt to reach a broker; what fails for good comes to us as an exception.
    logging.getLogger("kafka").setLevel(logging.WARNING if is_debug else logging.CRITICAL)
    logging.getLogger("uvicorn.error").addFilter(_is_not_logged_by_us)


def escape_controls(logger: Any, method: str, event: Event) -> Event:
    """Escape control characters, so that a stranger's text cannot move the cursor of the reader's terminal."""
    for name, value in event.items():
        if name not in _ESCAPED_FIELDS and not isinstance(value, int | float | None):
            limit = _MAX_EXCEPTION_CHARS if name == "exception" else _MAX_VALUE_CHARS
            event[name] = _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", str(value)[:limit])
    return event


def mask_mail_addresses(logger: Any, method: str, event: Event) -> Event:
    """Replace e-mail addresses, which mail servers quote in their replies."""
    for name, value in event.items():
        if isinstance(value, str) and "@" in value:
            event[name] = _MAIL_ADDRESS.sub("(address)", value)
    return event


class ExceptionText:
    """A processor that puts `exception` in the place of `exc_info`: the stack and the type of each cause."""

    def __init__(self, *, with_messages: bool) -> None:
        self._with_messages = with_messages

    def __call__(self, logger: Any, method: str, event: Event) -> Event:
        exc_info = event.pop("exc_info", None)
        error = _exception_of(exc_info)
        if error is not None:
            event["exception"] = self._render(error)
        return event

    def _render(self, error: BaseException) -> str:
        """Return the causes in Python's order, the last one raised at the end."""
        if self._with_messages:
            return "".join(traceback.format_exception(error)).rstrip()
        parts = [_stack_and_type(cause) for cause in _causes(error)]
        return "\n".join(reversed(parts))


class RepeatLimit:
    """A processor that drops a warning which was written lately; the next one tells how many were dropped.

    An outage of a minute is then a few lines, however many requests meet it.
    """

    def __init__(self, *, seconds: float = _REPEAT_SECONDS, traceback_seconds: float = _TRACEBACK_SECONDS) -> None:
        self._seconds, self._traceback_seconds = seconds, traceback_seconds
        self._written: OrderedDict[Any, tuple[float, int]] = OrderedDict()

    def __call__(self, logger: Any, method: str, event: Event) -> Event:
        if event.get("level") not in {"warning", "error", "critical"}:
            return event
        key = frozenset((name, str(value)) for name, value in event.items() if name not in _PASSING_FIELDS)
        now = time.monotonic()
        seconds = self._traceback_seconds if "exception" in event else self._seconds
        written_at, dropped = self._written.get(key, (float("-inf"), 0))
        if now - written_at < seconds:
            self._written[key] = written_at, dropped + 1
            raise structlog.DropEvent
        self._written[key] = now, 0
        self._written.move_to_end(key)
        if len(self._written) > 500:
            self._written.popitem(last=False)
        if dropped:
            event["repeated"] = dropped
        return event


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return cast("BaseException | None", exc_info[1])
    return sys.exc_info()[1] if exc_info else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception, then what it was raised from."""
    cause: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _stack_and_type(error: BaseException) -> str:
    stack = "".join(traceback.format_tb(error.__traceback__, limit=-_MAX_FRAMES))
    message = f": {error}" if isinstance(error, _OWN_WORDS) else ""
    return f"{stack}{type(error).__module__}.{type(error).__qualname__}{message}"


def _is_not_logged_by_us(record: logging.LogRecord) -> bool:
    """Return False for a failed request, which `api.errors` has logged already."""
    return not str(record.msg).startswith("Exception in ASGI application")


class _ToStructlog(logging.Handler):
    """Hands the records of libraries to structlog, so that they are masked and rendered as ours."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(record.name)
        logger.log(record.levelno, record.getMessage(), library=record.name, exc_info=record.exc_info)


class _StandardError:
    """Standard error. A line that cannot be written (its disk is full, its reader left) is lost, and ends nobody."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()
