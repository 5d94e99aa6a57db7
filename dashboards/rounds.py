"""An adviser's Monday mail: the firms that they follow, the one that needs help first, with one plain reason each."""

from sqlalchemy import Connection, Engine

from analysis import followed
from analysis.report import Week
from dashboards import letters, subscription
from vigie import clock, db, due, ids, people
from vigie.errors import NotFoundError
from vigie.settings import Settings


def send_due(engine: Engine, settings: Settings) -> int:
    """Write to the advisers whose Monday it is; how many that was."""
    timers = due.claim(engine, due.ROUND)
    for timer in timers:
        with db.writing(engine) as connection:
            has_firms = _tell(connection, settings, timer.key)
            due.finish(connection, timer, again_at=people.next_round() if has_firms else None)
    return len(timers)


def _tell(connection: Connection, settings: Settings, person_id: str) -> bool:
    """Write to one adviser; whether they follow any firm still."""
    try:
        who = people.get(connection, person_id)
    except NotFoundError:
        return False
    firms = [dict(one) for one in people.firms_of(connection, person_id) if one["role"] == "adviser"]
    if not firms:
        return False
    needs = followed.needs(connection, [firm["id"] for firm in firms])
    firms.sort(key=lambda firm: (*needs[firm["id"]].order, firm["name"]))
    leave = subscription.link(settings, person_id, who["email"], subscription.ROUND)
    page = None if leave is None else settings.base_url.rstrip("/")
    event_id = ids.derived("round", person_id, Week.of(clock.local_day(clock.now(), "Europe/Paris")).name)
    values = {
        "urgent": [firm for firm in firms if needs[firm["id"]].reason != "fine"],
        "fine": [firm for firm in firms if needs[firm["id"]].reason == "fine"],
        "needs": needs,
        "page": page,
        "leave": leave,
    }
    letters.enqueue(connection, settings, None, who["email"], "round", who["language"], event_id, values, leave)
    return True
