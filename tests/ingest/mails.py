"""A mail as most tests ask about it: by its first review."""

from collections.abc import Collection

from ingest.found import Found
from ingest.mail.receive import read_mail


def review_of(raw: bytes, own_addresses: Collection[str] = (), *, waits_for_dns: bool = False) -> Found | None:
    """Return the first review of a mail, as `read_mail` does; None where there is none."""
    return next(iter(read_mail(raw, own_addresses, waits_for_dns=waits_for_dns).reviews), None)
