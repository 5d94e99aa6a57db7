"""Parts of an item, as a parser child sends them: dataclasses of plain values."""

from dataclasses import dataclass

from ingest.found import Found
from ingest.source import Aggregate


@dataclass(frozen=True, slots=True)
class FileSummary:
    """How a file was read: the column of each field, and the hash of its header."""

    columns: dict[str, str]
    shape: str | None


@dataclass(frozen=True, slots=True)
class PageContent:
    """What a web page holds. `findings` is None unless they were asked for."""

    title: str
    reviews: tuple[Found, ...]
    aggregates: tuple[Aggregate, ...]
    findings: tuple[str, ...] | None
