"""Who is told of alerts by mail, how often, and what they were told."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recipient", sa.Column("alerts", sa.String(16), nullable=False, server_default="none"))
    op.add_column("recipient", sa.Column("alerted_at", sa.BigInteger()))
    op.create_table(
        "alerted",
        sa.Column("company_id", sa.String(64), sa.ForeignKey("company.id", ondelete="CASCADE"), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("company_id", "email", "alert_id", name="pk_alerted"),
    )
