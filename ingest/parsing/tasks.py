"""The parsers that run in a child, by name. Each module is imported when its first item comes."""

from collections.abc import Callable, Iterator
from typing import Any

Task = Callable[[bytes, Any], Iterator[object]]


def parse_mail(body: bytes, arguments: dict[str, Any]) -> Iterator[object]:
    """Yield the reviews that a platform's mail tells of, or why it was not understood."""
    from ingest.files.table import BadRow
    from ingest.mail.receive import read_mail

    content = read_mail(body, arguments["own_addresses"], waits_for_dns=arguments["waits_for_dns"])
    yield from content.reviews
    if content.doubt:
        yield BadRow(0, content.doubt)


def parse_page(body: bytes, arguments: dict[str, Any]) -> Iterator[object]:
    """Yield the content of a web page."""
    from ingest.page_data import read_page

    yield read_page(body, arguments["url"], arguments["headers"], is_own=arguments["is_own"])


def parse_feed(body: bytes, arguments: dict[str, Any]) -> Iterator[object]:
    """Yield the entries of a feed."""
    from ingest.feed_data import parse

    yield from parse(body, arguments["headers"], arguments["url"])


def parse_file(body: bytes, arguments: dict[str, Any]) -> Iterator[object]:
    """Yield the mentions of a file, then the rows that cannot be used, then its summary."""
    from ingest import files
    from ingest.files.table import How, drained
    from ingest.parsing.parts import FileSummary

    how = How(arguments["timezone"], arguments["mapping"], arguments["learnt"], arguments["platform"])
    result = files.read(body, how, arguments["kind"])
    del body
    yield from drained(result.found)
    yield from result.bad
    yield FileSummary(result.columns, result.shape, dict(result.counts), result.unread)


TASKS: dict[str, Task] = {"mail": parse_mail, "page": parse_page, "feed": parse_feed, "file": parse_file}
