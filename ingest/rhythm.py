"""How often to ask a source, learnt from what it brings; and which of its entries it brought last time. Pure."""

import hashlib
from collections.abc import Iterable
from datetime import timedelta

from vigie.events import Mention

SEEN = "seen"  # in a cursor, beside what the connector keeps there
_MOST_SEEN = 5_000


def next_wait(
    seconds: int | None, bounds: tuple[timedelta, timedelta], *, brought: bool, first: bool = False
) -> timedelta:
    """The wait until the next poll: half the last one after something new, a quarter more after nothing.

    So a source that brings one thing a week is asked a few times a day, and a busy one at its shortest wait.
    """
    shortest, longest = bounds
    last = timedelta(seconds=seconds) if seconds else shortest
    if first:
        return shortest
    return max(shortest, min(longest, last / 2 if brought else last * 1.25))


def digest(one: Mention) -> str:
    """What an entry says, when it was collected left out: short, since a cursor holds thousands."""
    says = (one.id, one.text, one.title, one.rating, one.updated_at, one.reply, one.apart, one.translation)
    return hashlib.blake2b(repr(says).encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def digests(found: Iterable[Mention]) -> list[str]:
    """The digests of one poll's entries."""
    return [digest(one) for one in found][:_MOST_SEEN]
