"""What a firm may ask to be told besides: an unhappy customer who still waits, a subject that is new. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from analysis.alerts import Finding, quoted
from analysis.emerging import Rising

UNANSWERED, NEW_SUBJECT = "unanswered", "new_subject"
WAITS = timedelta(hours=48)
GIVEN_UP = timedelta(days=30)


def unanswered(rows: Iterable[Mapping[str, Any]], now: datetime, today: date) -> Iterator[Finding]:
    """One finding for each unhappy review with stars that nobody has answered or dealt with in two days."""
    for row in rows:
        waits = now - row["published_at"]
        is_open = row["status"] in {"new", "acknowledged"} and row["apart"] is None and not row["reply"]
        if is_open and row["label"] == "negative" and row["rating"] is not None and WAITS <= waits < GIVEN_UP:
            facts = {"rating": row["rating"], "days": waits.days, "quote": quoted(row)}
            yield Finding(UNANSWERED, row["id"], "once", today, facts, (row["id"],))


def new_subjects(rising: Iterable[Rising], today: date) -> Iterator[Finding]:
    """One finding for each subject that customers begin to speak of, once in a quarter."""
    window = f"{today.year}-Q{(today.month + 2) // 3}"
    for one in rising:
        # Without the quote: an alert that names no mention could not be cleaned when its author is forgotten.
        facts = {name: value for name, value in one._asdict().items() if name != "quote"}
        yield Finding(NEW_SUBJECT, one.term, window, today, facts)
