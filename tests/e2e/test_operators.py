"""What an operator sees of an installation on Kafka and PostgreSQL that has read, sent and failed something: metrics,
the dashboard's queries, log lines, and the names of its processes at both servers."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import psycopg
import pytest
from aiosmtpd.controller import Controller
from kafka import KafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from api.webhooks import store as webhooks
from ingest import sources_store
from tests.servers import free_port, wait_until
from tests.web import Answer, Site
from vigie import __version__, access, companies, db, outbox
from vigie.db.migrate import migrate
from vigie.errors import UnavailableError
from vigie.log import MENTIONS, Message, open_log
from vigie.secrets import Vault
from vigie.settings import Settings

ROOT = Path(__file__).parent.parent.parent
ROLES = ("ingest", "analyse", "deliver", "serve")
SECRET_KEY = "0123456789abcdefghijklmnopqrstuv"
FEED = (
    b"<rss version='2.0'><channel><title>T</title><item><guid>1</guid><title>Bon pain zebre</title>"
    b"<author>Lea Martin</author></item></channel></rss>"
)
REVIEW = {"id": "r1", "text": "Accueil horrible et girafe froide.", "rating": 1, "author": "Hugo Petit"}
PERSONAL = ("zebre", "girafe", "Martin", "Petit", "jean.dupont", "sylvie", "exemple.fr", SECRET_KEY)
SELECTOR = re.compile(r"\b(vigie_\w+)(?:\{([^}]*)\})?")


class Mailboxes:
    """An SMTP server that quotes an address which it refuses."""

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("jean"):
            return f"550 5.1.1 <{address}>: user unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        return "250 OK"


@dataclass
class Installation:
    """Four roles as processes, and what was seen of them: the newest scrape of each, names, and JSON log lines."""

    settings: Settings
    ports: dict
    scrapes: dict = field(default_factory=dict)
    database_names: set = field(default_factory=set)
    group: str = ""
    logs: dict = field(default_factory=dict)

    def scrape(self):
        self.scrapes = {
            role: httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=10).text
            for role, port in self.ports.items()
        }

    def samples(self):
        """Return (name, labels, value) of every role, with the labels that Prometheus adds."""
        return [
            (sample.name, {**sample.labels, "instance": role, "job": "vigie"}, sample.value)
            for role, text in self.scrapes.items()
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def total(self, metric, **labels):
        return sum(value for name, given, value in self.samples() if name == metric and labels.items() <= given.items())


@pytest.fixture(scope="module")
def installation(kafka, postgresql, tmp_path_factory):
    folder, site = tmp_path_factory.mktemp("operators"), Site()
    mailboxes = Controller(Mailboxes(), hostname="127.0.0.1", port=free_port())
    mailboxes.start()
    prefix = f"operators{free_port()}."
    settings = Settings(
        data_dir=folder, database_url=postgresql.new_database(), log_url=f"{kafka.url}?prefix={prefix}",
        smtp_url=f"smtp://127.0.0.1:{mailboxes.port}", secret_key=SECRET_KEY, log_format="json",
    )  # fmt: skip
    seen = Installation(settings, {role: free_port() for role in ROLES})
    engine, log = db.connect(settings.database), open_log(settings)
    try:
        migrate(engine)
        log.prepare()
        firm = fill(engine, log, site)
        with running(seen, folder, site.host):
            use(seen, firm, engine)
            seen.database_names = names_in(settings.database)
            seen.group = describe_group(kafka.url, f"{prefix}analysis")
    finally:
        log.close()
        engine.dispose()
        mailboxes.stop()
        site.close()
    return seen


def fill(engine, log, site):
    """Give the roles what succeeds and what fails; return the company's id."""
    site.pages |= {"/feed": Answer(FEED), "/hook": Answer(b"ok"), "/broken": Answer(b"", 500)}
    with db.writing(engine) as connection:
        firm = companies.add(connection, "Boulangerie")
        for path in ("/feed", "/broken"):
            sources_store.add(connection, firm, "feed", site.url + path)
        for path in ("/hook", "/broken"):
            webhooks.add(connection, Vault(SECRET_KEY), firm, site.url + path)
        outbox.enqueue(connection, [mail_to("sylvie@exemple.fr"), mail_to("jean.dupont@exemple.fr")])
    log.append(MENTIONS, [Message(firm, b"not json")])
    return firm


def mail_to(address):
    body = f"From: vigie@localhost\r\nTo: {address}\r\nSubject: x\r\n\r\nx".encode()
    return outbox.delivery(outbox.MAIL, None, address, f"mail to {address}", body)


@contextmanager
def running(seen, folder, allowed_host):
    """Run the roles; end them by SIGTERM, and keep what they logged."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIGIE_", "OTEL_"))}
    given = seen.settings.model_dump(exclude_unset=True)
    environment = {**clean, **{f"VIGIE_{name.upper()}": str(value) for name, value in given.items()}}
    environment["VIGIE_ALLOW_HOSTS"] = allowed_host
    processes, files = [], {role: folder / f"{role}.log" for role in ROLES}
    for role, port in seen.ports.items():
        command = [sys.executable, "-m", "vigie", role, *(["--port", str(port)] if role == "serve" else [])]
        own = environment | {"VIGIE_METRICS_ADDRESS": f"127.0.0.1:{port}"}
        with files[role].open("wb") as errors:
            processes.append(subprocess.Popen(command, env=own, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors))
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)
    seen.logs = {role: [json.loads(line) for line in path.read_text().splitlines()] for role, path in files.items()}


def use(seen, firm, engine):
    """Push a review when all roles answer, and wait until each success and failure shows in the metrics."""
    wait_until(lambda: is_seen(seen, [("vigie_assigned_partitions", {})]), 120, 0.3)
    with db.writing(engine) as connection:
        key = access.create_key(connection, "test")
    pushed = httpx2.post(
        f"http://127.0.0.1:{seen.ports['serve']}/api/v1/companies/{firm}/mentions",
        json={"mentions": [{**REVIEW, "published_at": datetime.now(UTC).isoformat()}]},
        headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30,
    )  # fmt: skip
    assert pushed.status_code == 202
    expected = [
        ("vigie_polls_total", {"result": "ok"}), ("vigie_polls_total", {"result": "failed"}),
        ("vigie_deliveries_total", {"kind": "mail", "result": "sent"}),
        ("vigie_deliveries_total", {"kind": "mail", "result": "failed"}),
        ("vigie_deliveries_total", {"kind": "webhook", "result": "sent"}),
        ("vigie_deliveries_total", {"kind": "webhook", "result": "retry"}),
        ("vigie_mentions_stored_total", {"source_kind": "feed"}),
        ("vigie_mentions_stored_total", {"source_kind": "push"}),
        ("vigie_dead_letters_total", {}), ("vigie_installation_sampled_timestamp_seconds", {}),
    ]  # fmt: skip
    wait_until(lambda: is_seen(seen, expected), 120, 0.5)


def is_seen(seen, expected):
    try:
        seen.scrape()
    except httpx2.HTTPError:
        return False
    return all(seen.total(name, **labels) for name, labels in expected)


def names_in(database_url):
    with psycopg.connect(database_url) as connection:
        query = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
        return {name for (name,) in connection.execute(query)}


def describe_group(url, group):
    admin = KafkaAdminClient(bootstrap_servers=url.removeprefix("kafka://"))
    try:
        return str(admin.describe_groups([group]))
    finally:
        admin.close()


def test_each_query_of_the_dashboard_finds_data(installation):
    samples = installation.samples()
    board = json.loads((ROOT / "deploy/grafana/vigie.json").read_text())
    targets = [(panel["title"], target) for panel in board["panels"] for target in panel["targets"]]
    assert len(targets) > 15
    for title, target in targets:
        expression = target["expr"]
        used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            used |= set(re.split(r",\s*", labels))
        assert SELECTOR.search(expression), title
        for name, matchers in SELECTOR.findall(expression):
            wanted = dict(re.findall(r'(\w+)="([^"]*)"', matchers))
            found = [labels for other, labels, _ in samples if other == name and wanted.items() <= labels.items()]
            assert found, (title, expression)
            assert used <= found[0].keys(), (title, used, found[0])
            if re.search(rf"(rate|increase)\({name}", expression):
                assert name.endswith(("_total", "_bucket")), (title, name)


def test_counters_are_each_process_own_and_figures_of_the_installation_are_told_once(installation):
    samples = installation.samples()
    roles = {name: {labels["instance"] for other, labels, _ in samples if other == name} for name, _, _ in samples}
    assert {name for name in roles if name.startswith("vigie_installation_") and roles[name] != {"serve"}} == set()
    assert roles["vigie_mentions_stored_total"] == roles["vigie_dead_letters_total"] == {"analyse"}
    assert roles["vigie_polls_total"] == {"ingest"}
    assert roles["vigie_deliveries_total"] == {"deliver"}
    assert roles["process_resident_memory_bytes"] == set(ROLES)
    assert installation.total("vigie_mentions_stored_total") == 2
    lag = {labels["partition"]: value for name, labels, value in samples if name == "vigie_installation_log_lag"}
    assert len(lag) == 8
    assert all(value >= 0 for value in lag.values())


def test_every_metric_is_documented_with_its_type_and_labels(installation):
    page = (ROOT / "docs/operations.md").read_text()
    rows = re.findall(r"^\| `(vigie_\w+)` \| (\w+) \| ([^|]*) \|", page, re.M)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    exported = {}
    for text in installation.scrapes.values():
        for family in text_string_to_metric_families(text):
            if family.name.startswith("vigie_"):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                labels = {label for sample in family.samples for label in sample.labels} - {"le"}
                exported[name] = family.type, exported.get(name, ("", set()))[1] | labels
    assert exported == documented


def test_processes_name_their_role_to_postgresql_and_kafka(installation):
    for role in ROLES:
        named = [name for name in installation.database_names if re.fullmatch(rf"vigie-{role}-[\w-]+-\d+", name)]
        assert len(named) == 1, installation.database_names
    assert re.search(r"vigie-analyse-[\w-]+-\d+", installation.group), installation.group


def test_each_role_logs_its_start_with_version_and_addresses_and_its_stop(installation):
    settings = installation.settings
    for role, lines in installation.logs.items():
        (started,) = [line for line in lines if line["event"] == "started"]
        assert started["version"] == __version__
        assert started["database"] == settings.database.replace("vigie@", "")
        assert started["log"] == settings.log.partition("?")[0]
        assert re.fullmatch(r".+:\d+", started["process"])
        assert started["role"] == role
        assert [line["role"] for line in lines if line["event"] == "stopped"] == [role]


def test_logs_tell_of_partitions_polls_deliveries_and_dead_letters(installation):
    def lines(role, event):
        return [line for line in installation.logs[role] if line["event"] == event]

    assigned = lines("analyse", "partitions_assigned")[-1]
    assert assigned["partitions"].count("mentions/") == 8
    assert assigned["member"].startswith("vigie-analyse-")
    (dead,) = lines("analyse", "dead_letter")
    assert (dead["topic"], dead["level"], dead["offset"]) == ("mentions", "warning", 0)
    (polled,) = lines("ingest", "polled")
    assert (polled["kind"], polled["items"], polled["mentions"]) == ("feed", 1, 1)
    assert len(lines("ingest", "source_failed")) == 1
    delivered = {line["kind"]: line for line in lines("deliver", "delivered")}
    assert delivered.keys() >= {"mail", "webhook"}
    assert delivered["webhook"]["to"].startswith("wh")
    failed = {line["kind"]: line for line in lines("deliver", "delivery_failed")}
    assert "HTTP 500" in failed["webhook"]["error"]
    assert "user unknown" in failed["mail"]["error"]


def test_logs_hold_no_personal_data_and_no_secret(installation):
    text = json.dumps(installation.logs, ensure_ascii=False)
    assert [word for word in PERSONAL if word in text] == []


def test_a_process_holds_no_more_connections_than_its_pool(postgresql):
    engine = db.connect(postgresql.new_database(), pool_size=2)
    held = [engine.connect() for _ in range(2)]
    try:
        with pytest.raises(UnavailableError, match="no free connection"), db.reading(engine):
            pass
    finally:
        for connection in held:
            connection.close()
        engine.dispose()
    assert 10 * Settings().database_pool <= 97  # PostgreSQL's 100, three of them for superusers
