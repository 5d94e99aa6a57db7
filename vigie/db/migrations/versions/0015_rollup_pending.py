"""What trends will change by when a firm has been read anew."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_COUNTS = ("mentions", "negative", "neutral", "positive", "rated")
_SUMS = ("rating_sum", "rating_squares", "score_sum")


def upgrade() -> None:
    op.create_table(
        "rollup_pending",
        sa.Column("company_id", sa.String(64), sa.ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("source_id", sa.String(64), primary_key=True),
        sa.Column("theme", sa.String(32), primary_key=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
    )
