"""The six digits are kept for the browser that asked for them, with the tries of that browser."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_code",
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(64), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("browser_hash", "person_id", name="pk_sign_in_code"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_sign_in_code_person_id", ondelete="CASCADE"),
    )
