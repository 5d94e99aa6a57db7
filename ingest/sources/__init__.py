"""The registry: one file a source, one line each."""

from ingest.source import Source
from ingest.sources.csv_file import CsvFile
from ingest.sources.feed import Feed
from ingest.sources.push import Push

KINDS: dict[str, Source] = {
    "feed": Feed(),
    "csv": CsvFile(),
    "push": Push(),
}
