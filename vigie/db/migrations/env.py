"""What Alembic runs: our connection, our tables."""

from typing import Literal

from alembic import context

from vigie.db.tables import metadata
from vigie.db.types import Day, Instant, Json

_PLAIN = {
    Instant: 'sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")',
    Day: 'sa.String(10).with_variant(sa.Date(), "postgresql")',
    Json: 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")',
}


def render_item(kind: str, item: object, autogen_context: object) -> str | Literal[False]:
    """Return our types in plain words: a migration must not change when our code does."""
    plain = next((words for ours, words in _PLAIN.items() if kind == "type" and isinstance(item, ours)), None)
    return plain or False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
