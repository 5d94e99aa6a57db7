"""Webhooks that are told of mentions and speak the language of a CRM; mails by day, week or month."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhook", sa.Column("mentions", sa.JSON()))
    op.add_column("webhook", sa.Column("recipe", sa.String(32)))
    op.add_column("webhook", sa.Column("template", sa.LargeBinary()))
    op.add_column("webhook", sa.Column("headers", sa.LargeBinary()))
    op.add_column("recipient", sa.Column("frequency", sa.String(16), nullable=False, server_default="weekly"))
