"""The firm's own voice: the same page for everybody, robots kept out, notes never counted."""

import time

import pytest
from starlette.testclient import TestClient

from analysis import queries
from dashboards import feedback
from ingest import sources_store
from tests.pipeline import analyse
from vigie import db
from vigie.cli import work
from vigie.cli.roles import one_time_link


@pytest.fixture
def client(house):
    with TestClient(work.make_app(house), base_url="http://127.0.0.1:8000", follow_redirects=False) as client:
        yield client


@pytest.fixture
def form(house, firm):
    with db.writing(house.engine) as connection:
        links = {"links": "https://g.page/mercier javascript:alert(1)"}
        return sources_store.add(connection, firm["id"], "form", "Caisse", options=links)


@pytest.fixture
def signed_in(client, house):
    link = one_time_link(house).rpartition("link=")[2]
    client.post("/open", data={"link": link})
    return client


def fill(client, form, **more):
    page = client.get(f"/avis/{form}").text
    stamp = page.partition('name="stamp" value="')[2].partition('"')[0]
    if not more.pop("at_once", False):
        time.sleep(2.1)
    return client.post(f"/avis/{form}", data={"stamp": stamp, **more})


def heard(house, firm, **wanted):
    analyse(house)
    with db.reading(house.engine) as connection:
        return queries.mentions(connection, firm["id"], queries.Filter(**wanted))


def test_after_a_one_and_after_a_five_everybody_sees_the_same(client, house, firm, form):
    page = client.get(f"/avis/{form}")
    assert page.text.index("g.page") < page.text.index('name="rating"'), "the public links stand before any rating"
    assert "javascript:" not in page.text
    bad = fill(
        client,
        form,
        rating=1,
        text="Trop d'attente, c'est vraiment pénible",
        wish="Plus de caisses",
        email="a@exemple.fr",
        consent="yes",
    )
    good = fill(client, form, rating=5, email="b@exemple.fr")
    assert bad.status_code == good.status_code == 200
    assert bad.content == good.content
    found = {one["rating"]: one for one in heard(house, firm)}
    assert set(found) == {1.0, 5.0}
    assert found[1.0]["author"] == "a@exemple.fr"
    assert found[5.0]["author"] is None, "no consent, no address"
    with db.reading(house.engine) as connection:
        today = found[1.0]["published_at"].date()
        assert (
            sum(sums.rated for sums in queries.daily(connection, firm["id"], today, today, forms=False).values()) == 0
        )


def test_robots_are_thanked_and_nothing_is_kept(client, house, firm, form):
    for more in ({"website": "https://spam"}, {"at_once": True}):
        assert fill(client, form, rating=5, text="x", **more).status_code == 200
    assert client.post(f"/avis/{form}", data={"stamp": "forged", "rating": 5}).status_code == 200
    assert client.post(f"/avis/{form}", data={"rating": 9}).status_code == 422
    assert client.get("/avis/so_absent").status_code == 404
    assert heard(house, firm) == []


def test_one_address_cannot_flood():
    patience = feedback._Patience()
    assert [patience.allows("1.2.3.4") for _ in range(6)] == [True] * 5 + [False]
    assert patience.allows("5.6.7.8")


def test_the_card_and_its_code(signed_in, firm, form):
    card = signed_in.get(f"/companies/{firm['id']}/sources/{form}/card")
    assert f"/avis/{form}" in card.text
    svg = signed_in.get(f"/companies/{firm['id']}/sources/{form}/qr.svg")
    assert (svg.headers["content-type"], svg.content[:4]) == ("image/svg+xml", b"<svg")
    png = signed_in.get(f"/companies/{firm['id']}/sources/{form}/qr.png")
    assert png.content.startswith(b"\x89PNG")
    assert signed_in.get(f"/companies/co_other/sources/{form}/card").status_code == 404


def test_a_note_of_the_staff_is_no_review(signed_in, client, house, firm):
    page = f"/companies/{firm['id']}/counter"
    assert (
        signed_in.post(page, data={"said": "Un client dit que le dimanche il attend trop", "by": "Léa"}).status_code
        == 303
    )
    assert heard(house, firm) == []
    (note,) = heard(house, firm, apart="note")
    assert note["rating"] is None


def test_the_counter_asks_who_you_are(client, firm):
    assert client.get(f"/companies/{firm['id']}/counter").status_code == 401
    assert client.post(f"/companies/{firm['id']}/counter", data={"said": "x"}).status_code == 401
