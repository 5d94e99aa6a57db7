"""The time, asked for in one place so that a test can hold it still."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

# Hours such as "21:00-07:00".
HOURS = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"

_held: datetime | None = None


def now() -> datetime:
    """The present moment, in UTC."""
    return _held or datetime.now(UTC)


@contextmanager
def held(moment: datetime) -> Iterator[None]:
    """Hold `now()` at an aware `moment`."""
    global _held
    before, _held = _held, moment
    try:
        yield
    finally:
        _held = before


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The time zone called `name`; raises `ZoneInfoNotFoundError` for an unknown one."""
    return ZoneInfo(name)


def local_day(moment: datetime, timezone: str) -> date:
    """The calendar day on which `moment` falls for somebody who lives in `timezone`."""
    return moment.astimezone(zone(timezone)).date()


def day_published(moment: datetime, timezone: str) -> date:
    """The day of what was published at `moment`. A page that gives the day alone means that day wherever one lives; it
    comes as midnight in UTC."""
    is_bare = moment.astimezone(UTC).time() == time()
    return moment.astimezone(UTC).date() if is_bare else local_day(moment, timezone)


def midnight(day: date, timezone: str = "UTC") -> datetime:
    """When `day` begins for somebody who lives in `timezone`, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone(timezone)).astimezone(UTC)


def after_quiet(moment: datetime, hours: str, timezone: str) -> datetime:
    """`moment`, or when the quiet hours in which it falls are over, in UTC. `hours` are `HOURS` of somebody who
    lives in `timezone`. Pure."""
    start, end = map(time.fromisoformat, hours.split("-"))
    local = moment.astimezone(zone(timezone))
    is_late, is_early = local.time() >= start, local.time() < end
    if not (is_late and is_early if start < end else is_late or is_early):
        return moment
    day = local.date() if is_early else local.date() + timedelta(days=1)
    return datetime.combine(day, end, zone(timezone)).astimezone(UTC)


def next_morning(timezone: str, is_wanted: Callable[[date], bool], hour: int = 7) -> datetime:
    """The next wanted day after today, at `hour` for somebody who lives in `timezone`, in UTC."""
    day = local_day(now(), timezone) + timedelta(days=1)
    while not is_wanted(day):
        day += timedelta(days=1)
    return datetime(day.year, day.month, day.day, hour, tzinfo=zone(timezone)).astimezone(UTC)
