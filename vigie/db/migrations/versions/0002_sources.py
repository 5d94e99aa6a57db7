"""Sources that keep secrets and learn, aggregates, and mentions that stand apart."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "aggregate",
        sa.Column("source_id", sa.String(64), nullable=False),
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("company_id", sa.String(64), nullable=False),
        sa.Column("average", sa.Float(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("given", sa.String(64), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name="fk_aggregate_source_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name="fk_aggregate_company_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source_id", "platform", "day", name="pk_aggregate"),
    )
    op.create_index("ix_aggregate_company_id", "aggregate", ["company_id"])
    op.create_table(
        "learnt",
        sa.Column("company_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("shape", sa.String(64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name="fk_learnt_company_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("company_id", "kind", "shape", name="pk_learnt"),
    )
    op.add_column("source", sa.Column("sealed", sa.LargeBinary()))
    op.add_column("source", sa.Column("every", sa.Integer()))
    op.add_column("source", sa.Column("findings", sa.JSON()))
    op.add_column("mention", sa.Column("platform", sa.String(32)))
    op.add_column("mention", sa.Column("translation", sa.Text()))
    op.add_column("mention", sa.Column("cut", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("mention", sa.Column("expires_at", sa.BigInteger()))
    op.add_column("mention", sa.Column("expired", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("mention", sa.Column("apart", sa.String(16)))
    op.add_column("mention", sa.Column("copy_of", sa.String(64)))
    op.add_column("mention", sa.Column("relevance", sa.JSON()))
    op.create_index("ix_mention_copy_of", "mention", ["copy_of"])
    op.create_index("ix_mention_expires_at", "mention", ["expires_at"])
    op.add_column("company", sa.Column("website", sa.Text()))
    op.execute("UPDATE source SET kind = 'file' WHERE kind = 'csv'")
    # From now on each firm's sources are looked at daily, and words that must go are removed hourly.
    op.execute("INSERT INTO due (kind, key, due_at, claim) SELECT 'sources', id, 0, 0 FROM company")
    op.execute("INSERT INTO due (kind, key, due_at, claim) VALUES ('expiry', 'mentions', 0, 0)")
