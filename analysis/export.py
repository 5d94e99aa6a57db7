"""A firm's mentions, trends and alerts as rows to take away, in pages: nothing is held whole."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from analysis import queries, trends
from analysis.alert_store import shown_alert
from vigie import clock, db

_PAGE = 500

# The columns of a table of mentions; an import reads them back.
MENTIONS = (
    "id", "date", "rating", "author", "title", "text", "url", "reply", "language", "source", "label", "score", "themes",
    "status",
)  # fmt: skip


def mentions(engine: Engine, firm: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every mention that counts, latest first."""
    after: tuple[datetime, str] | None = None
    with db.reading(engine) as connection:
        names = queries.source_names(connection, firm["id"])
    while True:
        with db.reading(engine) as connection:
            rows = queries.mentions(connection, firm["id"], queries.Filter(), limit=_PAGE, after=after)
        for row in rows:
            yield {
                **{name: row[name] for name in MENTIONS if name in row},
                "date": row["published_at"].astimezone(clock.zone(firm["timezone"])).isoformat(),
                "source": names[row["source_id"]]["name"] if row["source_id"] in names else row["source_id"],
                "themes": ", ".join(f"{theme['theme']}:{theme['label']}" for theme in row["themes"]),
            }
        if len(rows) < _PAGE:
            return
        after = rows[-1]["published_at"], rows[-1]["id"]


def trend(engine: Engine, firm: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each week of the last year."""
    last = clock.local_day(clock.now(), firm["timezone"])
    first = last - timedelta(days=364)
    with db.reading(engine) as connection:
        days = queries.daily(connection, firm["id"], first, last)
    for point in trends.series(days, first, last, "week"):
        yield {"week_of": _iso(point.start), **point.sums._asdict(), "rating": point.rating, "score": point.score}


def alerts(engine: Engine, firm: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every alert, latest first."""
    after: tuple[datetime, str] | None = None
    while True:
        with db.reading(engine) as connection:
            rows = queries.alerts(connection, firm["id"], limit=_PAGE, after=after)
        yield from (shown_alert(dict(row)) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1]["happened_at"], rows[-1]["id"]


def _iso(day: date) -> str:
    return day.isoformat()
