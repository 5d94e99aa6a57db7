"""Web pages that show reviews as schema.org data (ingest/page_data.py); robots.txt is obeyed.

Of the company's own page also what a customer on a telephone misses: its findings, by name.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from ingest import parsing
from ingest.http import Answer, Web, refused
from ingest.source import Check, Cursor, Options, Poll, Polled

_HEADERS = ("content-type", "x-robots-tag")  # those that say how a page is to be read


class Page(Polled):
    """A page that shows reviews as data."""

    description = "a web page that shows reviews as data (schema.org), such as your own site"
    target = "the address of the page"
    options: Mapping[str, str] = {"own": "yes for the firm's own site: what it lacks is told"}
    rhythm = timedelta(hours=6), timedelta(days=2)

    def poll(self, web: Web, target: str, options: Options, cursor: Cursor) -> Poll:
        """Return the page's reviews; raises `SourceError`."""
        answer = web.get(target, _conditions(cursor), as_robot=True)
        if answer.status == 304:
            return Poll(cursor=cursor)
        if error := refused(answer):
            raise error
        digest = hashlib.blake2b(answer.body, digest_size=16).hexdigest()
        new_cursor = {"etag": answer.headers.get("etag", "")[:500], "body": digest}
        if digest == cursor.get("body"):
            return Poll(cursor=new_cursor)
        content = _parsed(answer, is_own=options.get("own") == "yes")
        return Poll(content.reviews, new_cursor, answer.moved_to, content.aggregates, content.findings)

    def check(self, web: Web, target: str) -> Check | None:
        """Return what the page would bring, or None when it shows no reviews; raises `SourceError`."""
        answer = web.get(target, as_robot=True)
        if error := refused(answer):
            raise error
        content = _parsed(answer, is_own=False)
        if not content.reviews and not content.aggregates:
            return None
        samples = (review.text[:100] or review.title for review in content.reviews)
        return Check(
            "page",
            answer.url,
            content.title or answer.url,
            len(content.reviews),
            next(samples, None),
            next(iter(content.aggregates), None),
        )


def _parsed(answer: Answer, *, is_own: bool) -> parsing.PageContent:
    headers = {name: answer.headers[name][:500] for name in _HEADERS if name in answer.headers}
    return parsing.read_page(answer.body, answer.url, headers, is_own=is_own)


def _conditions(cursor: Cursor) -> dict[str, str]:
    return {"If-None-Match": cursor["etag"]} if cursor.get("etag") else {}
