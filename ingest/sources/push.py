"""What a firm's own programs send to the API; nothing is polled."""

from collections.abc import Mapping

import httpx2

from ingest.source import Check, Cursor, Poll


class Push:
    """The source of `POST /api/v1/companies/{id}/mentions`."""

    description = "reviews and mentions that your own programs send to the API"
    platform: str | None = None
    polled = False

    def poll(self, http: httpx2.Client, target: str, options: Mapping[str, str], cursor: Cursor) -> Poll:
        return Poll(cursor=cursor)

    def check(self, http: httpx2.Client, target: str) -> Check | None:
        return None
