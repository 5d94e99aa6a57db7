"""One trace from a push over its analysis to the webhook that tells of it, and none at all while traces are off."""

import itertools
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from starlette.testclient import TestClient

from api.webhooks import store as webhooks
from tests.pipeline import analyse
from tests.servers import free_port, wait_until
from tests.web import Answer
from vigie import access, db, events, outbox, traces
from vigie.cli import work
from vigie.log import MENTIONS
from vigie.positions import StoredPositions
from vigie.secrets import Vault

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE_ID}-b7ad6b7169203331-01"
REVIEW = {"id": "r1", "text": "Accueil horrible et girafe froide.", "rating": 1, "author": "Hugo Petit"}


@pytest.fixture
def spans():
    """Make spans, and return a function that gives the ended ones by name."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces.start(provider)
    yield lambda: {span.name: span for span in exporter.get_finished_spans()}
    traces.stop()


def push(house, firm, **headers):
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1")
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "test")
    review = {**REVIEW, "published_at": datetime.now(UTC).isoformat()}
    path = f"/api/v1/companies/{firm['id']}/mentions"
    answer = client.post(path, json={"mentions": [review]}, headers={"Authorization": f"Bearer {key}", **headers})
    assert answer.status_code == 202


def read_events(house):
    with house.log.subscribe("reader", [MENTIONS], StoredPositions(house.engine)) as subscription:
        return [json.loads(record.value) for batch in subscription.poll(timeout=5) for record in batch.records]


def add_webhook(house, firm, url):
    with db.writing(house.engine) as connection:
        webhooks.add(connection, Vault(house.settings.secret()), firm["id"], url)


def show(context):
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def deliver(house):
    senders = work.make_senders(house)
    outbox.send_due(house.engine, senders)
    senders[outbox.WEBHOOK].close()


def test_one_trace_leads_from_the_push_to_the_webhook(house, firm, site, spans):
    site.pages["/hook"] = Answer(b"ok")
    add_webhook(house, firm, f"{site.url}/hook")
    push(house, firm, traceparent=CALLER)
    (event,) = read_events(house)
    analyse(house)
    deliver(house)
    made = spans()
    chain = ["POST /companies/{company_id}/mentions", "append mentions", "analyse mentions", "deliver webhook"]
    assert made.keys() >= set(chain)
    assert {f"{made[name].context.trace_id:032x}" for name in chain} == {TRACE_ID}
    assert f"{made[chain[0]].parent.span_id:016x}" == CALLER.split("-")[2]
    for above, below in itertools.pairwise(chain):
        assert made[below].parent.span_id == made[above].context.span_id, below
    kinds = [SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.CLIENT]
    assert [made[name].kind for name in chain] == kinds
    assert event["traceparent"] == show(made["append mentions"].context)
    ((_, _, headers, _),) = site.requests
    sent = {name.lower(): value for name, value in headers.items()}["traceparent"]
    assert sent == show(made["deliver webhook"].context)
    text = "".join(span.to_json() for span in made.values())
    assert [word for word in ("girafe", "Petit", firm["name"]) if word in text] == []


def test_a_failed_delivery_marks_its_span_without_the_message(house, firm, site, spans):
    site.pages["/hook"] = Answer(b"girafe", 500)
    add_webhook(house, firm, f"{site.url}/hook")
    push(house, firm)
    analyse(house)
    deliver(house)
    span = spans()["deliver webhook"]
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "DeliveryError")
    assert span.events == ()


def test_while_traces_are_off_events_and_deliveries_carry_none(house, firm, site):
    site.pages["/hook"] = Answer(b"ok")
    add_webhook(house, firm, f"{site.url}/hook")
    push(house, firm, traceparent=CALLER)
    (event,) = read_events(house)
    assert "traceparent" not in event
    analyse(house)
    deliver(house)
    ((_, _, headers, _),) = site.requests
    assert "traceparent" not in {name.lower() for name in headers}


@pytest.mark.parametrize("value", ["rubbish", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", 7, None, {}, "é" * 10_000])
def test_a_traceparent_that_is_none_is_no_obstacle(house, firm, spans, value):
    event = json.loads(events.encode(collected(firm)))
    event["traceparent"] = value
    decoded = events.decode(json.dumps(event).encode())
    parents = traces.EventSpans()
    parents.begin(decoded.traceparent, firm["id"], ["m1"])
    parents.end()
    assert spans()["analyse mentions"].parent is None


def collected(firm):
    now = datetime.now(UTC)
    mention = events.Mention(id="m1", text="Bon", published_at=now, collected_at=now)
    origin = events.Origin("s1", "push", "Push")
    return events.MentionsCollected(id="e1", time=now, company_id=firm["id"], source=origin, mentions=(mention,))


def run_role(tmp_path, *arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIGIE_", "OTEL_"))}
    given = {**clean, "VIGIE_DATA_DIR": str(tmp_path / "data"), **environment}
    code = (
        "import sys; sys.argv = ['vigie', *sys.argv[1:]]\nfrom vigie.cli import main\n"
        "try:\n    main()\nfinally:\n    print(sorted(name for name in sys.modules if name == 'opentelemetry'))"
    )
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=120)


def test_without_an_endpoint_opentelemetry_is_not_imported(tmp_path):
    done = run_role(tmp_path, "ingest", "--once")
    assert done.stdout.strip() == "[]", done.stderr


def test_spans_reach_a_collector_and_one_that_is_away_holds_up_nothing(house, firm, site, tmp_path):
    site.pages["/v1/traces"] = Answer(b"")
    push(house, firm)
    done = run_role(tmp_path, "analyse", "--once", OTEL_EXPORTER_OTLP_ENDPOINT=site.url)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: site.requests)
    bodies = b"".join(body for _, path, _, body in site.requests if path == "/v1/traces")
    assert b"vigie-analyse" in bodies
    assert b"analyse mentions" in bodies
    push(house, firm)
    done = run_role(tmp_path, "analyse", "--once", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 0, done.stderr
    assert "event=stopped" in done.stderr


def test_an_endpoint_without_the_extra_is_told(tmp_path):
    hidden = tmp_path / "opentelemetry"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("raise ImportError('not installed')")
    done = run_role(
        tmp_path, "ingest", "--once", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", PYTHONPATH=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert "vigie[traces]" in done.stderr
