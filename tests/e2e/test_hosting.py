"""`vigie host setup`: what docs/host.md says is done here, as far as no container engine is needed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import start
from tests.e2e.test_deploy import compose_command
from vigie import companies, db
from vigie.db.migrate import migrate
from vigie.settings import Settings

ROOT = Path(__file__).parent.parent.parent
SETUPS = re.findall(r"^vigie (host setup .+)$", (ROOT / "docs" / "host.md").read_text(), re.M)
GOOD = {
    "--domain": "avis.example.fr", "--mail": "smtps://a:b@smtp.example.fr", "--admin": "m@example.fr",
    "--backup": "/srv/backups", "--firms": "one",
}  # fmt: skip


def run(*arguments, cwd=None, said=None, **environment):
    return subprocess.run([sys.executable, "-m", "vigie", *arguments], cwd=cwd, input=said, text=True,
                          capture_output=True, env={**os.environ, **environment})  # fmt: skip


def setup(folder, **changed):
    given = GOOD | {f"--{name}": value for name, value in changed.items()}
    return run("host", "setup", str(folder), *(part for pair in given.items() for part in pair))


def exposure(unit):
    """What a unit leaves open, from 0 to 10, as systemd judges it."""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    return float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)[1])


@pytest.mark.parametrize("command", SETUPS, ids=lambda one: "systemd" if "systemd" in one else "compose")
def test_the_commands_of_the_guide_write_files_that_hold_together(command, tmp_path):
    (tmp_path / "mail.txt").write_text("smtps://contact%40example.fr:mot@smtp.example.fr\n")
    done = run(*shlex.split(command), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "vigie-host"
    env = dict(line.split("=", 1) for line in (folder / "vigie.env").read_text().splitlines() if line[:1] != "#")
    assert env["VIGIE_BASE_URL"] == "https://avis.example.fr"
    assert env["VIGIE_MAIL_FROM"] == "contact@example.fr"
    assert len(env["VIGIE_SECRET_KEY"]) >= 32
    open_to_all = [path.name for path in folder.iterdir() if path.stat().st_mode & 0o077]
    assert not {"vigie.env", "compose.yaml"} & set(open_to_all)
    assert "backup.sh" in open_to_all
    assert not any("$" in re.sub(r"\$\$?\(|\$[a-z1]", "", path.read_text()) for path in folder.glob("*.service"))
    again = run(*shlex.split(command), cwd=tmp_path)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)


def test_the_mail_account_is_asked_for_and_stands_in_no_argument(tmp_path):
    arguments = [part for name, value in GOOD.items() if name != "--mail" for part in (name, value)]
    done = run(
        "host", "setup", str(tmp_path / "h"), "--mail", "-", *arguments, said="smtps://a:secret@smtp.example.fr\n"
    )
    assert done.returncode == 0, done.stderr
    assert "VIGIE_SMTP_URL=smtps://a:secret@smtp.example.fr\n" in (tmp_path / "h" / "vigie.env").read_text()


def test_containers_have_no_privileges_and_a_limit_of_memory(tmp_path):
    assert setup(tmp_path / "h", firms="many").returncode == 0
    services = yaml.safe_load((tmp_path / "h" / "compose.yaml").read_text())["services"]
    services |= yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        if service["image"] == "vigie":
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
            assert service["tmpfs"] == ["/tmp"], name


@pytest.mark.parametrize("way", ["compose", "systemd"])
def test_the_proxy_shows_nobody_the_metrics(tmp_path, way):
    done = run("host", "setup", str(tmp_path / "h"), "--way", way, *(p for pair in GOOD.items() for p in pair))
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in (tmp_path / "h" / "Caddyfile").read_text().splitlines()]
    assert {"respond /metrics 404", "respond /ready 404", "max_size 25MB"} <= set(lines)


@pytest.mark.server
@pytest.mark.parametrize("firms", ["one", "many"])
def test_docker_compose_accepts_what_is_written(tmp_path, firms):
    assert setup(tmp_path / "h", firms=firms).returncode == 0
    done = subprocess.run([start(compose_command), "-f", tmp_path / "h" / "compose.yaml", "config"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert set(services) == {"vigie", "backup", "proxy"} | ({"postgres"} if firms == "many" else set())
    published = {name for name, service in services.items() if service.get("ports")}
    assert published == {"proxy"}, "nothing is reached past the proxy"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_accepts_the_units(tmp_path):
    done = run("host", "setup", str(tmp_path / "h"), "--way", "systemd", *(p for pair in GOOD.items() for p in pair))
    assert done.returncode == 0, done.stderr
    units = [str(path) for path in (tmp_path / "h").iterdir() if path.suffix in {".service", ".timer"}]
    assert len(units) == 3
    said = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True).stderr
    ours = [line for line in said.splitlines() if "vigie" in line and "not executable" not in line]
    assert ours == [], said
    for unit in ("vigie.service", "vigie-backup.service"):
        assert exposure(tmp_path / "h" / unit) <= 2.0, unit


def test_the_backup_of_the_night_is_read_back_and_old_ones_go(tmp_path):
    assert setup(tmp_path / "h").returncode == 0
    data, kept = tmp_path / "data", tmp_path / "backups"
    kept.mkdir()
    engine = db.connect(Settings(data_dir=data).database)
    migrate(engine)
    with db.writing(engine) as connection:
        companies.add(connection, "Boulangerie Mercier")
    old = kept / "vigie-2020-01-01.zip"
    old.touch()
    os.utime(old, (0, 0))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = ["sh", str(tmp_path / "h" / "backup.sh"), str(kept)]
    environment = {**os.environ, "VIGIE_DATA_DIR": str(data), "PATH": path}
    done = subprocess.run(script, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 firms and 0 mentions restored" in done.stdout
    (backup,) = kept.iterdir()
    assert backup != old
    engine.dispose()
    for file in data.iterdir():
        file.write_bytes(b"broken")
    assert subprocess.run(script, env=environment, capture_output=True).returncode != 0, "a bad night is told"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domain", "localhost"), ("domain", "a b.fr"), ("domain", "avis.example.fr\nevil"), ("mail", "contact@example.fr"),
        ("mail", "smtp://a:$(reboot)@x.fr"), ("admin", "marie"), ("backup", "relative"), ("backup", "/a b;reboot"),
        ("firms", "some"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_used_is_told_and_nothing_is_written(tmp_path, name, value):
    done = setup(tmp_path / "h", **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith("vigie: ")
    assert not (tmp_path / "h").exists()


def test_it_asks_what_was_not_said(tmp_path):
    answers = "avis.example.fr\nsmtp://smtp.example.fr\nm@example.fr\n/srv/backups\none\n"
    done = run("host", "setup", str(tmp_path / "h"), said=answers)
    assert done.returncode == 0, done.stderr
    assert "VIGIE_MAIL_FROM=vigie@avis.example.fr" in (tmp_path / "h" / "vigie.env").read_text()
