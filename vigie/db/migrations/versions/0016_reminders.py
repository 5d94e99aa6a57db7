"""Alerts that are told again until somebody has seen to them, for those who wish."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recipient", sa.Column("reminders", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("alerted", sa.Column("told_at", sa.BigInteger()))
    op.add_column("alerted", sa.Column("times", sa.Integer(), nullable=False, server_default="1"))
