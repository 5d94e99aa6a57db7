"""The feed of alerts: its address is the key, a new one ends the old, and a feed reader reads it."""

import re

import feedparser
import pytest
from starlette.testclient import TestClient

from ingest.found import Found
from tests.dashboards.test_pages_and_mail import XSS, enter, hear
from vigie import clock, companies, db
from vigie.cli import work


@pytest.fixture
def client(house):
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)


def complain(house, firm):
    for text in ("Attente interminable et pénible.", XSS):
        hear(house, firm, Found(text=text, rating=1, published_at=clock.now()))


def address(client, firm):
    form = client.get(f"/companies/{firm['id']}/settings").text
    replaces = re.search(r'name="replaces" value="(\w*)"', form)[1]
    page = client.post(f"/companies/{firm['id']}/settings/feed", data={"replaces": replaces}).text
    return re.search(r"/feed/[\w-]+\.atom", page)[0]


def test_a_reader_of_feeds_reads_the_alerts(client, house, firm):
    complain(house, firm)
    enter(client, house)
    old = address(client, firm)
    client.cookies.clear()
    read = feedparser.parse(client.get(old).text)
    assert read.bozo == 0
    assert {entry.title for entry in read.entries} == {"Client mécontent"}
    assert any("Attente interminable" in entry.summary for entry in read.entries)
    enter(client, house)
    new = address(client, firm)
    assert client.get(old).status_code == 404
    assert client.get(new).status_code == 200
    assert client.get("/feed/x.atom").status_code == 404


def test_a_feed_key_opens_nothing_else(client, house, firm):
    enter(client, house)
    key = address(client, firm).removeprefix("/feed/").removesuffix(".atom")
    client.cookies.clear()
    said = {"Authorization": f"Bearer {key}"}
    assert client.get(f"/api/v1/companies/{firm['id']}/alerts", headers=said).status_code == 401
    client.cookies.set("vigie_session", key)
    assert client.get(f"/companies/{firm['id']}").status_code == 401


def test_a_medical_firms_feed_holds_nobodys_words(client, house, firm):
    complain(house, firm)
    with db.writing(house.engine) as connection:
        companies.change(connection, firm["id"], {"sector": "86.21Z"})
    enter(client, house)
    said = client.get(address(client, firm)).text
    assert "Attente" not in said
    assert XSS not in said
    assert "<entry>" in said


def test_a_page_that_is_loaded_anew_leaves_the_address_that_was_copied(client, house, firm):
    enter(client, house)
    place = f"/companies/{firm['id']}/settings/feed"
    first = re.search(r"/feed/[\w-]+\.atom", client.post(place, data={"replaces": ""}).text)[0]
    again = client.post(place, data={"replaces": ""}, follow_redirects=False)
    assert again.status_code == 303
    assert client.get(first).status_code == 200
    assert address(client, firm) != first
    assert client.get(first).status_code == 404
