"""`vigie doctor`: each check says that all is well, or what is wrong and what to do next."""

import time
from collections.abc import Callable
from datetime import timedelta

import typer

from vigie.cli.house import House, opened, say, tell

RECENT_RESTARTS = timedelta(minutes=15)
LAG_SECONDS = 5.0  # for so long a lag is watched before it is said to stand still


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor() -> None:
    """Check the installation: settings, database, log, reading, dead letters, mails, deliveries, roles, rollups.

    Exit status 1 if a check fails; docs/operations.md says what each line means.
    """
    from vigie.errors import VigieError

    failures = 0
    with opened(migrated=False) as house:
        for name, (value, _) in house.settings.described().items():
            tell(f"{name} = {value}")
        for check in CHECKS.values():
            try:
                say(f"ok      {check(house)}")
            except Exception as error:  # the doctor reports whatever is wrong
                failures += 1
                say(f"FAILED  {str(error).splitlines()[0]}")
    if failures:
        raise VigieError(f"{failures} of {len(CHECKS)} checks failed")


def check_database(house: House) -> str:
    """The database answers, and its tables are of this release."""
    from vigie.db.migrate import HEAD, is_current
    from vigie.errors import SettingsError

    if not is_current(house.engine):
        raise SettingsError("the database is not migrated: run `vigie migrate`")
    return f"the database answers and is at {HEAD}"


def check_log(house: House) -> str:
    """The log answers, and every stored offset lies within it."""
    from sqlalchemy import select

    from vigie import db
    from vigie.db.tables import consumer_offset
    from vigie.errors import PositionError
    from vigie.log import PARTITIONS, TOPICS, Partition

    ends = {source: end for topic in TOPICS for source, end in house.log.ends(topic).items()}
    if len(ends) != PARTITIONS * len(TOPICS):
        raise PositionError(f"the topics have {len(ends)} partitions, not {PARTITIONS} each: they may not be changed")
    with db.reading(house.engine) as connection:
        for row in connection.execute(select(consumer_offset)):
            beginning, end = ends[Partition(row.topic, row.partition)]
            if row.next_offset > end:
                raise PositionError(f"{row.topic}/{row.partition}: stored {row.next_offset}, the log ends at {end}")
            if row.next_offset < beginning:
                raise PositionError(f"{row.topic}/{row.partition}: {beginning - row.next_offset} records are gone")
    return "the log answers, and every offset lies within it"


def check_reading(house: House) -> str:
    """Analysis reads what was collected: a lag shrinks."""
    from vigie.errors import VigieError

    lag = house.count_unread()
    until = time.monotonic() + LAG_SECONDS
    while lag and time.monotonic() < until:
        time.sleep(0.2)
        if house.count_unread() < lag:
            return f"{lag} records wait, and analysis is reading them"
    if lag:
        raise VigieError(f"{lag} records wait and none is read: look whether `vigie up` (or `vigie analyse`) runs")
    return "analysis has read every record"


def check_dead_letters(house: House) -> str:
    """No record was set apart as a dead letter."""
    from vigie import counters, db, deadletters
    from vigie.errors import VigieError

    with db.reading(house.engine) as connection:
        count = deadletters.count_waiting(connection)
        dropped = counters.read(connection, counters.DROPPED_MENTIONS)
        unreadable = counters.read(connection, counters.UNREADABLE_ITEMS)
    if count:
        raise VigieError(
            f"{count} dead letters: `vigie deadletters list` says why, `replay` puts them back once mended"
        )
    return f"no dead letters ({dropped} mentions of removed companies dropped, {unreadable} unreadable items skipped)"


def check_mail(house: House) -> str:
    """The mail server lets Vigie in and takes its sender."""
    from dashboards.mailer import SmtpSender, default_sender

    if not house.settings.smtp_url:
        return f"mails are written to {house.settings.outbox_dir} (VIGIE_SMTP_URL is not set)"
    sender = default_sender(house.settings)
    SmtpSender(house.settings.smtp_url).check(sender)
    return f"the mail server takes mails from {sender}"


def check_deliveries(house: House) -> str:
    """No mail or webhook failed for good in the last week, and none waits after a failed attempt."""
    from vigie import clock, db, outbox
    from vigie.errors import VigieError

    with db.reading(house.engine) as connection:
        failed = outbox.undeliverable(connection, clock.now() - outbox.RECENT)
        delayed, last_error = outbox.delayed(connection, outbox.MAIL)
    if delayed:
        raise VigieError(f"{delayed} mails wait to be tried again, the last because: {last_error}")
    if failed:
        described = "; ".join(f"{count} by {kind} ({error})" for kind, (count, error) in failed.items())
        raise VigieError(
            f"could not be delivered in the last 7 days: {described}. Once mended: `vigie report COMPANY --send`, "
            "`vigie webhook replay`"
        )
    return "every mail and webhook of the last 7 days was delivered"


def check_roles(house: House) -> str:
    """No role has died and been started again lately."""
    from vigie import clock, counters, db
    from vigie.errors import VigieError

    with db.reading(house.engine) as connection:
        last = counters.changed_at(connection, counters.ROLE_RESTARTS)
        count = counters.read(connection, counters.ROLE_RESTARTS)
    if last and clock.now() - last < RECENT_RESTARTS:
        raise VigieError(f"a role died and was started again {count} times, last at {last:%H:%M} UTC: see its log")
    return "no role was started again in the last 15 minutes"


def check_rollups(house: House) -> str:
    """The trends equal a recount of the mentions."""
    from analysis import store
    from vigie import db
    from vigie.errors import VigieError

    with db.reading(house.engine) as connection:
        kept, counted = store.recount(connection)
    if kept != counted:
        wrong = sum(kept.get(key) != counted.get(key) for key in kept.keys() | counted.keys())
        raise VigieError(f"{wrong} rollups differ from a recount of the mentions")
    return f"{len(kept)} rollups equal a recount of the mentions"


CHECKS: dict[str, Callable[[House], str]] = {
    "database": check_database,
    "log": check_log,
    "reading": check_reading,
    "dead letters": check_dead_letters,
    "mail": check_mail,
    "deliveries": check_deliveries,
    "roles": check_roles,
    "rollups": check_rollups,
}
