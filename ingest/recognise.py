"""What an address is, and what could be collected there."""

from collections.abc import Iterable

from ingest.http import Web
from ingest.source import Check
from ingest.sources import KINDS
from vigie.errors import SourceError


def recognise(target: str, allow_hosts: Iterable[str] = ()) -> list[Check]:
    """What each kind makes of `target`, the most telling first. Raises `SourceError` when none can use it."""
    found, problems = [], []
    with Web(allow_hosts, delay=0.2) as web:  # a person waits, and asks once
        for one in KINDS.values():
            try:
                if check := one.check(web, target):
                    found.append(check)
            except SourceError as error:
                problems.append(str(error))
    if not found:
        raise SourceError(f"{target}: {problems[0]}" if problems else f"{target} is nothing that Vigie can listen to")
    return found
