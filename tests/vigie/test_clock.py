"""The time of somebody who lives elsewhere."""

from datetime import UTC, datetime

import pytest

from vigie import clock

NIGHT, LUNCH = "21:00-07:00", "12:00-14:00"


@pytest.mark.parametrize(
    ("hours", "moment", "over"),
    [
        (NIGHT, "2026-11-02T11:00", "2026-11-02T11:00"),
        (NIGHT, "2026-11-02T19:59", "2026-11-02T19:59"),
        (NIGHT, "2026-11-02T20:00", "2026-11-03T06:00"),
        (NIGHT, "2026-11-03T05:59", "2026-11-03T06:00"),
        (NIGHT, "2026-11-03T06:00", "2026-11-03T06:00"),
        (LUNCH, "2026-11-02T10:59", "2026-11-02T10:59"),
        (LUNCH, "2026-11-02T11:00", "2026-11-02T13:00"),
        (LUNCH, "2026-11-02T13:00", "2026-11-02T13:00"),
        (NIGHT, "2026-10-24T20:00", "2026-10-25T06:00"),  # the night that has an hour more
        (NIGHT, "2026-03-28T21:00", "2026-03-29T05:00"),  # and the one that has one less
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(hours, moment, over):
    moment, over = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (moment, over))
    assert clock.after_quiet(moment, hours, "Europe/Paris") == over
