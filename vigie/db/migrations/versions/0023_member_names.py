"""A person's name in a company is the one that this company gave: it tells nobody what another one wrote."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("member", sa.Column("name", sa.String(200), nullable=True))
    op.execute("UPDATE member SET name = (SELECT person.name FROM person WHERE person.id = member.person_id)")
