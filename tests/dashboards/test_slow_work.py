"""Slow sites and large files of one company leave the pages of the others their threads."""

import threading

import pytest
from starlette.testclient import TestClient

from dashboards.slow_work import SlowWork
from tests.dashboards.test_pages_and_mail import enter
from tests.servers import wait_until
from tests.web import Answer, Site
from vigie import companies, db
from vigie.cli import work
from vigie.errors import TooManyError

FRENCH = {"Accept": "text/html", "Accept-Language": "fr"}


@pytest.fixture
def site():
    """Answer `/slow` only once `released` is set."""
    server = Site()
    server.released = threading.Event()

    def answer(request):
        server.released.wait(30)
        return Answer(b"<html><title>x</title></html>", 200, {"Content-Type": "text/html"})

    server.pages["/slow"] = answer
    yield server
    server.released.set()
    server.close()


@pytest.fixture
def client(house):
    house.settings = house.settings.model_copy(update={"allow_hosts": ("127.0.0.1",)})
    app = work.make_app(house)
    client = TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)
    enter(client, house)
    return client


def test_a_company_has_two_slow_requests_and_the_others_go_on():
    slow_work = SlowWork(max_of_company=2, max_of_all=3)
    with slow_work.one_of("a"), slow_work.one_of("a"):
        with pytest.raises(TooManyError), slow_work.one_of("a"):
            pass
        with slow_work.one_of("b"), pytest.raises(TooManyError), slow_work.one_of("c"):
            pass
    with slow_work.one_of("a"):
        pass


def test_a_third_look_at_a_slow_site_is_told_to_wait(client, house, firm, site):
    with db.writing(house.engine) as connection:
        other_id = companies.add(connection, "Autre", city="Limoges")
    place = f"/companies/{firm['id']}/settings/sources/check"

    def look():
        client.post(place, data={"target": site.url + "/slow"})

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: [path for _, path, *_ in site.requests].count("/slow") == 2, timeout=20)
        answer = client.post(place, data={"target": site.url + "/slow"}, headers=FRENCH)
        assert "Vigie s’occupe encore d’autres sites" in answer.text
        start = client.get(f"/companies/{firm['id']}/start", headers=FRENCH)
        assert "Vigie s’occupe encore d’autres sites" in start.text
        elsewhere = client.get(f"/companies/{other_id}/start", headers=FRENCH)
        assert "Vigie s’occupe" not in elsewhere.text
    finally:
        site.released.set()
        for thread in threads:
            thread.join()
    again = client.get(f"/companies/{firm['id']}/start", headers=FRENCH)
    assert "Vigie s’occupe" not in again.text


def test_a_second_file_of_a_company_is_told_to_wait(client, firm):
    file = {"files": ("avis.csv", b"text,rating\nParfait,5\n")}
    place = f"/companies/{firm['id']}/start/files"
    with client.app.state.pages.imports.one_of(firm["id"]):
        refused = client.post(place, files=file, headers=FRENCH)
        assert "Vigie s’occupe encore d’autres sites ou d’autres fichiers" in refused.text
        start = client.get(f"/companies/{firm['id']}/start", headers=FRENCH)
        assert "Vigie s’occupe" not in start.text
    assert "Vigie s’occupe" not in client.post(place, files=file, headers=FRENCH).text
