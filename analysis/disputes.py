"""A review that the firm contests: its dated copy with a fingerprint, and until when the law lets it act.

This is no legal advice. The delay is that of article 65 of the French law of 29 July 1881: three months from the day of
publication for defamation and insult; other grounds know longer ones.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from analysis import queries
from vigie import clock, db
from vigie.db.tables import dispute
from vigie.errors import InvalidInputError

REASONS = ("off_topic", "conflict_of_interest", "insult", "never_a_customer", "personal_data", "extortion")
_REMIND_AFTER = timedelta(days=14)
_KEPT = ("id", "url", "author", "title", "text", "rating_given", "platform")


def begin(connection: Connection, company_id: str, mention_id: str, reason: str, by: str) -> None:
    """Keep a copy of the review as it stands now. A second time changes the reason; the first copy stays.

    Raises `NotFoundError` for a mention of another firm, `InvalidInputError` for a reason that is none.
    """
    if reason not in REASONS:
        raise InvalidInputError(f"the reason is one of {', '.join(REASONS)}")
    one = queries.one_mention(connection, company_id, mention_id)
    copy = {**{name: one[name] for name in _KEPT}, "rating": one["rating"],
            "published_at": one["published_at"].isoformat(), "copied_at": clock.now().isoformat()}  # fmt: skip
    row = {"mention_id": mention_id, "company_id": company_id, "reason": reason, "copy": copy,
           "sha256": fingerprint(copy), "by": by[:120], "at": clock.now()}  # fmt: skip
    db.upsert(connection, dispute, [row], update=("reason",))


def fingerprint(copy: Mapping[str, Any]) -> str:
    """SHA-256 of the copy as JSON, its keys sorted: who holds the copy can check it."""
    text = json.dumps(copy, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def of_mention(connection: Connection, company_id: str, mention_id: str) -> dict[str, Any] | None:
    """The dispute of a mention, if there is one."""
    ours = dispute.c.company_id == company_id, dispute.c.mention_id == mention_id
    row = connection.execute(select(dispute).where(*ours)).mappings().one_or_none()
    return dict(row) if row else None


def told(kept: Mapping[str, Any], timezone: str) -> dict[str, Any]:
    """What the page says of it: `act_before` is a day, `remind_on` a moment."""
    published = clock.day_published(datetime.fromisoformat(kept["copy"]["published_at"]), timezone)
    return {**kept, "act_before": _three_months_after(published), "remind_on": kept["at"] + _REMIND_AFTER}


def _three_months_after(day: date) -> date:
    """The last day on which one may act: the same day three months on, or that month's last."""
    years, month = divmod(day.month + 2, 12)
    first = date(day.year + years, month + 1, 1)
    following = (first + timedelta(days=31)).replace(day=1)
    return min(first + timedelta(days=day.day - 1), following - timedelta(days=1))
