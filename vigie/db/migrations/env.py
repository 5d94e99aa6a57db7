"""What Alembic runs: our connection, our tables."""

from typing import Literal

from alembic import context

from vigie.db.tables import metadata
from vigie.db.types import Instant


def render_item(kind: str, item: object, autogen_context: object) -> str | Literal[False]:
    """Instants are plain whole numbers in a migration, which must not change when our code does."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
