"""Keyset pages: a cursor names the last item seen, so that inserts shift nothing."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from vigie.errors import InvalidInputError

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200)]


def encode(moment: datetime, identity: str) -> str:
    """The cursor behind an item."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {identity}".encode()).decode()


def decode(cursor: str | None) -> tuple[datetime, str] | None:
    """Where a page starts; raises `InvalidInputError` for a cursor that we did not make."""
    if cursor is None:
        return None
    try:
        moment, _, identity = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        return datetime.fromisoformat(moment).astimezone(UTC), identity
    except (ValueError, binascii.Error, OverflowError) as error:
        raise InvalidInputError("this cursor is not one of ours") from error
