"""Strangers' bytes are parsed in a child process, within a deadline and a memory limit (docs/adr, parser child)."""

import atexit
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import BinaryIO

from ingest.files.table import BadRow, How, Read
from ingest.found import Found
from ingest.mail.content import MailContent
from ingest.parsing.parts import FileSummary, PageContent
from ingest.parsing.pool import ParserError, ParserPool, Part
from vigie import settings
from vigie.errors import InvalidInputError, SourceError, UnavailableError

__all__ = [
    "PageContent",
    "ParserError",
    "ParserPool",
    "read_feed",
    "read_file",
    "read_mail",
    "read_page",
    "shared_pool",
]

ITEM_SECONDS, FILE_SECONDS = 20.0, 60.0


@lru_cache(maxsize=1)
def shared_pool() -> ParserPool:
    """Return this process's parsers; `VIGIE_PARSERS` says how many there may be."""
    pool = ParserPool(settings.load().parsers)
    atexit.register(pool.close)
    return pool


def read_file(body: bytes | BinaryIO, how: How, kind: str | None = None) -> Read:
    """Read a file of reviews; raises `InvalidInputError` when it cannot be used as a whole."""
    mappings = {shape: dict(mapping) for shape, mapping in how.learnt.items()}
    arguments = {
        "timezone": how.timezone, "mapping": dict(how.mapping), "learnt": mappings, "kind": kind,
        "platform": how.platform,
    }  # fmt: skip
    try:
        parts = shared_pool().run("file", body, arguments, seconds=FILE_SECONDS)
    except ParserError as error:
        raise _explain_file(error) from error
    result = Read()
    for part in parts:
        if isinstance(part, Found):
            result.found.append(part)
        elif isinstance(part, BadRow):
            result.bad.append(part)
        elif isinstance(part, FileSummary):
            result.columns, result.shape = part.columns, part.shape
            result.counts.update(part.counts)
            result.unread = part.unread
    return result


def read_mail(raw: bytes, own_addresses: Collection[str] = (), *, waits_for_dns: bool = False) -> MailContent:
    """Return the reviews that a platform's mail tells of, as `ingest.mail.receive.read_mail` does.

    Raises `SourceError` for a mail that cannot be read, and `UnavailableError` where it may be read later.
    """
    parts = _run_item("mail", raw, own_addresses=sorted(own_addresses), waits_for_dns=waits_for_dns)
    reviews = tuple(part for part in parts if isinstance(part, Found))
    doubt = next((part.reason for part in parts if isinstance(part, BadRow)), None)
    return MailContent(reviews, doubt)


def read_page(body: bytes, url: str, headers: Mapping[str, str], *, is_own: bool) -> PageContent:
    """Return the content of a web page; raises `SourceError` for one that cannot be read."""
    for part in _run_item("page", body, url=url, headers=dict(headers), is_own=is_own):
        if isinstance(part, PageContent):
            return part
    raise SourceError("it cannot be read")


def read_feed(body: bytes, url: str, headers: Mapping[str, str]) -> tuple[Found, ...]:
    """Return the entries of a feed; raises `SourceError` for one that cannot be read."""
    parts = _run_item("feed", body, url=url, headers=dict(headers))
    return tuple(part for part in parts if isinstance(part, Found))


def _run_item(task: str, body: bytes, **arguments: object) -> list[Part]:
    """Return the parts of one item; raises `SourceError`, or `UnavailableError` where it may be read later."""
    try:
        return shared_pool().run(task, body, arguments, seconds=ITEM_SECONDS)
    except ParserError as error:
        raise _explain_item(error) from error


def _explain_file(error: ParserError) -> InvalidInputError:
    if error.reason == "time":
        return InvalidInputError("this file takes too long to read: cut it in parts")
    if error.reason == "memory":
        return InvalidInputError("this file takes too much memory to read: cut it in parts")
    if error.reason == "busy":
        return InvalidInputError("other files are being read: try again in a few minutes")
    return InvalidInputError("this file cannot be read: save it again, or as CSV")


def _explain_item(error: ParserError) -> SourceError | UnavailableError:
    if error.reason == "time":
        return SourceError("it takes too long to read")
    if error.reason == "memory":
        return SourceError("it takes too much memory to read")
    if error.reason == "busy":
        return UnavailableError("other sources are being read: it is tried again later")
    return SourceError("it cannot be read")
