"""What every command works with: the settings, the database, the log, opened once and closed at the end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ingest.collect import Intake
    from vigie.log import EventLog
    from vigie.settings import Settings


@dataclass(slots=True)
class House:
    """The settings, the database, the log."""

    settings: "Settings"
    engine: "Engine"
    log: "EventLog"

    def __post_init__(self) -> None:
        if self.settings.publish_alerts:
            from analysis import publishing

            publishing.enable(self.engine)

    @property
    def intake(self) -> "Intake":
        """Where mentions enter the log."""
        from ingest.collect import Intake

        return Intake(self.engine, self.log, self.settings.secret())

    def count_unread(self) -> int | None:
        """Return how many records of the log the analysis has not read; None where that is unknown."""
        from vigie import positions
        from vigie.log import ANALYSIS, MENTIONS

        unread = positions.count_unread(self.engine, self.log, ANALYSIS, MENTIONS)
        return None if unread is None else sum(unread.values())


@contextmanager
def opened(*, migrated: bool = True, role: str = "command", **overrides: Any) -> Iterator[House]:
    """Settings, database and log, opened; what is embedded is made here, as nobody else does so.

    `role` names this process to PostgreSQL (`application_name`), to Kafka (`client_id`) and in traces. Commands that
    are no role, and roles in a terminal, log warnings only, unless VIGIE_LOG_LEVEL is set.
    """
    from vigie import db, heartbeat, logs, moving, private_files, settings, traces
    from vigie.db.migrate import is_current, migrate
    from vigie.errors import SettingsError
    from vigie.log import open_log

    given = settings.load(**overrides)
    is_told_in_words = role == "command" or sys.stderr.isatty()
    is_quiet = is_told_in_words and "log_level" not in given.model_fields_set
    logs.configure("warning" if is_quiet else given.log_level, given.log_format)
    if given.database_url is None and moving.has_moved(given.data_dir):
        raise SettingsError(
            "the data has moved to another database: set VIGIE_DATABASE_URL and VIGIE_LOG_URL as they were given to "
            f"`vigie migrate-store` (to go back to what is here, remove {given.data_dir / 'moved.json'})"
        )
    if private_files.tighten(given.data_dir):
        tell(f"{given.data_dir} could be read by other users: it is private now")
    traces.configure(role)
    client_name = heartbeat.client_name(role)
    engine = db.connect(given.database, pool_size=given.database_pool, application_name=client_name)
    house = House(given, engine, open_log(given, client_id=client_name))
    try:
        if given.database_url is None:
            migrate(house.engine)
        elif migrated and not is_current(house.engine):
            raise SettingsError("the database is not migrated: run `vigie migrate`")
        if given.log.startswith("sqlite:"):
            house.log.prepare()
        if migrated and "base_url" not in given.model_fields_set:
            house.settings = _with_served_address(house)
        yield house
    finally:
        house.log.close()
        house.engine.dispose()
        traces.stop()


def _with_served_address(house: House) -> "Settings":
    """Return the settings with the address that really serves the pages, where none was set."""
    from vigie import db, heartbeat
    from vigie.errors import UnavailableError

    with suppress(UnavailableError), db.reading(house.engine) as connection:
        if address := heartbeat.served_address(connection):
            return house.settings.model_copy(update={"base_url": address})
    return house.settings


def say(text: str) -> None:
    """A result, for standard output."""
    print(text)  # noqa: T201


def tell(text: str) -> None:
    """What happens meanwhile, for standard error."""
    print(text, file=sys.stderr)  # noqa: T201


def listed(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Rows as JSON lines, or as tab-separated columns."""
    import json

    for row in rows:
        say(json.dumps(row, ensure_ascii=False, default=str) if as_json else "\t".join(str(v) for v in row.values()))
