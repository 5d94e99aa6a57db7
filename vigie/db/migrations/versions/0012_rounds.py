"""Names that complaints hide, alerts that each recipient is mailed, parts that a key opens, advisers' Mondays."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("company", sa.Column("staff", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("recipient", sa.Column("rules", sa.JSON()))
    op.add_column("token", sa.Column("scopes", sa.JSON()))
    connection = op.get_bind()
    member = sa.table("member", sa.column("person_id", sa.String), sa.column("role", sa.String))
    due = sa.table("due", *(sa.column(name) for name in ("kind", "key", "due_at", "claim")))
    advisers = connection.scalars(sa.select(member.c.person_id).where(member.c.role == "adviser").distinct()).all()
    for person_id in advisers:
        connection.execute(due.insert().values(kind="round", key=person_id, due_at=_next_monday(), claim=0))


def _next_monday() -> int:
    day = datetime.now(UTC).date()
    monday = day + timedelta(days=7 - day.weekday())
    at_seven = datetime(monday.year, monday.month, monday.day, 7, tzinfo=ZoneInfo("Europe/Paris"))
    return round(at_seven.astimezone(UTC).timestamp() * 1_000_000)
