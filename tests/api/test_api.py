"""The API over HTTP: keys, tenants, problems, pages, push."""

import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, update
from starlette.testclient import TestClient

from ingest import sources_store
from ingest.source import Aggregate
from tests.pipeline import analyse, is_exact
from vigie import access, companies, db
from vigie.cli import work
from vigie.db.tables import consumer_offset
from vigie.errors import UnavailableError
from vigie.installation import Figures
from vigie.log import MENTIONS, Message

ROOT = Path(__file__).parent.parent.parent

GOOD = {"id": "1", "text": "Pain excellent.", "rating": 5, "author": "Léa", "published_at": "2026-11-20T10:00:00+01:00"}


@pytest.fixture
def app(house):
    return work.make_app(house)


@pytest.fixture
def client(app, house):
    return TestClient(app, base_url="http://127.0.0.1", headers=bearer(house))


def bearer(house, **more):
    with db.writing(house.engine) as connection:
        return {"Authorization": f"Bearer {access.create_key(connection, 'test', **more)}"}


def push(client, firm, *mentions):
    return client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": list(mentions)})


def test_what_is_pushed_comes_back_understood(client, firm, house):
    answer = push(client, firm, GOOD, {"text": "Accueil horrible.", "rating": "1/5"}, {"rating": 4})
    assert answer.status_code == 202
    assert len(answer.json()["ids"]) == 3
    push(client, firm, GOOD)
    analyse(house)
    items = client.get(f"/api/v1/companies/{firm['id']}/mentions").json()["items"]
    assert len(items) == 3
    (one,) = [item for item in items if item["author"] == "Léa"]
    assert one["sentiment"]["label"] == "positive"
    assert one["source"]["kind"] == "push"
    assert one["published_at"] == "2026-11-20T09:00:00Z"
    assert client.get(f"/api/v1/companies/{firm['id']}/mentions/{one['id']}").json() == one
    trend = client.get(
        f"/api/v1/companies/{firm['id']}/trends", params={"by": "day", "from": "2026-11-20", "to": "2026-11-20"}
    )
    assert trend.json()["points"][0]["mentions"] == 1
    assert {theme["theme"] for theme in client.get(f"/api/v1/companies/{firm['id']}/themes").json()} >= {
        "product",
        "service",
    }
    assert is_exact(house)


def test_a_judgement_over_the_api_stands(client, firm, house):
    (one,) = push(client, firm, GOOD).json()["ids"]
    analyse(house)
    path = f"/api/v1/companies/{firm['id']}/mentions/{one}/judgements"
    assert client.post(path, json={"aspect": "label", "value": "negative"}).json()["sentiment"]["label"] == "negative"
    assert client.post(path, json={"aspect": "label", "value": "bof"}).status_code == 422
    assert is_exact(house)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400), (b"[]", 422), (b'{"mentions": []}', 422), (b'{"mentions": [{}]}', 422), (b"\xff", 400),
        (b'{"mentions": [{"text": "x", "rating": 9}]}', 422), (b'{"mentions": [{"text": "x\\u0000"}]}', 422),
        (b'{"mentions": [{"text": "\\ud800"}]}', 422), (b'{"mentions": [{"text": "x", "published_at": "hier"}]}', 422),
        (b"x" * 2_000_001, 413), (b"[" * 100_000, 400),
    ],
)  # fmt: skip
def test_a_bad_body_is_a_problem(client, firm, body, status):
    answer = client.post(
        f"/api/v1/companies/{firm['id']}/mentions", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_a_body_without_a_length_is_bounded_too(client, firm):
    answer = client.post(f"/api/v1/companies/{firm['id']}/mentions", content=(b"x" * 100_000 for _ in range(30)))
    assert answer.status_code == 413


def test_no_key_no_answer(app, firm):
    client = TestClient(app, base_url="http://127.0.0.1")
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        answer = client.get(f"/api/v1/companies/{firm['id']}/mentions", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def routes(app):
    for path, methods in app.openapi()["paths"].items():
        if path.startswith("/api/v1/companies/{company_id}"):
            for method in methods:
                yield method, path


def test_another_firm_does_not_exist_for_a_firms_key(app, house, firm):
    with db.writing(house.engine) as connection:
        other = companies.add(connection, "Autre")
    client = TestClient(app, base_url="http://127.0.0.1", headers=bearer(house, company_id=other))
    tried = 0
    for method, path in routes(app):
        url = path.format(
            company_id=firm["id"],
            source_id="x",
            mention_id="x",
            webhook_id="x",
            delivery_id="x",
            rule_id="x",
            alert_id="x",
            location_id="x",
            week="2026-W47",
        )
        answer = client.request(method, url, json={} if method in {"post", "patch"} else None)
        assert answer.status_code in {404, 422}, (method, path, answer.text)
        assert answer.status_code == 404 or "company" not in answer.text
        tried += 1
    assert tried >= 15
    assert [one["id"] for one in client.get("/api/v1/companies").json()] == [other]
    assert client.post("/api/v1/companies", json={"name": "X"}).status_code == 403


def test_a_source_of_another_firm_is_not_found(app, house, firm):
    with db.writing(house.engine) as connection:
        other = companies.add(connection, "Autre")
    admin = TestClient(app, base_url="http://127.0.0.1", headers=bearer(house))
    made = admin.post(f"/api/v1/companies/{firm['id']}/sources", json={"kind": "feed", "target": "https://a.fr/f"})
    assert made.status_code == 201
    client = TestClient(app, base_url="http://127.0.0.1", headers=bearer(house, company_id=other))
    assert client.delete(f"/api/v1/companies/{other}/sources/{made.json()['id']}").status_code == 404
    assert len(admin.get(f"/api/v1/companies/{firm['id']}/sources").json()) == 1


@pytest.mark.parametrize("role", ["reader", "editor"])
def test_a_role_does_what_it_may(app, house, firm, role):
    client = TestClient(app, base_url="http://127.0.0.1", headers=bearer(house, company_id=firm["id"], role=role))
    assert client.get(f"/api/v1/companies/{firm['id']}").status_code == 200
    assert push(client, firm, GOOD).status_code == (403 if role == "reader" else 202)
    assert client.get(f"/api/v1/companies/{firm['id']}/webhooks").status_code == 403


def test_companies_sources_and_places_are_kept_over_the_api(client):
    made = client.post("/api/v1/companies", json={"name": "Garage Faure", "timezone": "Europe/Paris"}).json()
    path = f"/api/v1/companies/{made['id']}"
    assert client.patch(path, json={"city": "Brive"}).json()["city"] == "Brive"
    assert client.patch(path, json={"timezone": "Mars/Olympus"}).status_code == 422
    place = client.post(f"{path}/locations", json={"name": "Centre"}).json()
    source = client.post(
        f"{path}/sources", json={"kind": "feed", "target": "https://a.fr/f", "location_id": place["id"]}
    ).json()
    assert client.patch(f"{path}/sources/{source['id']}", json={"paused": True}).json()["paused"]
    assert client.post(f"{path}/sources", json={"kind": "telepathy", "target": "x"}).status_code == 422
    assert client.delete(f"{path}/sources/{source['id']}").status_code == 204
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_pages_follow_one_another(client, firm, house):
    push(client, firm, *({"id": str(n), "text": "Bon pain."} for n in range(12)))
    analyse(house)
    seen, cursor = [], None
    while True:
        page = client.get(
            f"/api/v1/companies/{firm['id']}/mentions", params={"limit": 5, **({"cursor": cursor} if cursor else {})}
        ).json()
        seen += [one["id"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == 12
    assert client.get(f"/api/v1/companies/{firm['id']}/mentions", params={"cursor": "x"}).status_code == 422


def test_a_read_that_changed_nothing_costs_no_body(client, firm):
    first = client.get(f"/api/v1/companies/{firm['id']}")
    again = client.get(f"/api/v1/companies/{firm['id']}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_log_that_is_away_is_said_so_and_asks_to_come_back(client, firm, house, monkeypatch):
    def away(self, topic, messages):
        raise UnavailableError("the log does not answer")

    monkeypatch.setattr(type(house.log), "append", away)
    answer = push(client, firm, GOOD)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_what_was_answered_202_lies_in_the_log(client, firm, house):
    push(client, firm, GOOD)
    assert sum(end for _, end in house.log.ends(MENTIONS).values()) == 1


def test_a_bug_tells_nothing_of_us(app, house, firm, monkeypatch):
    from analysis import queries

    monkeypatch.setattr(queries, "themes", lambda *arguments: 1 / 0)
    client = TestClient(app, base_url="http://127.0.0.1", headers=bearer(house), raise_server_exceptions=False)
    answer = client.get(f"/api/v1/companies/{firm['id']}/themes")
    assert answer.status_code == 500
    assert "division" not in answer.text


def test_health_readiness_and_metrics(app, client, house, firm):
    # the client's key is of the whole installation
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json()["ready"] is True
    push(client, firm, GOOD)
    assert read_lag(app, client, house) == 1
    analyse(house)
    assert read_lag(app, client, house) == 0


def read_lag(app, client, house):
    """Take a sample, and return the lag over all partitions that a scrape shows."""
    app.state.services.figures.sample(house.engine, house.log)
    values = re.findall(r"^vigie_installation_log_lag{.*} (.+)$", client.get("/metrics").text, re.M)
    assert len(values) == 8
    return sum(map(float, values))


def test_a_scrape_asks_neither_database_nor_log(app, client, house, monkeypatch):
    client.headers.pop("authorization")  # a key is looked up in the database
    monkeypatch.setattr(type(house.log), "ends", lambda *arguments: pytest.fail("the log was asked"))
    local = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1))
    local.get("/metrics")
    statements = []
    event.listen(house.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    assert local.get("/metrics").status_code == 200
    assert statements == []


def test_the_lag_is_unknown_where_the_log_is_another_one_or_does_not_answer(house):
    house.log.append(MENTIONS, [Message("co", b"{}")])
    analyse(house)
    figures = Figures()
    beyond = update(consumer_offset).values(next_offset=consumer_offset.c.next_offset + 5)
    with db.writing(house.engine) as connection:
        connection.execute(beyond)
    figures.sample(house.engine, house.log)
    assert all(math.isnan(value) for value in lag_of(figures))
    figures = Figures()

    class Away:
        def ends(self, topic):
            raise UnavailableError("Kafka does not answer")

    figures.sample(house.engine, Away())
    assert all(math.isnan(value) for value in lag_of(figures))


def lag_of(figures):
    (family,) = [one for one in figures.registry.collect() if one.name == "vigie_installation_log_lag"]
    return [sample.value for sample in family.samples]


def test_not_ready_says_why(tmp_path, house, monkeypatch):
    from vigie import health

    monkeypatch.setattr(health, "is_current", lambda engine: False)
    here = TestClient(work.make_app(house), base_url="http://127.0.0.1", client=("127.0.0.1", 5_000))
    answer = here.get("/ready")
    assert answer.status_code == 503
    assert "vigie migrate" in answer.json()["why"]


def test_a_range_that_is_none_is_a_problem(client, firm):
    path = f"/api/v1/companies/{firm['id']}/trends"
    for params in (
        {"from": "2026-12-01", "to": "2026-01-01"},
        {"from": "0001-01-01"},
        {"to": "9999-12-31"},
        {"to": "0001-01-01"},
        {"by": "year"},
    ):
        assert client.get(path, params=params).status_code == 422, params


def test_the_reports_of_weeks_that_were_mailed_are_kept(client, firm, house):
    from analysis.report import Week
    from dashboards import weekly

    with db.writing(house.engine) as connection:
        companies.add_recipient(connection, firm["id"], "marie@example.fr")
    week = Week.of((datetime.now(UTC) - timedelta(days=7)).date())
    path = f"/api/v1/companies/{firm['id']}/reports/{week.name}"
    assert client.get(path).status_code == 404
    weekly.send(house.engine, house.settings, firm, week)
    assert client.get(path).json()["company"] == firm["name"]


def test_platforms_say_how_many_five_stars_they_need_and_a_day_can_be_looked_around(client, firm, house):
    with db.writing(house.engine) as connection:
        source = sources_store.named(connection, firm["id"], "push", "Avis")
        sources_store.observe(
            connection, source, [Aggregate(4.3, 100, "4,3/5", "google"), Aggregate(4.2, 9, "8,4/10", "x")]
        )
    google, ten = client.get(f"/api/v1/companies/{firm['id']}/platforms").json()
    assert google["needed"] == {"target": 4.5, "fewest": 19, "most": 37}
    assert ten["needed"] is None, "on ten there are no five stars"
    bad = [
        {"text": "Accueil horrible.", "rating": 1, "published_at": f"2026-10-{day}T09:00:00Z"} for day in range(10, 20)
    ]
    good = [{**GOOD, "id": str(day), "published_at": f"2026-11-{day}T09:00:00Z"} for day in range(10, 20)]
    push(client, firm, *bad, *good)
    analyse(house)
    around = f"/api/v1/companies/{firm['id']}/before-after"
    found = client.get(around, params={"day": "2026-11-01", "weeks": 4}).json()
    assert (found["verdict"], found["negative_before"], found["negative"]) == ("better", 10, 0)
    assert found["difference"]["high"] < -0.5
    assert client.get(around, params={"day": "0001-01-01"}).status_code == 422


def test_a_place_is_changed_and_removed_and_its_mentions_stay(client, firm, house):
    path = f"/api/v1/companies/{firm['id']}/locations"
    place = client.post(path, json={"name": "Les Halles"}).json()["id"]
    assert client.patch(f"{path}/{place}", json={"city": "Limoges"}).json()["city"] == "Limoges"
    assert client.patch(f"{path}/{place}", json={"name": None}).status_code == 422
    made = {"kind": "feed", "target": "https://a.example.fr/f", "location_id": place}
    source = client.post(f"/api/v1/companies/{firm['id']}/sources", json=made).json()["id"]
    assert client.delete(f"{path}/{place}").status_code == 204
    assert client.get(path).json() == []
    (kept,) = client.get(f"/api/v1/companies/{firm['id']}/sources").json()
    assert (kept["id"], kept["location_id"]) == (source, None)
    assert client.delete(f"{path}/{place}").status_code == 404
