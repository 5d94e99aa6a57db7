"""What one mail brought."""

from dataclasses import dataclass

from ingest.found import Found


@dataclass(frozen=True, slots=True)
class MailContent:
    """The reviews of one mail. `doubt` says why a platform's mail that speaks of reviews brought none."""

    reviews: tuple[Found, ...] = ()
    doubt: str | None = None
