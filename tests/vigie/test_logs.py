"""Log lines: their level and format, no personal data, and few of them in an outage."""

import itertools
import json
import subprocess
import sys

import pytest
import structlog
from starlette.testclient import TestClient

from vigie import db, logs, outbox
from vigie.cli import work
from vigie.errors import PositionError, UnavailableError
from vigie.outages import Outage
from vigie.outbox import DeliveryError


@pytest.fixture
def lines(capsys):
    """Log as a process does, and return a function that gives the lines since it was called last."""
    before = structlog.get_config()
    logs.configure("info", "json")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


def test_a_line_is_one_json_object_with_level_and_time(lines):
    structlog.get_logger().info("polled", mentions=3, error="a\nb\x1b[2J")
    (line,) = lines()
    assert line["timestamp"].endswith("Z")
    assert {**line, "timestamp": ""} == {
        "event": "polled", "mentions": 3, "error": "a\nb\\x1b[2J", "level": "info", "timestamp": "",
    }  # fmt: skip


@pytest.mark.usefixtures("lines")
def test_the_level_leaves_lesser_lines_out(capsys):
    logs.configure("warning", "logfmt")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    text = capsys.readouterr().err
    assert "event=loud" in text
    assert "quiet" not in text


def fail_on_words():
    try:
        raise ValueError("Le pain de Marie est froid")
    except ValueError as error:
        raise RuntimeError("Marie, marie@exemple.fr") from error


def test_an_exception_is_its_types_and_stack_without_the_messages(lines):
    try:
        fail_on_words()
    except RuntimeError:
        structlog.get_logger().exception("handler_failed")
    (line,) = lines()
    assert line["exception"].index("builtins.ValueError") < line["exception"].index("builtins.RuntimeError")
    assert "in fail_on_words" in line["exception"]
    quoted = [row for row in line["exception"].splitlines() if "Marie" in row]
    assert all(row.strip().startswith("raise ") for row in quoted), "lines of code are shown, messages are not"


def test_an_error_in_our_own_words_keeps_its_message(lines):
    structlog.get_logger().error("worker_died", exc_info=PositionError("the log was cut: run `vigie doctor`"))
    (line,) = lines()
    assert line["exception"] == "vigie.errors.PositionError: the log was cut: run `vigie doctor`"


@pytest.mark.usefixtures("lines")
def test_debug_shows_an_exceptions_messages(capsys):
    logs.configure("debug", "json")
    try:
        fail_on_words()
    except RuntimeError:
        structlog.get_logger().exception("handler_failed")
    assert "RuntimeError: Marie, (address)" in json.loads(capsys.readouterr().err)["exception"]


@pytest.mark.parametrize(
    "text", ["<marie@exemple.fr>: unknown", "imaps://avis%40x.example@imap.example", "to=a.b+c@exemple.co.uk;"]
)
def test_mail_addresses_are_masked(lines, text):
    structlog.get_logger().warning("delivery_failed", error=text)
    (line,) = lines()
    assert "@" not in line["error"]
    assert "(address)" in line["error"]


def test_libraries_lines_are_written_by_the_same_rules():
    code = (
        "from vigie import logs; import logging; logs.configure('info', 'json');"
        "logging.getLogger('uvicorn.error').warning('Invalid %s from marie@exemple.fr', 'request');"
        "logging.getLogger('uvicorn.error').error('Exception in ASGI application\\n');"
        "logging.getLogger('httpx2').info('chatter')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = [json.loads(text) for text in ran.stderr.splitlines()]
    assert (line["event"], line["library"], line["level"]) == (
        "Invalid request from (address)", "uvicorn.error", "warning",
    )  # fmt: skip


def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(lines):
    outage = Outage("deliver")
    assert [outage.note(UnavailableError("the database does not answer")) for _ in range(3)] == [0, 1, 2]
    outage.end()
    outage.end()
    began, over = lines()
    assert (began["event"], began["role"], began["level"]) == ("outage", "deliver", "warning")
    assert (over["event"], over["tries"]) == ("outage_over", 3)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (DeliveryError("HTTP 500"), "HTTP 500"),
        (DeliveryError('JSON-RPC: {"data": "le pain de Marie"}'), "JSON-RPC:"),
        (ValueError("le pain de Marie"), "ValueError"),
    ],
)
def test_a_failed_delivery_quotes_nobody(house, lines, error, shown):
    class Failing:
        def send(self, delivery):
            raise error

    with db.writing(house.engine) as connection:
        outbox.enqueue(connection, [outbox.delivery(outbox.MAIL, None, "marie@exemple.fr", "e", b"x")])
    outbox.send_due(house.engine, {outbox.MAIL: Failing(), outbox.WEBHOOK: Failing()})
    (line,) = lines()
    assert (line["event"], line["error"]) == ("delivery_failed", shown)
    assert "arie" not in json.dumps(line)


def test_a_warning_that_repeats_is_counted_and_not_written(lines):
    limit = logs.RepeatLimit(seconds=0.0)
    assert limit(None, "warning", {"event": "x", "level": "warning"}) == {"event": "x", "level": "warning"}
    limit = logs.RepeatLimit(seconds=60.0)
    first = {"event": "request_failed", "level": "warning", "error": "away", "path": "/a"}
    limit(None, "warning", dict(first))
    for path in ("/a", "/b", "/c"):
        with pytest.raises(structlog.DropEvent):
            limit(None, "warning", {**first, "path": path})
    assert limit(None, "warning", {**first, "error": "another"})["error"] == "another"
    limit._seconds = 0.0
    assert limit(None, "warning", dict(first))["repeated"] == 3
    assert limit(None, "info", {"event": "x", "level": "info"}) == {"event": "x", "level": "info"}


def test_a_hundred_requests_in_an_outage_are_a_few_lines(house, firm, lines, monkeypatch):
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", raise_server_exceptions=False)
    failures = itertools.cycle([UnavailableError("Kafka does not answer"), RuntimeError("Marie")])

    def fail(*arguments):
        raise next(failures)

    monkeypatch.setattr("vigie.health.readiness", fail)
    assert {client.get("/ready").status_code for _ in range(100)} == {500, 503}
    written = lines()
    assert sorted(line["event"] for line in written) == ["request_crashed", "request_failed"]
    assert "RuntimeError" in json.dumps(written)
    assert "Marie" not in json.dumps(written)
