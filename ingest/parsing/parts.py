"""Parts of an item, as a parser child sends them: dataclasses of plain values."""

from dataclasses import dataclass, field

from ingest.found import Found
from ingest.source import Aggregate


@dataclass(frozen=True, slots=True)
class FileSummary:
    """The column of each field of a file, the hash of its header, and what its rows lacked (as `table.Read` says)."""

    columns: dict[str, str]
    shape: str | None
    counts: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PageContent:
    """The content of a web page. `findings` is None unless they were asked for."""

    title: str
    reviews: tuple[Found, ...]
    aggregates: tuple[Aggregate, ...]
    findings: tuple[str, ...] | None
