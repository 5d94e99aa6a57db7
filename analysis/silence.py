"""When a source's silence, or its failure, is news: "nothing for three weeks where five a week came". Pure."""

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from analysis.alerts import Finding
from vigie import clock

RULE = "source_failing"

_WEEKS = 12  # of baseline, before the last mention
_LEAST_DAYS, _LEAST_MENTIONS = 10, 8
_CHANCE = 0.0005  # that nobody speaks for so long by chance, at the usual pace
_FAILING_FOR = timedelta(days=1)


def failing(
    source_id: str, name: str, error: str | None, since: datetime | None, now: datetime, timezone: str
) -> Finding | None:
    """A source that could not be read for a day."""
    if since is None or now - since < _FAILING_FOR:
        return None
    first, today = (clock.local_day(moment, timezone) for moment in (since, now))
    facts = {"source": name, "why": "failing", "error": error or "", "since": first.isoformat()}
    return Finding(RULE, source_id, f"failing:{since.date().isoformat()}", today, facts)


def silent(source_id: str, name: str, per_day: Mapping[date, int], today: date) -> Finding | None:
    """A source that used to bring something and no longer does.

    The pace is that of the twelve weeks before its last mention (Poisson): the chance of so long a silence at that
    pace must be under 1 in 2,000, the silence ten days or more, and the pace known from eight mentions or more.
    """
    days = [day for day, count in per_day.items() if count and day <= today]
    if not days:
        return None
    last = max(days)
    start = max(last - timedelta(weeks=_WEEKS), min(days))
    came = sum(count for day, count in per_day.items() if start <= day <= last)
    pace = came / ((last - start).days + 1)
    waited = (today - last).days
    if waited < _LEAST_DAYS or came < _LEAST_MENTIONS or math.exp(-pace * waited) > _CHANCE:
        return None
    facts = {"source": name, "why": "silent", "last": last.isoformat(), "days": waited, "usual": round(pace * 7, 1)}
    return Finding(RULE, source_id, f"silent:{last.isoformat()}", today, facts)
