"""What a source is: the contract for each file in `ingest/sources/`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx2

from ingest.found import Found

Cursor = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll brought, and what the source needs to remember (JSON) to ask only for what is new."""

    found: tuple[Found, ...] = ()
    cursor: Cursor = field(default_factory=dict)
    # The source's new address, when it says for good that it has moved.
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What an address turned out to be, for somebody who thinks of adding it."""

    kind: str
    target: str
    name: str
    found: int
    sample: str | None = None


class Source(Protocol):
    """One kind of source. It decides nothing about storage: it reads what is there now.

    Called from several threads at once.
    """

    #: in plain words, as `vigie source kinds` shows it
    description: str
    #: whether ids are unique on a whole platform (google …) rather than within one source
    platform: str | None
    #: whether it is polled; a pushed or imported one is not
    polled: bool

    def poll(self, http: httpx2.Client, target: str, options: Mapping[str, str], cursor: Cursor) -> Poll:
        """Raises `SourceError`, in words that its owner understands."""

    def check(self, http: httpx2.Client, target: str) -> Check | None:
        """What `target` is, if it is something for this kind."""


class Unpolled:
    """A source that nobody asks: what it brings is imported or pushed."""

    platform: str | None = None
    polled = False

    def poll(self, http: httpx2.Client, target: str, options: Mapping[str, str], cursor: Cursor) -> Poll:
        return Poll(cursor=cursor)

    def check(self, http: httpx2.Client, target: str) -> Check | None:
        return None
