"""Steps that several tests take."""

import threading
from pathlib import Path

from analysis import store
from vigie import db
from vigie.cli import work

SHARED = Path(__file__).parent.parent.parent / "shared"


def analyse(house) -> None:
    work.analyse(house, threading.Event(), once=True)


def is_exact(house) -> bool:
    """Whether the rollups equal a recount of the mentions."""
    with db.reading(house.engine) as connection:
        kept, counted = store.recount(connection)
    return kept == counted
