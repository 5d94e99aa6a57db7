"""Sources remember whether their secret was set by whoever runs the installation."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[bool] = sa.Column("held_by_host", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("source", column)
    # Nobody knows any more who set the earlier secrets: the careful answer protects shared mailboxes.
    op.execute(sa.text("UPDATE source SET held_by_host = true WHERE sealed IS NOT NULL"))
