"""Mails and tests on demand are counted, for a day."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quota_use",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("company_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("address_hash", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_quota_use_company_id_at", "quota_use", ["company_id", "at"])
    op.create_index("ix_quota_use_address_hash", "quota_use", ["address_hash"])
    op.create_index("ix_quota_use_at", "quota_use", ["at"])
