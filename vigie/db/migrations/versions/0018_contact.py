"""The address that a customer left to be answered, and the wish that they typed, apart from author and text."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mention", sa.Column("contact", sa.Text()))
    op.add_column("mention", sa.Column("wish", sa.Text()))
    # Until now the address of whoever answered a form stood as the author.
    op.execute(
        "UPDATE mention SET contact = author, author = NULL WHERE author LIKE '%_@_%' AND source_id IN "
        "(SELECT id FROM source WHERE kind = 'form')"
    )
