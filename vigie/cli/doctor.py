"""`vigie doctor`: each check says that all is well, or what is wrong and what to do next."""

import time
from collections.abc import Callable
from datetime import timedelta

import typer

from vigie.cli.house import House, opened, say, tell
from vigie.errors import VigieError

RECENT_RESTARTS = timedelta(minutes=15)
LAG_SECONDS = 5.0  # for so long a lag is watched before it is said to stand still


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)


class CheckError(VigieError):
    """A check failed; the message ends with the next step."""


class DoctorWarning(VigieError):
    """Nothing fails today, but something should be changed."""


def doctor() -> None:
    """Check settings, database, topics, log, reading, dead letters, mails, deliveries, roles and rollups.

    Exit status 1 if a check fails, a warning alone is 0; docs/operations.md says what each line means.
    """
    failures = 0
    with opened(migrated=False) as house:
        for name, (value, _) in house.settings.described().items():
            tell(f"{name} = {value}")
        for name, check in CHECKS.items():
            try:
                say(f"ok      {check(house)}")
            except DoctorWarning as warning:
                say(f"WARNING {warning}")
            except Exception as error:  # the doctor reports whatever is wrong
                failures += 1
                say(f"FAILED  {describe_failure(name, error)}")
    if failures:
        raise VigieError(f"{failures} of {len(CHECKS)} checks failed")


def describe_failure(name: str, error: Exception) -> str:
    """Return one line: what is wrong in that check, and the next step."""
    message = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, CheckError):
        return message
    return f"{message}: {NEXT_STEPS[name]}"


def check_database(house: House) -> str:
    """The database answers, and its tables are of this release."""
    from vigie.db.migrate import HEAD, is_current

    if not is_current(house.engine):
        raise CheckError("the database is not migrated: run `vigie migrate`")
    return f"the database answers and is at {HEAD}"


def check_topics(house: House) -> str:
    """The topics are there, and are as the settings ask."""
    faults = house.log.find_faults()
    failing = [fault.text for fault in faults if not fault.is_warning]
    if failing:
        raise CheckError("; ".join(failing))
    if faults:
        raise DoctorWarning("; ".join(fault.text for fault in faults))
    return "the topics are there, and as the settings ask"


def check_log(house: House) -> str:
    """The log answers, and every stored offset is of its topic and lies within it."""
    from vigie import positions
    from vigie.log import ANALYSIS, MENTIONS

    standing = positions.read_standing(house.engine, house.log, ANALYSIS, MENTIONS)
    if not standing.ends:
        raise CheckError(f"the log has no topic {MENTIONS}: run `vigie migrate`")
    for source, offset in standing.stored.items():
        if fault := standing.find_fault(source):
            raise CheckError(fault)
        gone = standing.ends[source][0] - offset.next_offset
        if gone > 0:
            raise CheckError(
                f"{source.topic}/{source.number}: retention took {gone} records before they were read. Start "
                "`vigie analyse`, which goes on behind them; a longer VIGIE_LOG_RETENTION and `vigie migrate` keep more"
            )
    return "the log answers, and every offset lies within it"


def check_reading(house: House) -> str:
    """Analysis reads what was collected: while records wait, its offsets move."""
    unread = house.count_unread()
    if unread is None:
        raise CheckError("how many records wait is unknown, as the check of the log says: mend that first")
    before = _handled(house)
    until = time.monotonic() + LAG_SECONDS
    while unread and time.monotonic() < until:
        time.sleep(0.2)
        if _handled(house) > before:
            return f"{unread} records wait, and analysis is reading them"
        unread = house.count_unread()
    if unread:
        raise CheckError(f"{unread} records wait and none is read: look whether `vigie up` (or `vigie analyse`) runs")
    return "analysis has read every record"


def _handled(house: House) -> int:
    """Return a number that grows whenever analysis has stored a batch."""
    from vigie import db, positions
    from vigie.log import ANALYSIS

    with db.reading(house.engine) as connection:
        return sum(offset.next_offset for offset in positions.read_offsets(connection, ANALYSIS).values())


def check_dead_letters(house: House) -> str:
    """No record was set apart as a dead letter."""
    from vigie import counters, db, deadletters

    with db.reading(house.engine) as connection:
        count = deadletters.count_waiting(connection)
        dropped = counters.read(connection, counters.DROPPED_MENTIONS)
        unreadable = counters.read(connection, counters.UNREADABLE_ITEMS)
    if count:
        raise CheckError(
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

    with db.reading(house.engine) as connection:
        failed = outbox.undeliverable(connection, clock.now() - outbox.RECENT)
        delayed, last_error = outbox.delayed(connection, outbox.MAIL)
    if delayed:
        raise CheckError(f"{delayed} mails wait to be tried again, the last because: {last_error}")
    if failed:
        described = "; ".join(f"{count} by {kind} ({error})" for kind, (count, error) in failed.items())
        raise CheckError(
            f"could not be delivered in the last 7 days: {described}. Once mended: `vigie report COMPANY --send`, "
            "`vigie webhook replay`"
        )
    return "every mail and webhook of the last 7 days was delivered"


def check_roles(house: House) -> str:
    """No role has died and been started again lately."""
    from vigie import clock, counters, db

    with db.reading(house.engine) as connection:
        last = counters.changed_at(connection, counters.ROLE_RESTARTS)
        count = counters.read(connection, counters.ROLE_RESTARTS)
    if last and clock.now() - last < RECENT_RESTARTS:
        raise CheckError(f"a role died and was started again {count} times, last at {last:%H:%M} UTC: see its log")
    return "no role was started again in the last 15 minutes"


def check_rollups(house: House) -> str:
    """The trends equal a recount of the mentions."""
    from analysis import store
    from vigie import db

    with db.snapshot(house.engine) as connection:
        kept, counted = store.recount(connection)
    if kept != counted:
        wrong = sum(kept.get(key) != counted.get(key) for key in kept.keys() | counted.keys())
        raise CheckError(
            f"{wrong} rollups differ from a recount of the mentions: please report it as a fault, with these figures"
        )
    return f"{len(kept)} rollups equal a recount of the mentions"


CHECKS: dict[str, Callable[[House], str]] = {
    "database": check_database,
    "topics": check_topics,
    "log": check_log,
    "reading": check_reading,
    "dead letters": check_dead_letters,
    "mail": check_mail,
    "deliveries": check_deliveries,
    "roles": check_roles,
    "rollups": check_rollups,
}

# What to do where a check itself cannot go through, such as while a server is away.
NEXT_STEPS = {
    "database": "start it, or mend VIGIE_DATABASE_URL",
    "topics": "start the brokers, or mend VIGIE_LOG_URL",
    "log": "start the brokers, or mend VIGIE_LOG_URL",
    "reading": "mend what the lines above say first",
    "dead letters": "mend the database first",
    "mail": "mend VIGIE_SMTP_URL or VIGIE_MAIL_FROM",
    "deliveries": "mend the database first",
    "roles": "mend the database first",
    "rollups": "mend the database first",
}
