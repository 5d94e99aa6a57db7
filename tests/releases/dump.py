"""`python -m tests.releases.dump SQLITE-URL FILE`: a small database as JSON, for later releases to migrate.

Run on the data folder of `vigie demo --once` when a release's tables are settled.
"""

import json
import sys
from pathlib import Path

from sqlalchemy import Connection, MetaData, create_engine, select


def rows_of(connection: Connection) -> dict[str, list[dict]]:
    """Every table's rows, in an order in which they can be inserted; bytes as {"hex": …}."""
    metadata = MetaData()
    metadata.reflect(connection)
    return {
        table.name: [
            {key: {"hex": value.hex()} if isinstance(value, bytes) else value for key, value in row.items()}
            for row in connection.execute(select(table)).mappings()
        ]
        for table in metadata.sorted_tables
        if table.name != "alembic_version" and not table.name.startswith("mention_search")
    }


def load(connection: Connection, tables: dict[str, list[dict]]) -> None:
    """The reverse, into tables that exist."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in reversed(metadata.sorted_tables):
        if table.name in tables:
            connection.execute(table.delete())  # a migration may have written timers of its own
    for name, rows in tables.items():
        for row in rows:
            values = {
                key: bytes.fromhex(value["hex"]) if isinstance(value, dict) and set(value) == {"hex"} else value
                for key, value in row.items()
            }
            connection.execute(metadata.tables[name].insert().values(**values))


if __name__ == "__main__":
    with create_engine(sys.argv[1]).connect() as connection:
        found = rows_of(connection)
    Path(sys.argv[2]).write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
