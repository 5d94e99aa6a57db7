"""Real servers for the tests: Kafka from Maven's jars, PostgreSQL from the system or from the pgserver wheel."""

import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).parent.parent
KAFKA_JARS = ROOT / "deploy" / "kafka" / "libs"


class CannotStartError(Exception):
    """Why this machine cannot run that server."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(check, timeout: float = 30.0, every: float = 0.05):
    """What `check` returns once it is true; fails the test after `timeout` seconds."""
    until = time.monotonic() + timeout
    while not (answer := check()):
        assert time.monotonic() < until, f"not within {timeout} s"
        time.sleep(every)
    return answer


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


_PLAIN = """listeners=PLAINTEXT://127.0.0.1:{port}"""
_SECURED = """sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={pem}
listeners=SASL_SSL://127.0.0.1:{port},PLAINTEXT://127.0.0.1:{inner}"""


class Kafka:
    """Some brokers (one, or three for faults), each its own controller as well (KRaft).

    With `tls`, a file of a key and its certificate, clients come by TLS and SCRAM as `USER` with `PASSWORD`. What they
    keep is kept in `folder`, or beside their settings. `properties` are lines for the brokers' configuration.
    """

    USER, PASSWORD = "vigie", "s3cret/&+%"

    def __init__(
        self, brokers: int = 1, tls: Path | None = None, folder: Path | None = None, properties: str = ""
    ) -> None:
        if not shutil.which("java"):
            raise CannotStartError("Kafka: no java on this machine (JDK 17 is needed)")
        if not KAFKA_JARS.is_dir():
            raise CannotStartError("Kafka: no jars (run `make kafka-jars`, which needs Maven)")
        self._folder = Path(tempfile.mkdtemp(prefix="vigie-kafka-"))
        self.ports = [free_port() for _ in range(brokers)]
        self.inner_ports = [free_port() for _ in range(brokers)]  # where brokers, and tests, come by without TLS
        controllers = [free_port() for _ in range(brokers)]
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in enumerate(controllers, start=1))
        copies = min(3, brokers)
        for at, (port, controller) in enumerate(zip(self.ports, controllers, strict=True)):
            inner = self.inner_ports[at]
            clients = _SECURED.format(port=port, inner=inner, pem=tls) if tls else _PLAIN.format(port=port)
            self._properties(at).write_text(
                f"""process.roles=broker,controller
node.id={at + 1}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
{clients},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={(folder or self._folder) / f"data-{at}"}
offsets.topic.num.partitions=4
offsets.topic.replication.factor={copies}
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={max(1, copies - 1)}
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
{properties}
"""
            )
            tool = "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", self._properties(at)
            known = ["--add-scram", f"SCRAM-SHA-512=[name={self.USER},password={self.PASSWORD}]"] if tls else []
            self._java(*tool, *known).wait()
        self._processes: dict[int, subprocess.Popen] = {}
        self.start()

    @property
    def port(self) -> int:
        return self.ports[0]

    def client_options(self, authority: Path) -> dict[str, str]:
        """Return how a client comes by TLS and SCRAM, trusting the certificate `authority`."""
        return {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(authority),
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": self.USER,
            "sasl_plain_password": self.PASSWORD,
        }

    @property
    def url(self) -> str:
        return "kafka://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def start(self, *which: int, limit: str = "") -> None:
        """Start those brokers, or all; `limit` is the most bytes that a file of theirs may have."""
        chosen = which or range(len(self.ports))
        for at in chosen:
            self._processes[at] = self._java("kafka.Kafka", self._properties(at), limit=limit)
        for at in chosen:
            wait_until(lambda port=self.ports[at]: _accepts(port), timeout=90)

    def kill(self, *which: int) -> None:
        """As a power cut would; SIGTERM can hang for 30 s."""
        for at in which or list(self._processes):
            process = self._processes.pop(at)
            process.kill()
            process.wait()

    def is_alive(self, at: int = 0) -> bool:
        return self._processes[at].poll() is None

    def pause(self, at: int = 0, *, resume: bool = False) -> None:
        self._processes[at].send_signal(signal.SIGCONT if resume else signal.SIGSTOP)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _properties(self, at: int) -> Path:
        return self._folder / f"server-{at}.properties"

    def _java(self, *arguments: object, limit: str = "") -> subprocess.Popen:
        options = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        before = ["prlimit", f"--fsize={limit}"] if limit else []
        with open(self._folder / "out.log", "ab") as out:
            return subprocess.Popen(
                [*before, "java", *options, "-cp", f"{KAFKA_JARS}/*", *map(str, arguments)],
                stdout=out, stderr=out, cwd=self._folder,
            )  # fmt: skip


class Postgres:
    """A server of its own in a temporary folder, with as many databases as the tests ask for."""

    def __init__(self) -> None:
        binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        if not binaries and not shutil.which("initdb"):
            self._start_wheel()
            return
        self._bin = Path(binaries[-1] if binaries else Path(shutil.which("initdb") or "").parent)
        self._folder = Path(tempfile.mkdtemp(prefix="vigie-pg-"))
        self._who: dict = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._who = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self.port = free_port()
        data = self._folder / "data"
        self._run(
            "initdb", "-A", "trust", "-U", "vigie", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D", data
        ).wait()
        self.start()
        self._base = f"postgresql://vigie@127.0.0.1:{self.port}"

    def start(self) -> None:
        data = self._folder / "data"
        self._process = self._run(
            "postgres", "-D", data, "-h", "127.0.0.1", "-p", self.port, "-k", self._folder, "-c", "fsync=off"
        )
        wait_until(lambda: _accepts(self.port))

    def kill(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def new_database(self, on: Path | None = None) -> str:
        """The address of a fresh, empty database, whose tables are in the folder `on` if one is given."""
        import psycopg

        name = f"t{secrets.token_hex(6)}"
        admin = f"{self._base}/postgres" if "?" not in self._base else self._base.replace("{db}", "postgres")

        def create() -> bool:
            try:
                with psycopg.connect(admin, autocommit=True) as connection:
                    if on:
                        connection.execute(f"CREATE TABLESPACE {name} LOCATION '{on}'")
                    connection.execute(f"CREATE DATABASE {name} {f'TABLESPACE {name}' if on else ''}")
            except psycopg.OperationalError:  # still starting
                return False
            return True

        wait_until(create)
        return f"{self._base}/{name}" if "?" not in self._base else self._base.replace("{db}", name)

    def stop(self) -> None:
        if self._process is None:
            self._wheel.cleanup()
            return
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start_wheel(self) -> None:
        try:
            import pgserver
        except ImportError as error:
            raise CannotStartError("PostgreSQL: neither on this system nor as the pgserver wheel") from error
        self._folder = Path(tempfile.mkdtemp(prefix="vigie-pg-"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a folder of the user's that a machine may lack
            self._wheel, self._process = pgserver.get_server(self._folder), None
        self._base = f"postgresql://postgres:@/{{db}}?host={self._folder}"

    def _run(self, program: str, *arguments: object) -> subprocess.Popen:
        with open(self._folder / "out.log", "ab") as out:
            return subprocess.Popen(
                [str(self._bin / program), *map(str, arguments)],
                stdout=out, stderr=out, cwd=self._folder, **self._who,
            )  # fmt: skip


def set_read_only(url: str, value: str) -> None:
    """Set (`on` or `off`) how new connections to a database open, and end those that are open."""
    import psycopg

    before, _, rest = url.rpartition("/")
    name, question, query = rest.partition("?")
    with psycopg.connect(f"{before}/postgres{question}{query}", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def chromium() -> str:
    """The system's browser; Playwright's own download may be out of reach."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise CannotStartError("Chromium: not on this machine")
