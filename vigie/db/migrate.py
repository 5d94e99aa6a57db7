"""Bring the tables to this release's form. Only `up` and `migrate` do; other roles wait and `/ready` says why."""

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from vigie.db.engine import writing

# The newest file in migrations/versions; a test compares, as importing Alembic costs 0.4 s at every start.
HEAD = "0026"


def migrate(engine: Engine, to: str = "head") -> None:
    """Run what is missing, one process at a time."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # a large table takes minutes
            connection.execute(text("SELECT pg_advisory_xact_lock(8444331)"))
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def version(engine: Engine) -> str | None:
    """The form that the tables have now; None before the first migration."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def is_current(engine: Engine) -> bool:
    """Whether this release can work on the tables as they are."""
    return version(engine) == HEAD
