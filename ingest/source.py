"""What a source is: the contract for each file in `ingest/sources/`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from ingest.found import Found
from ingest.http import Web

Cursor = Mapping[str, Any]
Options = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What customers see on a platform: its average and how many ratings made it. Never counted as reviews."""

    average: float  # on five
    count: int
    given: str
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll brought, and what the source needs to remember (JSON) to ask only for what is new."""

    found: tuple[Found, ...] = ()
    cursor: Cursor = field(default_factory=dict)
    # The source's new address, when it says for good that it has moved.
    moved_to: str | None = None
    aggregates: tuple[Aggregate, ...] = ()
    # What the firm's own page lacks, by name (dashboards say it in words); None where it was not looked at.
    findings: tuple[str, ...] | None = None
    # There is more to fetch: ask again at once.
    more: bool = False
    # How many items (mails, entries) could not be read and were skipped.
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """What an address turned out to be, for somebody who thinks of adding it."""

    kind: str
    target: str
    name: str
    found: int
    sample: str | None = None
    aggregate: Aggregate | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be done with what a source brings; where they are written stands in the connector's docstring."""

    keep_days: int | None = None  # how long the words may be kept; scores stay
    display: bool = True
    attribution: str | None = None  # what must stand beside a text
    benchmark: bool = True  # whether texts may feed a benchmark or a model: Vigie has none that reads several firms

    @property
    def words_kept(self) -> int | None:
        """For how many days the words may be kept; none at all where they may not be shown. None is for good."""
        return self.keep_days if self.display else 0


class Source(Protocol):
    """One kind of source. It decides nothing about storage: it reads what is there now.

    Called from several threads at once.
    """

    #: in plain words, as `vigie source kinds` shows it
    description: str
    #: what `target` is, in plain words
    target: str
    #: whether ids are unique on a whole platform (google …) rather than within one source
    platform: str | None
    #: whether it is polled; a pushed or imported one is not
    polled: bool
    #: whether it may also speak of others (a search, the press), so that analysis/relevance.py decides
    guarded: bool
    #: name → what it means, for `--option name=value`; those in `secrets` are sealed at rest
    options: Mapping[str, str]
    secrets: frozenset[str]
    #: the shortest and the longest time between two polls; between them the source's rhythm decides
    rhythm: tuple[timedelta, timedelta]
    terms: Terms

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        """Raises `SourceError`, in words that its owner understands."""

    def check(self, web: Web, target: str) -> Check | None:
        """What `target` is, if it is something for this kind."""


class Polled:
    """The usual answers of a source that is asked; a connector says what differs."""

    target = "its address"
    platform: str | None = None
    polled = True
    guarded = False
    options: Mapping[str, str] = {}
    secrets: frozenset[str] = frozenset()
    rhythm = timedelta(minutes=15), timedelta(hours=6)
    terms = Terms()

    def check(self, web: Web, target: str) -> Check | None:
        return None


class Unpolled(Polled):
    """A source that nobody asks: what it brings is imported or pushed."""

    target = "any name"
    polled = False

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        return Poll(cursor=cursor)
