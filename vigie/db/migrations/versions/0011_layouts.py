"""Mails whose layout was not known: what is said of one of them holds for those written in the same way."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mention", sa.Column("layout", sa.String(64)))
    op.create_index(op.f("ix_mention_layout"), "mention", ["layout"])
