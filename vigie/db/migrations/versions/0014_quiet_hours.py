"""Webhooks that wait for the morning, and deliveries found by when they were made."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhook", sa.Column("quiet_hours", sa.String(11)))
    op.drop_index("ix_outbox_address", "outbox")
    op.create_index("ix_outbox_address_created_at_id", "outbox", ["address", "created_at", "id"])
