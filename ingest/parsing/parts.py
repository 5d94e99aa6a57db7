"""Parts of an item, as a parser child sends them: dataclasses of plain values."""

from dataclasses import dataclass

from ingest.found import Found
from ingest.source import Aggregate


@dataclass(frozen=True, slots=True)
class FileSummary:
    """The column of each field of a file, and the hash of its header."""

    columns: dict[str, str]
    shape: str | None


@dataclass(frozen=True, slots=True)
class PageContent:
    """The content of a web page. `findings` is None unless they were asked for."""

    title: str
    reviews: tuple[Found, ...]
    aggregates: tuple[Aggregate, ...]
    findings: tuple[str, ...] | None
