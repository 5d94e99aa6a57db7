"""The delivering process dies by SIGKILL among hostile receivers: a sound one gets every event, signed, and none is lost."""

import json
import random
import subprocess
import sys
import time
from datetime import date

import pytest
from sqlalchemy import func, select, update

from analysis import alert_store
from analysis.alerts import Finding
from api.webhooks import store
from tests.servers import wait_until
from tests.web import Answer, Site, receiver
from vigie import clock, companies, db
from vigie.db.migrate import migrate
from vigie.db.tables import attempt, outbox
from vigie.secrets import Vault
from vigie.settings import Settings

EVENTS, KILLS = 120, 6
# Told apart by what the public package of the specification says, in a process of its own.
VERIFY = """
import json, sys
from standardwebhooks import Webhook
for secret, headers, body in json.load(sys.stdin):
    Webhook(secret).verify(body, headers)
"""
HOSTILE = {
    "/busy": Answer(b"", 429, {"Retry-After": "60"}),
    "/broken": Answer(b"", 500),
    "/elsewhere": Answer(b"", 302, {"Location": "http://127.0.0.1:1/"}),
}


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def engine(settings):
    engine = db.connect(settings.database)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.mark.slow
def test_a_killed_sender_loses_nothing(settings, engine):
    sound, others = Site(), Site()
    slow = Answer(b"ok")
    sound.pages["/hook"] = lambda request: time.sleep(0.02) or slow
    others.pages |= HOSTILE
    with receiver(lambda connection: time.sleep(60)) as mute:
        secret = enqueue(engine, settings, [f"{sound.url}/hook", mute, *(f"{others.url}{path}" for path in HOSTILE)])
        kill_again_and_again(settings, lambda: len(sound.requests))
        last = sender(settings)
        try:
            wait_until(lambda: not left(engine), timeout=60, every=0.5)
        finally:
            last.terminate()
            assert last.wait(30) == 0
    received = [(headers, body.decode()) for _, _, headers, body in sound.requests]
    assert len({json.loads(body)["id"] for _, body in received}) == EVENTS
    verify([(secret, {name.lower(): value for name, value in headers.items()}, body) for headers, body in received])
    with db.reading(engine) as connection:
        states = dict(connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state)).all())
        tried = connection.scalar(
            select(func.count(outbox.c.address.distinct())).join(attempt, attempt.c.delivery_id == outbox.c.id)
        )
    assert states == {"sent": EVENTS, "waiting": EVENTS * (len(HOSTILE) + 1)}, "what the others refuse waits for them"
    assert tried == len(HOSTILE) + 2
    sound.close()
    others.close()


def enqueue(engine, settings, urls):
    """As many alerts as there are events, each for every webhook; the secret of the first."""
    with db.writing(engine) as connection:
        firm = companies.add(connection, "Firme")
        secrets = [store.add(connection, Vault(settings.secret()), firm, url)[1] for url in urls]
        day = date(2026, 11, 23)
        alert_store.raise_alerts(
            connection, firm, [Finding("negative_mention", f"m{n}", "once", day, {"quote": "x"}) for n in range(EVENTS)]
        )
    return secrets[0]


def sender(settings):
    environment = {"VIGIE_DATA_DIR": str(settings.data_dir), "VIGIE_ALLOW_HOSTS": "127.0.0.1", "PATH": ""}
    return subprocess.Popen([sys.executable, "-m", "vigie", "deliver"], env=environment, stderr=subprocess.DEVNULL)


def kill_again_and_again(settings, received):
    """Each time while something is on its way: after a few more have come."""
    chance = random.Random(EVENTS)
    for _ in range(KILLS):
        process, before = sender(settings), received()
        wait_until(lambda before=before: received() > before + chance.randint(0, 9) or received() >= EVENTS, timeout=30)
        process.kill()
        process.wait()
        forget_leases(settings)


def forget_leases(settings):
    """What a dead sender had claimed is due when its lease of two minutes ends: here at once."""
    engine = db.connect(settings.database)
    with db.writing(engine) as connection:
        connection.execute(update(outbox).where(outbox.c.state == "waiting").values(due_at=clock.now()))
    engine.dispose()


def left(engine):
    with db.reading(engine) as connection:
        sent = select(func.count()).select_from(outbox).where(outbox.c.state == "sent")
        return EVENTS - (connection.scalar(sent) or 0)


def verify(received):
    done = subprocess.run([sys.executable, "-c", VERIFY], input=json.dumps(received), text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
