"""Faults of the log, the database and the workers: after each, all that was produced is there, once.

Run by hand: `make test-faults`. The numbers are those of docs/reliability.md, where the table of the last run stands.
"""

import gzip
import json
import math
import os
import random
import re
import resource
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import confluent_kafka
import httpx2
import kafka as client
import pytest
from aiosmtpd.controller import Controller
from kafka.structs import TopicPartition
from sqlalchemy import delete, func, select, update
from starlette.testclient import TestClient

from dashboards.mailer import SmtpSender
from ingest import collect, sources_store
from tests.conftest import start
from tests.contract.test_dead_letters import event, said
from tests.faults.disk import Disk
from tests.faults.rig import Rig
from tests.servers import CannotStartError, Kafka, Postgres, free_port, set_read_only, wait_until
from vigie import access, clock, companies, counters, db, deadletters, health, outbox, positions
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.tables import consumer_offset, dead_letter, mention, rollup
from vigie.db.tables import outbox as deliveries
from vigie.errors import UnavailableError
from vigie.events import Mention, Origin
from vigie.installation import Figures
from vigie.log import ANALYSIS, MENTIONS, open_log
from vigie.settings import Settings

pytestmark = [
    pytest.mark.timeout(420),
    # Sockets that kafka-python leaves to the garbage collector when a broker is torn away.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
RECOVERY = 60.0  # seconds, without touching our processes


@pytest.fixture(scope="module")
def brokers():
    cluster = start(lambda: Kafka(3))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def database():
    server = start(Postgres)
    yield server
    server.stop()


@pytest.fixture
def disk():
    """Skipped where nothing may be mounted, even if strict: the cases with limited files are tried there."""
    try:
        one = Disk(64_000_000)
    except CannotStartError as error:
        pytest.skip(str(error))
    yield one
    one.stop()


@pytest.fixture
def settings(brokers, database, tmp_path):
    (tmp_path / "data").mkdir()
    log_url = f"{brokers.url}?replication=3&prefix={secrets.token_hex(4)}."
    return Settings(data_dir=tmp_path / "data", database_url=database.new_database(), log_url=log_url)


@pytest.fixture
def rig(settings):
    seed = int(os.environ.get("VIGIE_TEST_SEED", random.randrange(10**6)))
    one = Rig(settings, seed)
    yield one
    one.close()


@pytest.fixture
def embedded(tmp_path):
    (tmp_path / "data").mkdir()
    one = Rig(Settings(data_dir=tmp_path / "data"), random.randrange(10**6))
    yield one
    one.close()


def raw(rig, **record):
    """A record by somebody else's producer."""
    producer = client.KafkaProducer(bootstrap_servers=rig.settings.log_url.split("//")[1].split("?")[0].split(","))
    prefix = rig.settings.log_url.rpartition("prefix=")[2]
    producer.send(prefix + MENTIONS, partition=0, **record).get(10)
    producer.close()


def dead(rig):
    with db.reading(rig.engine) as connection:
        return [dict(row) for row in connection.execute(select(dead_letter)).mappings()]


def test_01_a_broker_is_killed_and_comes_back(rig, brokers):
    rig.work()
    with rig.load(3_000, pace=0.7):
        time.sleep(6)
        brokers.kill(0)
        time.sleep(20)
        brokers.start(0)
    rig.settle()
    assert rig.silence < RECOVERY
    rig.verify("1 broker killed for 20 s", f"longest silence {rig.silence:.0f} s")


def test_02_a_broker_freezes(rig, brokers):
    rig.work()
    with rig.load(1_800, pace=0.9):
        time.sleep(6)
        brokers.pause(1)
        time.sleep(45)
        brokers.pause(1, resume=True)
    rig.settle()
    assert rig.silence < RECOVERY
    assert rig.workers[0].poll() is None, "no crash loop"
    rig.verify("2 broker frozen for 45 s", f"longest silence {rig.silence:.0f} s")


def test_03_no_broker_when_we_start(rig, brokers):
    rig.produce(300)
    brokers.kill()
    try:
        worker = rig.work()
        time.sleep(15)
        assert worker.poll() is None, "no exit storm"
        assert rig.stored() == set()
        assert not health.is_alive(rig.engine, "analyse"), "a worker that cannot work says so"
    finally:
        brokers.start()
    taken = rig.settle()
    assert taken < RECOVERY
    rig.verify("3 no broker at the start", f"all stored {taken:.0f} s after the brokers came")


AFTER_COMMIT = """
import os
from vigie.log import kafka
kafka.KafkaSubscription.commit = lambda self, batches: os.kill(os.getpid(), 9)
"""
BEFORE_COMMIT = """
import os
from vigie.consumer import Consumer
write = Consumer._write
def die(self, connection, handled):
    write(self, connection, handled)
    os.kill(os.getpid(), 9)
Consumer._write = die
"""


@pytest.mark.parametrize(
    ("case", "hook", "left"),
    [("4 killed after the database's commit", AFTER_COMMIT, True), ("5 killed before it", BEFORE_COMMIT, False)],
    ids=["04", "05"],
)
def test_04_05_a_worker_dies_around_its_commit(rig, case, hook, left):
    rig.produce(600)
    worker = rig.work(hook=hook)
    worker.wait(60)
    assert bool(rig.stored()) is left, "what was committed stands, what was not is not there"
    rig.work()
    rig.settle()
    rig.verify(case)


def test_06_thirty_kills_in_a_burst(rig):
    with rig.load(3_000, pace=0.1):
        for _ in range(30):
            worker = rig.work()
            time.sleep(rig.chance.uniform(0.1, 1.0))
            worker.kill()
            worker.wait()
    rig.work()
    taken = rig.settle()
    assert taken < 120
    rig.verify("6 thirty kills", f"{taken:.0f} s after the last")


def test_07_a_worker_is_asked_to_stop(rig):
    rig.produce(3_000)
    worker = rig.work()
    wait_until(rig.stored, 60)
    began = time.monotonic()
    worker.terminate()
    assert worker.wait(10) == 0
    took = time.monotonic() - began
    rig.work()
    rig.settle()
    rig.verify("7 SIGTERM", f"gone after {took:.1f} s")


def test_08_workers_come_and_go(rig):
    rig.work()
    with rig.load(4_000, pace=0.15):
        time.sleep(4)
        rig.work()
        time.sleep(6)
        third = rig.work()
        time.sleep(6)
        third.terminate()
        assert third.wait(10) == 0
    rig.settle()
    rig.verify("8 a second and a third worker, and one less")


def test_09_a_worker_is_frozen_longer_than_its_session(rig):
    rig.produce(400)
    slow = rig.work()
    wait_until(rig.stored, 60)
    slow.send_signal(signal.SIGSTOP)
    rig.produce(1_500, start=400)
    rig.work()
    time.sleep(20)
    slow.send_signal(signal.SIGCONT)
    rig.produce(400, start=1_900)
    rig.settle()
    assert slow.poll() is None
    rig.verify("9 evicted, and back with old work")


def test_10_poison(rig):
    rig.produce(100)
    raw(rig, key=b"x", value=b"not JSON", headers=[("from", b"elsewhere")])
    raw(rig, key=rig.firms[0].encode(), value=json.dumps({"specversion": "9.9", "type": "?"}).encode())
    raw(rig, key=None, value=b"{}")
    raw(rig, key=rig.firms[0].encode(), value=None)
    raw(rig, key=b"co_unknown", value=b'{"specversion":"1.0","type":"mentions.collected","id":"1","source":"/x"}')
    rig.produce(100, start=100)
    rig.work()
    rig.settle()
    wait_until(lambda: len(dead(rig)) >= 4, 30)
    letters = dead(rig)
    assert all(one["reason"] for one in letters)
    assert ["from", "elsewhere"] in [list(pair) for one in letters for pair in one["headers"]]
    assert deadletters.replay(rig.engine, rig.log) >= 3
    rig.settle()
    rig.verify("10 poison", f"{len(letters)} dead letters")


def test_11_the_same_a_hundred_times(rig):
    rig.work()
    moment = datetime.now(UTC)
    one = Mention(id="m000000", text="Attente horrible.", rating=1.0, published_at=moment, collected_at=moment)
    for _ in range(100):
        collect.append(rig.log, rig.firms[0], Origin("source", "push", "test"), [one])
    rig.produced.add(one.id)
    rig.settle()
    assert rig.deliveries() == 1
    rig.verify("11 the same 100 times", "1 alert, 1 delivery")


def test_12_an_edit_and_then_the_old_text_again(rig):
    rig.work()
    moment = datetime.now(UTC)
    given = {"id": "m000000", "rating": 3.0, "published_at": moment - timedelta(days=2)}
    old = Mention(text="Correct.", collected_at=moment, updated_at=moment - timedelta(days=1), **given)
    new = Mention(text="Finalement excellent.", collected_at=moment, updated_at=moment, **given)
    for edition in (old, new, old, new, old):
        collect.append(rig.log, rig.firms[0], Origin("source", "push", "test"), [edition])
    rig.produced.add("m000000")
    rig.settle()
    with db.reading(rig.engine) as connection:
        assert connection.scalar(select(mention.c.text)) == "Finalement excellent."
    rig.verify("12 edits out of order")


def test_13_a_hundred_thousand_wait(rig):
    rig.produce(100_000)
    worker = rig.work()
    most, slowest = 0, 0.0
    answer = rig._client()
    began = time.monotonic()
    while not rig.stored() >= rig.produced:
        assert time.monotonic() - began < 300
        pages = int(open(f"/proc/{worker.pid}/statm").read().split()[1])  # noqa: SIM115
        most = max(most, pages * resource.getpagesize())
        asked = time.monotonic()
        assert answer.get("/health").status_code == 200
        slowest = max(slowest, time.monotonic() - asked)
        Figures().sample(rig.engine, rig.log)
        time.sleep(2)
    rig.settle()
    assert most < 512 * 1024 * 1024
    rate = 100_000 / (time.monotonic() - began)
    rig.verify("13 100,000 queued", f"{most // 2**20} MB at most, {rate:.0f} a second")


def test_14_the_broker_has_no_space(database, tmp_path):
    broker = start(lambda: Kafka(1))
    (tmp_path / "data").mkdir()
    rig = Rig(Settings(data_dir=tmp_path / "data", database_url=database.new_database(), log_url=broker.url), 14)
    try:
        rig.work()
        rig.produce(200)
        rig.settle()
        broker.kill()
        broker.start(limit="10485760")  # its index files fit; a segment cannot grow past ten megabytes
        part, kept = _until_refused(rig)
        broker.kill()
        broker.start()
        wait_until(lambda: _appended(rig, part), 60, 1)
        rig.settle()
        rig.verify("14 no space on the broker", f"refused after {kept} records")
    finally:
        rig.close()
        broker.stop()


def test_14_the_brokers_disk_is_full(database, disk, tmp_path):
    """A broker ends when it cannot write; with space again it is started again, as a container's engine does."""
    broker = start(lambda: Kafka(1, folder=disk.folder))
    (tmp_path / "data").mkdir()
    rig = Rig(Settings(data_dir=tmp_path / "data", database_url=database.new_database(), log_url=broker.url), 14)
    try:
        worker = rig.work()
        rig.produce(200)
        rig.settle()
        disk.fill()
        part, kept = _until_refused(rig)
        disk.free()
        broker.kill()
        broker.start()
        wait_until(lambda: _appended(rig, part), 60, 1)
        rig.settle()
        assert worker.poll() is None
        rig.verify("14 the broker's disk is full", f"refused after {kept} records")
    finally:
        rig.close()
        broker.stop()


def _until_refused(rig):
    """The mentions that the broker refused, and how many records it took before them."""
    for kept in range(400):
        part = _heavy(kept)
        if not _appended(rig, part):
            return part, kept
    pytest.fail("it was to be refused")


def _heavy(number):
    moment = datetime.now(UTC)
    given = {"published_at": moment, "collected_at": moment}
    return [Mention(id=f"h{number}-{n}", text=secrets.token_hex(9_000), **given) for n in range(10)]


def _appended(rig, part):
    try:
        collect.append(rig.log, rig.firms[0], Origin("source", "push", "test"), part)
    except UnavailableError:
        return False
    rig.produced.update(one.id for one in part)
    return True


def test_15_the_database_has_no_space(embedded):
    embedded.produce(3_000)
    size = (embedded.settings.data_dir / "vigie.db").stat().st_size
    worker = embedded.work(limit=size + 400_000)
    time.sleep(12)
    assert len(embedded.stored()) < 3_000
    worker.kill()
    embedded.work()
    embedded.settle()
    embedded.verify("15 no space for the database (embedded)")


def test_15_the_disk_of_the_embedded_database_is_full(disk):
    rig = Rig(Settings(data_dir=disk.folder), random.randrange(10**6))
    try:
        _filled_and_freed(rig, disk)
        rig.verify("15 the database's disk is full (embedded)", f"all stored {rig.silence:.0f} s after there was space")
    finally:
        rig.close()


def test_15_the_disk_of_postgresql_is_full(brokers, disk, tmp_path):
    server = start(Postgres)  # of its own: it ends before its disk goes
    (tmp_path / "data").mkdir()
    where = server.new_database(on=disk.owned_by("postgres"))
    log_url = f"{brokers.url}?replication=3&prefix={secrets.token_hex(4)}."
    rig = Rig(Settings(data_dir=tmp_path / "data", database_url=where, log_url=log_url), random.randrange(10**6))
    try:
        _filled_and_freed(rig, disk)
        rig.verify(
            "15 the database's disk is full (PostgreSQL)", f"all stored {rig.silence:.0f} s after there was space"
        )
    finally:
        rig.close()
        server.stop()


def _filled_and_freed(rig, disk):
    """Nothing is stored while there is no space, nor passed over; the same worker goes on once there is."""
    worker = rig.work()
    rig.produce(200)
    rig.settle()
    worker.send_signal(signal.SIGSTOP)
    rig.produce(3_000, start=200)
    disk.fill()
    worker.send_signal(signal.SIGCONT)
    time.sleep(15)
    assert len(rig.stored()) < 3_200
    assert rig.lag() > 0
    disk.free()
    rig.silence = rig.settle(RECOVERY)
    assert worker.poll() is None


def test_16_the_database_is_away_for_thirty_seconds(rig, database):
    rig.work()
    with rig.load(3_000, pace=0.7):
        time.sleep(5)
        database.kill()
        time.sleep(30)
        database.start()
    rig.settle()
    assert rig.silence < 30 + RECOVERY
    assert rig.workers[0].poll() is None
    assert dead(rig) == [], "an outage is no poison"
    rig.verify("16 database away for 30 s", f"longest silence {rig.silence:.0f} s")


def test_21_the_database_is_read_only_for_a_minute(rig):
    """As after a failover that left us with the standby."""
    worker = rig.work()
    with rig.load(3_000, pace=0.7):
        time.sleep(5)
        set_read_only(rig.settings.database_url, "on")
        time.sleep(60)
        set_read_only(rig.settings.database_url, "off")
    rig.settle()
    assert rig.silence < 60 + RECOVERY
    assert worker.poll() is None
    assert dead(rig) == [], "an outage is no poison"
    rig.verify("21 database read-only for a minute", f"longest silence {rig.silence:.0f} s")


def test_22_the_mail_server_is_refusing_all_for_an_hour(embedded):
    """The deliveries' clock is moved on to each next attempt; the server is real."""
    kinds = {outbox.MAIL: SmtpSender(f"smtp://127.0.0.1:{free_port()}")}
    server = Receiving()
    controller = Controller(server, hostname="127.0.0.1", port=kinds[outbox.MAIL]._port)
    controller.start()
    body = b"From: vigie@localhost\r\nSubject: x\r\n\r\nx"
    mails = [outbox.delivery(outbox.MAIL, None, f"m{n}@example.fr", f"event {n}", body) for n in range(20)]
    try:
        with db.writing(embedded.engine) as connection:
            outbox.enqueue(connection, mails)
        gone, rounds = timedelta(0), 0
        while gone < timedelta(hours=1):
            outbox.send_due(embedded.engine, kinds)
            gone += _move_on_to_the_next_attempt(embedded.engine)
            rounds += 1
        server.is_refusing = False
        while outbox.send_due(embedded.engine, kinds):
            pass
    finally:
        controller.stop()
    with db.reading(embedded.engine) as connection:
        assert set(connection.scalars(select(deliveries.c.state))) == {"sent"}
    assert sorted(server.received) == sorted(one.address for one in mails)
    embedded.verify("22 mail server refuses for an hour", f"20 of 20 mails sent once, after {rounds} attempts each")


class Receiving:
    """A mail server that has no room for anybody, until it has."""

    def __init__(self):
        self.is_refusing, self.received = True, []

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.is_refusing:
            return "421 4.3.2 Shutting down"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.received += envelope.rcpt_tos
        return "250 OK"


def _move_on_to_the_next_attempt(engine):
    """Make everything that waits due now; return how long the first of it would have waited."""
    with db.writing(engine) as connection:
        first = connection.scalar(select(func.min(deliveries.c.due_at)).where(deliveries.c.state == "waiting"))
        connection.execute(update(deliveries).values(due_at=db.now()))
        return max(timedelta(0), first - db.present(connection))


def test_23_a_company_is_removed_with_a_hundred_thousand_unread(rig):
    removed, others = rig.firms[0], rig.firms[1:]
    rig.firms = [removed]
    rig.produce(100_000)
    rig.produced.clear()
    with db.writing(rig.engine) as connection:
        companies.remove(connection, removed)
    rig.firms = others
    rig.produce(600, start=100_000)
    worker = rig.work()
    seconds = rig.settle()
    assert worker.poll() is None
    assert dead(rig) == [], "records of nobody are no poison"
    with db.reading(rig.engine) as connection:
        assert counters.read(connection, counters.DROPPED_MENTIONS) == 100_000
    rig.verify("23 company removed with 100,000 unread", f"the others' stored after {seconds:.0f} s")


def test_24_a_tablet_is_open_for_three_days(embedded):
    """The page stays open while Vigie gets a new key and is started again; the clock is moved on."""
    with db.writing(embedded.engine) as connection:
        form = sources_store.add(connection, embedded.firms[0], "form", "Tablette")
    opened_at = clock.now() - timedelta(days=3)
    with clock.held(opened_at):
        page = _visitor(embedded, "first" * 8).get(f"/avis/{form}").text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    assert fields
    visitor = _visitor(embedded, "second" * 8)
    answers = [fields | {"rating": "2", "text": f"Attente, jour {day}."} for day in range(1, 4)]
    for day, answer in enumerate(answers, start=1):
        with clock.held(opened_at + timedelta(days=day)):
            thanks = visitor.post(f"/avis/{form}", data=answer)
        assert thanks.status_code == 200
    embedded.work()
    wait_until(lambda: embedded.count() == 3, 60, 0.5)
    with db.reading(embedded.engine) as connection:
        embedded.produced |= set(connection.scalars(select(mention.c.id)))
        assert set(connection.scalars(select(mention.c.apart))) == {None}, "each counts"
    embedded.verify("24 tablet open for three days, and a new key", "each of three answers counts")


def _visitor(rig, key):
    """Return the browser of somebody at the counter, on an app that was started with that key."""
    settings = rig.settings.model_copy(update={"secret_key": key})
    app = work.make_app(House(settings, rig.engine, rig.log))
    return TestClient(app, base_url="http://127.0.0.1")


def test_17_dates_and_nights(rig):
    rig.work()
    moments = {"a": datetime(1970, 1, 1, tzinfo=UTC), "b": datetime(2099, 1, 1, tzinfo=UTC),
               "c": datetime(2026, 3, 29, 0, 30, tzinfo=UTC), "d": datetime(2026, 3, 28, 23, 30, tzinfo=UTC),
               "e": datetime(2026, 10, 25, 22, 30, tzinfo=UTC), "f": datetime(2026, 10, 25, 23, 30, tzinfo=UTC)}  # fmt: skip
    now = datetime.now(UTC) + timedelta(hours=2)  # the collector's clock goes wrong
    found = [Mention(id=name, text="Correct.", published_at=at, collected_at=now) for name, at in moments.items()]
    collect.append(rig.log, rig.firms[0], Origin("source", "push", "test"), found)
    rig.produced.update(moments)
    rig.settle()
    with db.reading(rig.engine) as connection:
        days = dict(connection.execute(select(mention.c.id, mention.c.day)).all())
    assert (days["c"], days["d"]) == ("2026-03-29", "2026-03-29")
    assert (days["e"], days["f"]) == ("2026-10-25", "2026-10-26")
    rig.verify("17 clocks and nights")


def test_18_retention_passed_and_a_topic_made_anew(rig, brokers):
    rig.work()
    rig.produce(300)
    rig.settle()
    rig.workers[0].terminate()
    rig.workers[0].wait()
    known = set(rig.produced)
    rig.produce(300, start=300)  # what nobody reads in time
    prefix = rig.settings.log_url.rpartition("prefix=")[2]
    admin = client.KafkaAdminClient(bootstrap_servers=brokers.url.removeprefix("kafka://").split(","))
    ends = rig.log.ends(MENTIONS)
    admin.delete_records({TopicPartition(prefix + MENTIONS, one.number): end for one, (_, end) in ends.items()})
    rig.produced = known
    rig.work()
    rig.produce(300, start=600)
    rig.settle()
    said = (rig.settings.data_dir / "workers.log").read_text()
    assert "retention_passed" in said
    rig.workers[-1].terminate()
    rig.workers[-1].wait()
    admin.delete_topics([prefix + MENTIONS])
    time.sleep(3)
    again = open_log(rig.settings)
    again.prepare()
    again.close()
    admin.close()
    worker = rig.work()
    assert worker.wait(60) != 0, "it does not go on as if nothing had happened"
    assert "`vigie offsets reset`" in (rig.settings.data_dir / "workers.log").read_text()
    rig.verify("18 retention passed, topic made anew", "told, not skipped in silence")


def test_19_foreign_producers(rig):
    moment = datetime.now(UTC).isoformat()
    event = {"specversion": "1.0", "id": "1", "source": f"/companies/{rig.firms[0]}", "type": "mentions.collected",
             "subject": rig.firms[0], "time": moment, "datacontenttype": "application/json"}  # fmt: skip
    collect.append(rig.log, rig.firms[0], Origin("source", "push", "test"),
                   [Mention(id="m1", text="Correct.", published_at=datetime.now(UTC), collected_at=datetime.now(UTC))])  # fmt: skip
    raw(rig, key=rig.firms[0].encode(), value=gzip.compress(json.dumps(event).encode()))
    raw(rig, key=rig.firms[0].encode(), value=b"{}", headers=[(f"ce_{k}", str(v).encode()) for k, v in event.items()])
    rig.produced.add("m1")
    rig.work()
    rig.settle()
    wait_until(lambda: len(dead(rig)) == 2, 30)
    rig.verify("19 foreign producers", "read, or set apart with a reason")


def test_20_tables_emptied_and_the_log_replayed(rig):
    rig.work()
    rig.produce(1_000)
    rig.settle()
    rig.workers[0].terminate()
    rig.workers[0].wait()
    sent = rig.deliveries()
    with db.writing(rig.engine) as connection:
        for table in (mention, rollup):
            connection.execute(delete(table))
        connection.execute(delete(consumer_offset).where(consumer_offset.c.group == ANALYSIS))
    rig.work()
    rig.settle()
    assert rig.deliveries() == sent, "nobody is told a second time"
    rig.verify("20 tables emptied, log replayed", f"{sent} deliveries before and after")


def vigie(rig, *words, status=0):
    """Run a command on the rig's installation; return what it printed."""
    run = [sys.executable, "-m", "vigie", *words]
    done = subprocess.run(run, env=rig.environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def read_lag(rig):
    unread = positions.count_unread(rig.engine, rig.log, ANALYSIS, MENTIONS)
    return math.nan if unread is None else sum(unread.values())


@contextmanager
def administrator(rig):
    """Kafka's administration client, with the name of the topic of the mentions."""
    address, _, options = rig.settings.log_url.removeprefix("kafka://").partition("?")
    prefix = options.rpartition("prefix=")[2]
    with client.KafkaAdminClient(bootstrap_servers=address.split(",")) as admin:
        yield admin, prefix + MENTIONS


def delete_topic(admin, name):
    admin.delete_topics([name])
    wait_until(lambda: name not in admin.list_topics(), 60)


def test_25_a_log_made_anew_and_longer_than_before(rig):
    """The stored offsets lie within the new log: only its identity tells that it is another one."""
    rig.work()
    rig.produce(300)
    rig.settle()
    rig.workers[0].terminate()
    rig.workers[0].wait()
    with administrator(rig) as (admin, name):
        delete_topic(admin, name)
        worker = rig.work()
        wait_until(lambda: "run `vigie migrate`" in (rig.settings.data_dir / "workers.log").read_text(), 60)
        assert math.isnan(read_lag(rig))
        assert name not in admin.list_topics(), "a role makes no topic"
        vigie(rig, "migrate")
    assert worker.wait(60) != 0
    rig.produce(500, start=300)
    assert sum(end for _, end in rig.log.ends(MENTIONS).values()) > 0
    worker = rig.work()
    assert worker.wait(60) != 0, "it does not go on in the middle of another log"
    assert "is of another topic" in (rig.settings.data_dir / "workers.log").read_text()
    assert math.isnan(read_lag(rig))
    assert "vigie offsets reset" in vigie(rig, "doctor", status=1)
    assert "is of another topic" in vigie(rig, "offsets", "show")
    assert "already counts once" in vigie(rig, "offsets", "reset")
    rig.work()
    rig.settle()
    assert read_lag(rig) == 0
    rig.verify("25 log made anew and longer", "told; all read after `vigie offsets reset`")


def test_26_a_log_is_made_anew_under_a_running_worker(rig):
    worker = rig.work()
    rig.produce(300)
    rig.settle()
    with administrator(rig) as (admin, name):
        delete_topic(admin, name)
        vigie(rig, "migrate")
    rig.produce(500, start=300)
    assert worker.wait(90) != 0, "it notices that the log is another one"
    assert "is of another topic" in (rig.settings.data_dir / "workers.log").read_text()
    vigie(rig, "offsets", "reset")
    rig.work()
    rig.settle()
    rig.verify("26 log made anew under a worker", "told; all read after `vigie offsets reset`")


def test_27_three_brokers_by_their_defaults_and_one_is_killed(database, tmp_path):
    """Topics have as many copies as the brokers say, so that neither a push nor a start waits for the broker. Beside
    the load the doctor finds nothing."""
    cluster = start(lambda: Kafka(3, properties="default.replication.factor=3"))
    (tmp_path / "data").mkdir()
    settings = Settings(data_dir=tmp_path / "data", database_url=database.new_database(), log_url=cluster.url)
    rig = Rig(settings, random.randrange(10**6))
    try:
        rig.work()
        with rig.load(1_500, pace=0.5):  # about 50 mentions a second
            wait_until(rig.count, 60)
            for _ in range(3):
                assert "WARNING" not in vigie(rig, "doctor")
            cluster.kill(0)
            time.sleep(4)
            rig.work()
        rig.settle()
        assert rig.silence < RECOVERY
        assert rig.stored() == rig.produced
        for worker in rig.workers:
            assert worker.poll() is None
        rig.verify("27 three brokers by defaults, one killed", f"longest silence {rig.silence:.0f} s")
    finally:
        rig.close()
        cluster.stop()


CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def foreign(rig, **options):
    """Return another program's producer (librdkafka), and a function that sends values to a company by it."""
    servers, _, query = rig.settings.log_url.removeprefix("kafka://").partition("?")
    topic = query.rpartition("prefix=")[2] + MENTIONS
    given = {"bootstrap.servers": servers, "partitioner": "murmur2_random", "linger.ms": 20, **options}
    producer = confluent_kafka.Producer(given)
    if "transactional.id" in options:
        producer.init_transactions(60)

    def send(firm, values):
        for value in values:
            producer.produce(topic, value, firm)
            producer.poll(0)

    return producer, send


def foreign_values(rig, firm, count, name, *, rubbish_every=0):
    """Return `count` events of one mention each, which will have been produced, and rubbish between them."""
    values = []
    for number in range(count):
        if rubbish_every and number % rubbish_every == 0:
            values.append(b"rubbish %d" % number)
            continue
        rig.produced.add(f"{name}{number}")
        values.append(event(firm, said(f"{name}{number}")))
    return values


def test_28_foreign_producers_with_every_codec_and_transactions(rig):
    """20,000 records, half a percent rubbish, beside our own producers; aborted ones are not among them."""
    rig.work()
    ours = threading.Thread(target=rig.produce, args=(2_000,), kwargs={"pace": 0.1})
    ours.start()
    for at, codec in enumerate(CODECS):
        firm = rig.firms[at]
        producer, send = foreign(rig, **{"compression.type": codec})
        send(firm, foreign_values(rig, firm, 2_000, f"{codec}-plain-", rubbish_every=200))
        assert producer.flush(60) == 0
        producer, send = foreign(rig, **{"compression.type": codec, "transactional.id": f"{firm}-{codec}"})
        for part in range(10):
            producer.begin_transaction()
            send(firm, foreign_values(rig, firm, 200, f"{codec}-{part}-", rubbish_every=200))
            producer.commit_transaction(60)
            producer.begin_transaction()
            send(firm, [event(firm, said(f"aborted-{codec}-{part}-{number}")) for number in range(20)])
            producer.abort_transaction(60)
    ours.join(120)
    seconds = rig.settle(240)
    assert rig.workers[0].poll() is None
    assert len(dead(rig)) == 100
    rig.verify("28 20,000 foreign records, five codecs", f"100 of 100 dead letters, lag 0 after {seconds:.0f} s more")


def test_29_a_transaction_is_aborted_and_another_hangs(rig):
    rig.produce(100)
    producer, send = foreign(rig, **{"transactional.id": "aborts"})
    producer.begin_transaction()
    send(rig.firms[0], [event(rig.firms[0], said(f"aborted{number}")) for number in range(300)])
    producer.flush(30)
    producer.abort_transaction(60)
    hanging, send = foreign(rig, **{"transactional.id": "hangs"})
    hanging.begin_transaction()
    send(rig.firms[1], [event(rig.firms[1], said("hangs"))])
    hanging.flush(30)
    assert rig.work("analyse", "--once").wait(90) == 0, "nothing is left to read"
    rig.settle()
    hanging.commit_transaction(60)
    rig.produced.add("hangs")
    rig.work()
    rig.settle()
    rig.verify("29 a transaction aborted, another open", "`analyse --once` ended, lag 0")


def test_30_no_broker_while_sixty_push_and_others_read(rig, brokers):
    """Reads and pages answer as before; each push is answered, and those that were taken are there."""
    port = free_port()
    rig.work("serve", "--port", str(port))
    rig.work()
    with db.writing(rig.engine) as connection:
        bearer = {"Authorization": f"Bearer {access.create_key(connection, 'test', role='editor')}"}
    site = httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=bearer, timeout=120, trust_env=False)
    wait_until(lambda: _status(site, "/health") == 200, 60)

    def push(number):
        path = f"/api/v1/companies/{rig.firms[number % len(rig.firms)]}/mentions"
        began = time.monotonic()
        answer = site.post(path, json={"mentions": [{"id": str(number), "text": "Correct."}]})
        if answer.status_code == 202:
            rig.produced.update(answer.json()["ids"])
        return answer.status_code, time.monotonic() - began

    assert push(0)[0] == 202
    brokers.kill()
    try:
        with ThreadPoolExecutor(60) as pool:
            pushes = [pool.submit(push, number) for number in range(1, 61)]
            reads = [_seconds(site, path) for _ in range(10) for path in _reads(rig)]
            statuses, waits = zip(*(future.result() for future in pushes), strict=True)
        ready = _seconds(site, "/ready", 503)
    finally:
        brokers.start()
    assert set(statuses) == {503}, "no push is our mistake"
    assert max(reads) < 5 > ready
    wait_until(lambda: push(100)[0] == 202, RECOVERY, 1)
    wait_until(lambda: _status(site, "/ready") == 200, RECOVERY, 1)
    rig.settle()
    note = f"60 of 60 answered 503 within {max(waits):.1f} s; {len(reads)} reads meanwhile within {max(reads):.1f} s"
    rig.verify("30 no broker, 60 pushes and reads", note)


def _reads(rig):
    api = f"/api/v1/companies/{rig.firms[0]}"
    return "/health", f"{api}/mentions", f"{api}/themes"


def _status(site, path):
    try:
        return site.get(path).status_code
    except httpx2.HTTPError:
        return 0


def _seconds(site, path, expected=200):
    """Return how long an answer took."""
    began = time.monotonic()
    assert site.get(path).status_code == expected, path
    return time.monotonic() - began


def test_31_every_role_is_restarted_in_turn(rig):
    roles = [("analyse",), ("analyse",), ("ingest",), ("deliver",), ("serve", "--port", str(free_port()))]
    workers = [rig.work(*role) for role in roles]
    stops = []
    wait_until(lambda: _working(rig) == {"analyse": 2, "ingest": 1, "deliver": 1, "serve": 1}, 90, 0.5)
    with rig.load(4_000, pace=0.25):
        for role, worker in zip(roles, workers, strict=True):
            began = time.monotonic()
            worker.terminate()
            assert worker.wait(15) == 0
            stops.append(time.monotonic() - began)
            rig.work(*role)
            time.sleep(4)
    rig.settle()
    assert max(stops) < 10
    assert dead(rig) == []
    note = f"each gone within {max(stops):.1f} s, longest silence {rig.silence:.0f} s"
    rig.verify("31 every role restarted in turn", note)


def test_31_a_firm_waits_little_while_one_of_four_workers_restarts(rig):
    workers = [rig.work() for _ in range(4)]
    rig.produce(200)
    rig.settle()
    wait_until(lambda: _working(rig)["analyse"] == 4, 90, 0.5)
    time.sleep(15)  # until the group has settled
    waits = Waits(rig)
    with waits.measured():
        time.sleep(5)
        waits.begin()
        workers[1].terminate()
        assert workers[1].wait(15) == 0
        rig.work()
        time.sleep(15)
    rig.settle()
    calm, longest = waits.longest(before=True), waits.longest(before=False)
    by_firm = " ".join(f"{seconds:.1f}" for seconds in longest)
    rig.verify("31 one of four workers restarted", f"each firm waits {by_firm} s at most; {max(calm):.1f} s before")


def _working(rig):
    """Return how many processes do each role."""
    return health.readiness(rig.engine, rig.log)["roles"]


class Waits:
    """How long mentions wait from the log to the database; each firm gets five a second."""

    def __init__(self, rig):
        self._rig, self._done, self._lock = rig, threading.Event(), threading.Lock()
        self._appended, self._seen, self._begun = {}, {}, float("inf")

    @contextmanager
    def measured(self):
        threads = [threading.Thread(target=self._append), threading.Thread(target=self._look)]
        for thread in threads:
            thread.start()
        yield
        self._done.set()
        for thread in threads:
            thread.join()

    def begin(self):
        """Note that the fault begins."""
        self._begun = time.monotonic()

    def longest(self, *, before):
        """Return each firm's longest wait in seconds, for what was appended before the fault or from then on."""
        longest = Counter()
        for (firm, name), at in self._appended.items():
            if name in self._seen and (at < self._begun) == before:
                longest[firm] = max(longest[firm], self._seen[name] - at)
        return sorted(longest.values())

    def _append(self):
        number = 0
        while not self._done.wait(0.2):
            for firm in self._rig.firms:
                number += 1
                moment = datetime.now(UTC)
                one = Mention(id=f"w{number}", text="Correct.", published_at=moment, collected_at=moment)
                collect.append(self._rig.log, firm, Origin("source", "push", "test"), [one])
                self._appended[firm, one.id] = time.monotonic()
                self._rig.produced.add(one.id)

    def _look(self):
        while not self._done.wait(0.1):
            stored = self._rig.stored()
            moment = time.monotonic()
            for name in stored - self._seen.keys():
                self._seen[name] = moment
