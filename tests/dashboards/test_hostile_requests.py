"""A NUL in any part of a request to a page ends in a refusal, on PostgreSQL too, which stores none."""

from starlette.testclient import TestClient

from tests.dashboards.test_pages_and_mail import enter
from vigie import companies, db, settings
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.migrate import migrate
from vigie.log import open_log

REQUESTS = [
    ("GET", "/companies/a%00b", {}),
    ("GET", "{firm}/reviews/a%00b", {}),
    ("GET", "{firm}/reviews?q=%00&source=%00&who=%00&after=2026-01-01T00:00:00%2B00:00~%00", {}),
    ("GET", "{firm}/subjects?source=%00&location=%00&theme=%00", {}),
    ("GET", "{firm}/sources/%00/card", {}),
    ("POST", "{firm}/reviews?q=x", {"name": "\0x"}),
    ("POST", "{firm}/reviews/%00/handle", {"aspect": "assigned", "value": "x\0"}),
    ("POST", "{firm}/reviews/saved/%00/remove", {}),
    ("POST", "{firm}/subjects/markers", {"label": "a\0b", "day": "2026-01-01"}),
    ("POST", "{firm}/subjects/markers/%00/remove", {}),
    ("POST", "{firm}/alerts/%00/seen", {}),
    ("POST", "{firm}/guides/answer_negative", {"step": 10**9, "done": "true"}),
    ("POST", "{firm}/counter", {"said": "\0x", "by": "\0"}),
    ("POST", "{firm}/settings/people", {"email": "a@b.fr", "role": "team", "name": "\0"}),
    ("POST", "{firm}/settings/people/%00/remove", {}),
    ("POST", "{firm}/settings/recipients/remove", {"email": "\0"}),
    ("POST", "{firm}/settings/rules/%00", {"enabled": "true"}),
    ("POST", "{firm}/settings/sources", {"kind": "form", "target": "\0", "name": "\0"}),
    ("POST", "{firm}/settings/sources/%00/pause", {}),
    ("POST", "{firm}/settings/sources/check", {"target": "\0"}),
    ("POST", "{firm}/start/sources", {"wanted": "form \0"}),
    ("POST", "/companies", {"name": "a\0b"}),
    ("POST", "/open", {"link": "\0"}),
    ("POST", "/sign-in", {"email": "\0"}),
    ("POST", "/sign-in/code", {"email": "\0", "code": "\0"}),
]


def test_no_page_fails_on_a_nul(database_url, tmp_path):
    given = settings.load(data_dir=tmp_path, database_url=database_url)
    house = House(given, db.connect(given.database), open_log(given))
    migrate(house.engine)
    house.log.prepare()
    with db.writing(house.engine) as connection:
        firm = companies.add(connection, "Boulangerie Mercier")
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    enter(client, house)
    try:
        for method, path, data in REQUESTS:
            answer = client.request(method, path.format(firm=f"/companies/{firm}"), data=data or None)
            assert answer.status_code < 500, (method, path)
    finally:
        house.log.close()
        house.engine.dispose()
