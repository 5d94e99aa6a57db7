"""Which mentions each delivery quotes."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quotation",
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("mention_id", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "mention_id", name="pk_quotation"),
    )
    op.create_index("ix_quotation_mention_id", "quotation", ["mention_id"])
    op.create_index("ix_outbox_settled_at", "outbox", ["settled_at"])
