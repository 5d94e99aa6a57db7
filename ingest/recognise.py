"""What an address is, and what could be collected there."""

from collections.abc import Iterable, Mapping
from typing import Any

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


def proposals(firm: Mapping[str, Any], allow_hosts: Iterable[str] = ()) -> tuple[list[Check], str]:
    """What a firm could listen to, by its name, town and site, asked right now; and why its site gives nothing."""
    found: list[Check] = []
    problem = ""
    if firm["website"]:
        address = firm["website"] if "://" in firm["website"] else f"https://{firm['website']}"
        try:
            found += recognise(address, allow_hosts)
        except SourceError as error:
            problem = str(error)
    words = f'"{firm["name"]}" {firm["city"] or ""}'.strip()
    press = KINDS["google_news"]
    try:
        with Web(allow_hosts, delay=0.2) as web:
            heard = press.poll(web, words, {}, {}).found
        sample = next((one.title for one in heard), None)
        found.append(Check("google_news", words, f"Google News : {words}", len(heard), sample))
    except SourceError:
        pass  # the press can be added later; the page is no place for its troubles
    return found, problem
