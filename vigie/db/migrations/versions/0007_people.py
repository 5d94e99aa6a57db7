"""People and what they may see; who handles a mention; markers, disputes, saved filters, checklists; who did what."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _company() -> sa.Column[str]:
    return sa.Column("company_id", sa.String(64), sa.ForeignKey("company.id", ondelete="CASCADE"), nullable=False)


def _person() -> sa.Column[str]:
    return sa.Column("person_id", sa.String(64), sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_person_email", "person", ["email"], unique=True)
    op.create_table(
        "member",
        _company(),
        _person(),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("company_id", "person_id", name="pk_member"),
    )
    op.create_index("ix_member_person_id", "member", ["person_id"])
    op.create_table(
        "sign_in",
        _person(),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name="pk_sign_in"),
    )
    op.add_column("token", sa.Column("person_id", sa.String(64)))
    op.create_index("ix_token_person_id", "token", ["person_id"])
    op.add_column("mention", sa.Column("assigned_to", sa.String(64)))
    op.add_column("alert", sa.Column("snoozed_until", sa.BigInteger()))
    op.create_table(
        "marker",
        sa.Column("id", sa.String(64), primary_key=True),
        _company(),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("label", sa.String(120), nullable=False),
        sa.Column("theme", sa.String(32), nullable=False, server_default=""),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_marker_company_id", "marker", ["company_id"])
    op.create_table(
        "dispute",
        sa.Column("mention_id", sa.String(64), primary_key=True),
        _company(),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("copy", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_dispute_company_id", "dispute", ["company_id"])
    op.create_table(
        "saved_filter",
        sa.Column("id", sa.String(64), primary_key=True),
        _company(),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_saved_filter_company_id", "saved_filter", ["company_id"])
    op.create_table(
        "ticked",
        _company(),
        sa.Column("guide", sa.String(32), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("company_id", "guide", "step", name="pk_ticked"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("company_id", sa.String(64)),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
    )
    op.create_index("ix_audit_company_id_at", "audit", ["company_id", "at"])
