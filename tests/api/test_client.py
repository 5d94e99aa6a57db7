"""The Python client, over a real socket."""

import threading
from datetime import UTC, datetime

import pytest
import uvicorn

from tests.pipeline import analyse
from tests.servers import free_port
from tests.web import Answer
from vigie import access, db
from vigie.cli import work
from vigie.client import Client, ProblemError

NOW = datetime.now(UTC).isoformat()


@pytest.fixture
def served(house):
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(work.make_app(house), port=port, log_level="warning"))
    server.install_signal_handlers = lambda: None
    runner = threading.Thread(target=server.run)
    runner.start()
    while not server.started:
        pass
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    runner.join()


@pytest.fixture
def client(house, served):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "client")
    with Client(served, key) as client:
        yield client


def test_what_is_pushed_is_read_judged_and_summed_up(client, house, firm):
    said = [{"id": str(number), "text": f"Accueil horrible, visite {number}.", "rating": 1, "published_at": NOW}
            for number in range(120)]  # fmt: skip
    assert len(set(client.push(firm["id"], said))) == 120
    analyse(house)
    assert [one["id"] for one in client.companies()] == [firm["id"]]
    read = list(client.mentions(firm["id"], from_=datetime.now(UTC).date(), sentiment="negative", limit=50))
    assert len({one["id"] for one in read}) == 120, "page after page"
    assert client.judge(firm["id"], read[0]["id"], "status", "done")["status"] == "done"
    assert client.trends(firm["id"], by="week")["points"][-1]["mentions"] == 120
    assert {one["theme"] for one in client.themes(firm["id"])} >= {"service"}
    alert = next(client.alerts(firm["id"]))
    assert client.acknowledge(firm["id"], alert["id"])["acknowledged_at"]
    assert client.resolve(firm["id"], alert["id"])["resolved_at"]
    assert [one["kind"] for one in client.sources(firm["id"])] == ["push"]


def test_a_refusal_says_why(client, firm):
    with pytest.raises(ProblemError, match="co_nobody") as raised:
        client.trends("co_nobody")
    assert raised.value.status == 404
    with pytest.raises(ProblemError, match="422"):
        client.push(firm["id"], [{"text": ""}])
    with pytest.raises(ProblemError, match="no report"):
        client.report(firm["id"], "2020-W01")


def test_a_busy_server_is_asked_again_under_the_same_key(site):
    answers = [Answer(b"", 503), Answer(status=429, headers={"Retry-After": "7"}), Answer(b'{"ids": ["m1"]}', 202)]
    site.pages["/api/v1/companies/c/mentions"] = lambda request: answers.pop(0)
    paused = []
    with Client(site.url, "k", pause=paused.append) as client:
        assert client.push("c", [{"text": "Bien."}]) == ["m1"]
    assert paused == [2.0, 7.0]
    keys = {headers["idempotency-key"] for _, _, headers, _ in map(lowered, site.requests)}
    assert len(keys) == 1
    site.pages["/api/v1/companies"] = Answer(b"<html>no</html>", 502)
    with Client(site.url, "k") as client, pytest.raises(ProblemError, match="502"):
        client.companies()


def lowered(request):
    method, path, headers, body = request
    return method, path, {name.lower(): value for name, value in headers.items()}, body
