"""Of many firms, which needs help first, and the one reason why."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Connection, FromClause, and_, func, select

from analysis.queries import COUNTS
from vigie import clock
from vigie.db.tables import alert, mention, source

Reason = Literal["failing", "unanswered", "alerts", "silent", "nowhere", "fine"]
_URGENCY: dict[Reason, int] = {"unanswered": 5, "failing": 4, "alerts": 3, "nowhere": 2, "silent": 1, "fine": 0}
_LATELY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Need:
    """Why a firm needs help, and how many of what the reason counts."""

    reason: Reason
    count: int = 0

    @property
    def order(self) -> tuple[int, int]:
        """Those that need most come first."""
        return -_URGENCY[self.reason], -self.count


def needs(connection: Connection, company_ids: Collection[str]) -> dict[str, Need]:
    """What each firm needs most, over the last thirty days."""
    since = clock.now() - _LATELY
    unhappy = and_(COUNTS, mention.c.label == "negative", mention.c.status == "new", mention.c.reply.is_(None))
    lately = mention.c.published_at >= since

    def counted(table: FromClause, *where: ColumnElement[bool]) -> dict[str, int]:
        """How many rows each of the firms has."""
        ours = table.c.company_id.in_(company_ids)
        query = select(table.c.company_id, func.count()).where(ours, *where).group_by(table.c.company_id)
        return {str(company_id): count for company_id, count in connection.execute(query)}

    unanswered = counted(mention, unhappy, lately)
    failing = counted(source, source.c.error.is_not(None), ~source.c.paused)
    alerts = counted(alert, alert.c.resolved_at.is_(None), alert.c.happened_at >= since)
    listened = counted(source)
    heard = counted(mention, COUNTS, lately)
    return {
        one: _need(*(found.get(one, 0) for found in (unanswered, failing, alerts, listened, heard)))
        for one in company_ids
    }


def _need(unanswered: int, failing: int, alerts: int, listened: int, heard: int) -> Need:
    if unanswered:
        return Need("unanswered", unanswered)
    if failing:
        return Need("failing", failing)
    if alerts:
        return Need("alerts", alerts)
    if not listened:
        return Need("nowhere")
    return Need("fine", heard) if heard else Need("silent")
