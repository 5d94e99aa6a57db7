"""The address that a customer leaves to be answered travels apart from the author."""

import json

from sqlalchemy import select

from analysis import queries
from analysis.search import finds
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import hear
from vigie import db
from vigie.db.tables import mention

ADDRESS = "nadia.leroux@example.fr"


def test_a_contact_is_stored_beside_the_mention_and_never_as_its_author(house, firm):
    hear(house, firm, Found(text="Une deuxième caisse le samedi.", contact=ADDRESS, external_id="1"))
    with db.reading(house.engine) as connection:
        row = connection.execute(select(mention)).mappings().one()
        found_by_address = connection.scalars(select(mention.c.id).where(finds(firm["id"], ADDRESS))).all()
        shown = queries.shown_mention(row, {})
    assert (row["author"], row["contact"]) == (None, ADDRESS)
    assert found_by_address == []
    assert ADDRESS not in json.dumps(shown, default=str)
