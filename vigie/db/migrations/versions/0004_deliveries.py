"""What came of each delivery, endpoints that rest or are off, secrets that turn, and authors who are forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhook", sa.Column("rules", sa.JSON()))
    op.add_column("webhook", sa.Column("former_secret", sa.LargeBinary()))
    op.add_column("webhook", sa.Column("former_until", sa.BigInteger()))
    op.add_column("webhook", sa.Column("failing_since", sa.BigInteger()))
    op.add_column("webhook", sa.Column("resting_until", sa.BigInteger()))
    op.add_column("webhook", sa.Column("off", sa.String(16)))
    op.create_table(
        "attempt",
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(["delivery_id"], ["outbox.id"], name="fk_attempt_delivery_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="pk_attempt"),
    )
    op.create_table(
        "forgotten",
        sa.Column("company_id", sa.String(64), nullable=False),
        sa.Column("author_hash", sa.String(64), nullable=False),
        sa.Column("source_id", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name="fk_forgotten_company_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("company_id", "author_hash", "source_id", name="pk_forgotten"),
    )
    op.create_index("ix_outbox_address", "outbox", ["address"])
