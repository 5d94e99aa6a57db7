"""Each stored offset names the topic that it is of; those stored before adopt the one that is there."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consumer_offset", sa.Column("topic_id", sa.String(64)))
