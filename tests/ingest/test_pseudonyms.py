"""Authors by a pseudonym: the same in one firm, another in the next; named nowhere; forgotten by their name all the same."""

from datetime import UTC, datetime

import pytest

from analysis import forgetting, queries
from analysis.forgetting import Asked
from analysis.worker import Worker
from ingest.collect import Parcel
from vigie import companies, db
from vigie.events import Mention, Origin
from vigie.pseudonyms import masked, pseudonym

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "secret"


def said(number, author="Sandrine Malaval", **more):
    values = {"text": "Pain froid. Sandrine M.", "reply": "Bonjour Sandrine, désolés !", "published_at": NOW}
    return Mention(**{"id": f"m{number}", "author": author, "collected_at": NOW, **values, **more})


@pytest.mark.parametrize("name", ["SANDRINE  malaval", "Sandrîne Malaval", pseudonym(KEY, "co_1", "Sandrine Malaval")])
def test_a_name_has_one_pseudonym_in_a_firm(name):
    assert pseudonym(KEY, "co_1", name) == pseudonym(KEY, "co_1", "Sandrine Malaval")


def test_another_firm_or_another_secret_has_another():
    made = {
        pseudonym(KEY, "co_1", "Sandrine"),
        pseudonym(KEY, "co_2", "Sandrine"),
        pseudonym("other", "co_1", "Sandrine"),
    }
    assert len(made) == 3


def test_words_that_name_the_author_are_hidden_and_others_are_not():
    one = masked(
        KEY, "co_1", said(1, "Rose Martin", text="Une rose offerte. Rose MARTIN", title="Merci Rose", reply=None)
    )
    assert (one.text, one.title, one.reply) == ("Une rose offerte. […] […]", "Merci […]", None)
    assert masked(KEY, "co_1", one) == one, "what is masked already stays"
    assert masked(KEY, "co_1", said(2, None)) == said(2, None)


@pytest.fixture
def read(house):
    def run():
        worker = Worker(house.engine, house.log, key=house.settings.secret())
        while worker.run_once(timeout=0.1):
            pass
        worker.close()

    return run


def test_a_firm_that_asks_for_it_keeps_no_name_and_can_forget_by_it(house, firm, read):
    with db.writing(house.engine) as connection:
        companies.change(connection, firm["id"], {"pseudonyms": True})
        other = companies.add(connection, "Garage Martin")
    for company_id in (firm["id"], other):
        house.intake.append(Parcel(company_id, Origin("so", "push", "CRM"), [said(f"1-{company_id}")]))
    read()
    with db.reading(house.engine) as connection:
        (ours,) = queries.mentions(connection, firm["id"], queries.Filter(), limit=9)
        (theirs,) = queries.mentions(connection, other, queries.Filter(), limit=9)
    assert theirs["author"] == "Sandrine Malaval"
    assert ours["author"] == pseudonym(house.settings.secret(), firm["id"], "Sandrine Malaval")
    assert "Sandrine" not in f"{dict(ours)}"
    asked = Asked(key=house.settings.secret(), company_id=firm["id"], author="sandrine malaval")
    assert forgetting.forget(house.engine, house.log, asked).mentions == 1
    house.intake.append(Parcel(firm["id"], Origin("so", "push", "CRM"), [said("2")]))
    read()
    with db.reading(house.engine) as connection:
        rows = queries.mentions(connection, firm["id"], queries.Filter(), limit=9)
    assert [(row["text"], row["author"]) for row in rows] == [("", None), ("", None)], (
        "nor does the next poll bring them back"
    )
