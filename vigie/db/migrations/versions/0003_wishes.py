"""What customers ask for, and words that contradict their stars."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mention", sa.Column("wishes", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("mention", sa.Column("contradicts", sa.Boolean(), nullable=False, server_default=sa.false()))
