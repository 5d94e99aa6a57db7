"""Three brokers, a PostgreSQL and workers as real processes; and the one question after every fault: is it all there,
once? Produced = stored = counted = answered by the API = shown on the pages."""

import contextlib
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from starlette.testclient import TestClient

from analysis import store
from api.webhooks import store as webhooks
from ingest import collect
from tests.servers import wait_until
from vigie import access, companies, db, positions
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.migrate import migrate
from vigie.db.tables import consumer_offset, mention, outbox
from vigie.errors import UnavailableError
from vigie.events import Mention, Origin
from vigie.log import ANALYSIS, MENTIONS, open_log
from vigie.secrets import Vault
from vigie.settings import Settings

TEXTS = ("Très bon pain, accueil charmant.", "Attente interminable, personnel désagréable.", "Correct.", "Great cake!")
FIRMS = 6


@dataclass
class Rig:
    """One installation under fault: what was produced, who works, and how long nothing advanced."""

    settings: Settings
    seed: int
    texts: Sequence[str] = TEXTS
    produced: set[str] = field(default_factory=set)
    workers: list[subprocess.Popen] = field(default_factory=list)
    refused: int = 0
    silence: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.engine, self.log = db.connect(self.settings.database), open_log(self.settings)
        migrate(self.engine)
        self.log.prepare()
        with db.writing(self.engine) as connection:
            self.firms = [companies.add(connection, f"Firm {number}") for number in range(FIRMS)]
            hook = self.firms[0], "https://example.com/hook", ["alert.raised"]
            webhooks.add(connection, Vault("s"), *hook)
        self._done = threading.Event()

    def produce(self, count: int, *, pace: float = 0.0, start: int = 0) -> None:
        """`count` mentions, in records of 1 to 50; what is refused is tried again, as a collector does."""
        now = datetime.now(UTC)
        left = [
            Mention(id=f"m{number:06d}", text=self.texts[number % len(self.texts)], rating=[5.0, 1.0, 3.0, None][number % 4],
                    published_at=now - timedelta(hours=number % 100), collected_at=now)
            for number in range(start, start + count)
        ]  # fmt: skip
        while left:
            size = self.chance.randint(1, 50)
            part, left = left[:size], left[size:]
            firm = self.firms[len(left) % len(self.firms)]
            while True:
                try:
                    collect.append(self.log, firm, Origin("source", "push", "test"), part)
                    break
                except UnavailableError:
                    self.refused += 1
                    time.sleep(0.5)
            self.produced.update(one.id for one in part)
            time.sleep(pace)

    @contextlib.contextmanager
    def load(self, count: int, *, pace: float):
        """Mentions come while something happens; the longest time without progress is kept."""
        producer = threading.Thread(target=self.produce, args=(count,), kwargs={"pace": pace})
        producer.start()
        with self.watched():
            yield
            producer.join(240)
            assert not producer.is_alive(), "the producer never got through"

    @contextlib.contextmanager
    def watched(self):
        """Keep the longest time in which analysis did not advance."""
        watcher = threading.Thread(target=self._watch)
        self._done.clear()
        watcher.start()
        try:
            yield
        finally:
            self._done.set()
            watcher.join()

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of a process of this installation."""
        return {
            **os.environ,
            "VIGIE_DATA_DIR": str(self.settings.data_dir),
            "VIGIE_DATABASE_URL": self.settings.database_url or "",
            "VIGIE_LOG_URL": self.settings.log_url or "",
            "VIGIE_SECRET_KEY": self.settings.secret_key or "",
        }

    def work(self, *role: str, hook: str = "", limit: int = 0) -> subprocess.Popen:
        """One more worker; `hook` is Python that runs in it first, `limit` the most bytes that a file may have.

        `role` is the command and its options; `analyse` if left out.
        """
        run = [
            sys.executable,
            "-c",
            f"{hook}\nimport sys\nsys.argv = {['vigie', *(role or ['analyse'])]}\nfrom vigie.cli import main\nmain()",
        ]
        bound = ["prlimit", f"--fsize={limit}"] if limit else []
        errors = open(self.settings.data_dir / "workers.log", "ab")  # noqa: SIM115 # the worker's own
        self.workers.append(subprocess.Popen([*bound, *run], env=self.environment, stderr=errors))
        errors.close()
        return self.workers[-1]

    def lag(self) -> int | None:
        unread = positions.count_unread(self.engine, self.log, ANALYSIS, MENTIONS)
        return None if unread is None else sum(unread.values())

    def stored(self) -> set[str]:
        with db.reading(self.engine) as connection:
            return set(connection.scalars(select(mention.c.id)))

    def count(self) -> int:
        with db.reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(mention)) or 0

    def handled(self) -> int:
        """How far analysis has come in the log; unlike `count`, as quick with millions stored as with none."""
        with db.reading(self.engine) as connection:
            ours = consumer_offset.c.group == ANALYSIS
            return connection.scalar(select(func.sum(consumer_offset.c.next_offset)).where(ours)) or 0

    def deliveries(self) -> int:
        with db.reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(outbox).where(outbox.c.kind == "webhook")) or 0

    def settle(self, timeout: float = 120) -> float:
        """Wait until everything is stored; how long that took."""
        began = time.monotonic()
        wait_until(lambda: self._quietly(lambda: self.stored() >= self.produced and self.lag() == 0), timeout, 0.5)
        return time.monotonic() - began

    def verify(self, case: str, note: str = "") -> None:
        """Print and compare what was produced, stored, counted, answered and shown; then one line for the table."""
        stored = self.stored()
        with db.snapshot(self.engine) as connection:
            kept, recounted = store.recount(connection)
            counted = sum(sums.mentions for key, sums in kept.items() if key.theme == "")
            twice = connection.scalar(select(func.count()).select_from(outbox)) or 0
            once = connection.scalar(select(func.count(outbox.c.id.distinct()))) or 0
        answered, shown = self._answered(), self._shown()
        line = f"produced {len(self.produced)} / stored {len(stored)} / counted {counted} / answered {len(answered)}"
        row = f"| {case} | {len(self.produced)} | {len(stored)} | {counted} | {len(answered)} | {note or '–'} | {self.seed} |"
        print(f"\n{case}: {line}; seed {self.seed} {note}")
        if table := os.environ.get("VIGIE_FAULTS_TABLE"):
            with Path(table).open("a", encoding="utf-8") as file:
                file.write(row + "\n")
        assert stored == self.produced
        assert kept == recounted
        assert counted == len(self.produced)
        assert set(answered) == self.produced
        assert len(answered) == len(set(answered))
        assert shown == {one for one in answered if one in shown}
        assert len(shown) == self._of_first()
        assert once == twice

    def close(self) -> None:
        for one in self.workers:
            if one.poll() is None:
                one.kill()
            one.wait()
        self.log.close()
        self.engine.dispose()

    def _watch(self) -> None:
        last, handled = time.monotonic(), 0
        while not self._done.wait(0.5):
            now = self._quietly(self.handled)
            if now and now != handled:
                last, handled = time.monotonic(), now
            elif handled:
                self.silence = max(self.silence, time.monotonic() - last)

    def _quietly(self, ask):
        try:
            return ask()
        except UnavailableError:
            return None

    def _client(self) -> TestClient:
        app = work.make_app(House(self.settings, self.engine, self.log))
        return TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)

    def _answered(self) -> list[str]:
        """Every mention of every firm, by the API."""
        with db.writing(self.engine) as connection:
            bearer = {"Authorization": f"Bearer {access.create_key(connection, 'test')}"}
        found: list[str] = []
        client = self._client()
        for firm in self.firms:
            cursor = ""
            while cursor is not None:
                more = {"cursor": cursor} if cursor else {}
                page = client.get(
                    f"/api/v1/companies/{firm}/mentions", params={"limit": 200, **more}, headers=bearer
                ).json()
                found += [one["id"] for one in page["items"]]
                cursor = page["next_cursor"]
        return found

    def _shown(self) -> set[str]:
        """The first pages of the first firm's inbox."""
        client = self._client()
        with db.writing(self.engine) as connection:
            link = access.create_link(connection)
        client.post("/open", data={"link": link})
        found: set[str] = set()
        path = f"/companies/{self.firms[0]}/reviews"
        for _ in range(4):
            page = client.get(path).text
            found |= set(re.findall(r'/reviews/([^"?]+)#opened', page))
            following = re.search(r'class="next" href="([^"]+)"', page)
            if not following:
                break
            path = following.group(1).replace("&amp;", "&")
        return found

    def _of_first(self) -> int:
        with db.reading(self.engine) as connection:
            ours = select(func.count()).select_from(mention).where(mention.c.company_id == self.firms[0])
            return min(100, connection.scalar(ours) or 0)
