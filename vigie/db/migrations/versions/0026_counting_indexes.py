"""Indexes of the mentions that do not count, and of those with customer requests by day."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_EXCLUDED = sa.text("status = 'aside' OR apart IS NOT NULL")
_ASKING = sa.text("wishes <> '[]'")


def upgrade() -> None:
    op.create_index(
        "ix_mention_excluded",
        "mention",
        ["company_id", "apart", "published_at", "id", "status"],
        postgresql_where=_EXCLUDED,
        sqlite_where=_EXCLUDED,
    )
    op.create_index(
        "ix_mention_wishes", "mention", ["company_id", "day"], postgresql_where=_ASKING, sqlite_where=_ASKING
    )
