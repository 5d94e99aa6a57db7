"""What users type: the demonstration, the commands, wrong arguments, and the same trends on both kinds of servers."""

import csv
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from datetime import date, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import inspect

from tests.servers import free_port, wait_until
from vigie import db
from vigie.db import migrate
from vigie.db.tables import metadata
from vigie.settings import Settings

ROOT = Path(__file__).parent.parent.parent


def vigie(*arguments, data, expect=0, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    done = subprocess.run(
        [sys.executable, "-m", "vigie", *map(str, arguments)],
        env={**clean, "VIGIE_DATA_DIR": str(data), **environment}, capture_output=True, text=True, timeout=120, cwd=data.parent,
    )  # fmt: skip
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done


@pytest.mark.slow
def test_the_demonstration_does_the_whole_loop(tmp_path):
    done = vigie("demo", "--once", data=tmp_path / "data")
    assert "52 mentions" in done.stdout
    assert done.stdout.count("alert: Unhappy customer") == 2
    assert "rollups equal a recount: yes" in done.stdout
    (mail,) = (tmp_path / "data" / "demo" / "mails").glob("*.eml")
    assert str(mail) in done.stdout
    assert "pushed a review over the API: 202" in done.stderr
    vigie("demo", "--once", data=tmp_path / "data")


def test_the_demonstration_touches_no_folder_of_yours(tmp_path):
    (tmp_path / "data" / "demo").mkdir(parents=True)
    assert "demonstration" in vigie("demo", "--once", data=tmp_path / "data", expect=1).stderr


def test_up_serves_collects_and_ends_in_good_order(tmp_path):
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "vigie", "up", "--port", str(port)],
        env={**clean, "VIGIE_DATA_DIR": str(tmp_path / "data")}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    try:
        link = process.stdout.readline().strip()
        assert link.startswith(f"http://127.0.0.1:{port}/open?link=")
        assert httpx2.get(link, trust_env=False).status_code == 200, "a link that is printed opens"

        def roles():
            try:
                return httpx2.get(f"http://127.0.0.1:{port}/ready", trust_env=False).json()["roles"]
            except httpx2.HTTPError:
                return {}

        wait_until(lambda: roles() == {"ingest": 1, "analyse": 1, "deliver": 1, "serve": 1}, timeout=30)
    finally:
        started = time.monotonic()
        process.terminate()
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert time.monotonic() - started < 10
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_firm_from_its_name_to_its_mail(tmp_path):
    data = tmp_path / "data"
    company = vigie("company", "add", "Boulangerie Mercier", "--email", "marie@example.fr", data=data).stdout.strip()
    assert re.fullmatch(r"co_\w+", company)
    export = tmp_path / "avis.csv"
    export.write_text("date;note;avis\n2026-01-05;5;Parfait\n2026-01-06;;\n")
    done = vigie("import", "Boulangerie Mercier", export, data=data)
    assert "1 mentions imported" in done.stdout
    assert "line 3" in done.stderr
    vigie("analyse", "--once", data=data)
    shown = json.loads(vigie("company", "show", company, "--json", data=data).stdout)
    assert (shown["mentions"], shown["recipients"]) == (1, "marie@example.fr")
    written = vigie("report", company, "--week", "2026-W02", "--out", tmp_path, data=data).stdout.split()
    assert [Path(path).suffix for path in written] == [".eml", ".html", ".txt"]
    assert "Parfait" in Path(written[2]).read_text()
    assert "rollups equal a recount" in vigie("doctor", data=data).stdout
    assert vigie("token", "create", "crm", data=data).stdout.startswith("vigie_")
    assert vigie("token", "create", "old", "--days", "1", data=data).stdout.startswith("vigie_")
    keys = {
        one["name"]: one for one in map(json.loads, vigie("token", "list", "--json", data=data).stdout.splitlines())
    }
    assert keys["old"]["expires_at"] > keys["old"]["created_at"]
    vigie("token", "revoke", keys["crm"]["id"], data=data)
    assert json.loads(vigie("token", "list", "--json", data=data).stdout)["name"] == "old"
    assert "no key" in vigie("token", "revoke", "nothing", data=data, expect=1).stderr
    assert "0 records" in vigie("deadletters", "replay", data=data).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["company", "show", "nobody"], 1, "vigie company list"),
        (["import", "nobody", "absent.csv"], 1, "nobody"),
        (["frobnicate"], 2, "frobnicate"),
        (["up", "--port", "x"], 2, "--port"),
        (["health", "cook"], 1, "cook"),
        (["health", "analyse"], 1, "30 seconds"),
        (["serve", "--host", "0.0.0.0"], 1, "VIGIE_BASE_URL"),
        (["source", "check", "ftp://x"], 1, "https://"),
        (["company", "add", "X", "--timezone", "Mars"], 1, "Europe/Paris"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path, arguments, status, says):
    done = vigie(*arguments, data=tmp_path / "data", expect=status)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named(tmp_path):
    done = vigie("company", "list", data=tmp_path / "data", expect=1, VIGIE_LOG_URL="rabbit://x")
    assert "VIGIE_LOG_URL" in done.stderr


def test_a_role_waits_for_a_database_that_is_not_migrated(tmp_path, postgresql):
    url = postgresql.new_database()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    environment = {**clean, "VIGIE_DATA_DIR": str(tmp_path), "VIGIE_DATABASE_URL": url}
    process = subprocess.Popen(
        [sys.executable, "-m", "vigie", "ingest", "--once"],
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "migrate" in process.stderr.readline()
        assert process.poll() is None
        vigie("migrate", data=tmp_path, VIGIE_DATABASE_URL=url)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_help_stays_instant():
    code = "import sys, vigie.cli; print(sorted({'sqlalchemy','fastapi','kafka','nltk','pydantic','jinja2'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_same_firm_shows_the_same_on_both_kinds_of_servers(tmp_path, kafka, postgresql):
    with (tmp_path / "avis.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", "note", "auteur", "avis"])
        for n in range(400):
            text = ["Pain excellent, accueil charmant.", "Attente horrible, cher.", "Great bread!", "Correct."][n % 4]
            writer.writerow([date(2026, 1, 1) + timedelta(days=n // 2), 1 + n % 5, f"A{n}", text])
    shown = []
    for environment in (
        {},
        {"VIGIE_DATABASE_URL": postgresql.new_database(), "VIGIE_LOG_URL": f"{kafka.url}?prefix=same{free_port()}."},
    ):
        data = tmp_path / f"data{len(shown)}"
        vigie("migrate", data=data, **environment)
        company = vigie("company", "add", "Boulangerie", data=data, **environment).stdout.strip()
        vigie("import", company, tmp_path / "avis.csv", "--notify", data=data, **environment)
        vigie("analyse", "--once", data=data, **environment)
        shown.append(_shown(data, company, environment))
    assert shown[0] == shown[1]
    assert sum(point["mentions"] for point in shown[0]["trends"]["points"]) == 400
    assert shown[0]["alerts"]


def _shown(data, company, environment):
    from starlette.testclient import TestClient

    from vigie import access
    from vigie.cli import work
    from vigie.cli.house import House
    from vigie.log import open_log

    given = Settings(
        data_dir=data, database_url=environment.get("VIGIE_DATABASE_URL"), log_url=environment.get("VIGIE_LOG_URL")
    )
    house = House(given, db.connect(given.database), open_log(given))
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "test")
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"})
    path = f"/api/v1/companies/{company}"
    period = {"from": "2026-01-01", "to": "2026-08-01"}
    trends = client.get(f"{path}/trends", params={**period, "by": "week"}).json()
    themes = client.get(f"{path}/themes", params=period).json()
    alerts = client.get(f"{path}/alerts", params={"limit": 200}).json()["items"]
    house.log.close()
    house.engine.dispose()
    return {"trends": trends, "themes": themes, "alerts": sorted((one["rule"], one["happened_at"]) for one in alerts)}


def test_the_migrations_make_the_tables_of_the_code(engine):
    found = inspect(engine)
    names = {name for name in found.get_table_names() if not name.startswith("mention_search_")} - {"alembic_version"}
    assert names == set(metadata.tables)
    for name, table in metadata.tables.items():
        assert {column["name"] for column in found.get_columns(name)} == {column.name for column in table.columns}
        indexes = {index["name"] for index in found.get_indexes(name)} - {"ix_mention_search_words"}
        assert indexes == {index.name for index in table.indexes}
    assert migrate.version(engine) == migrate.HEAD
    newest = max(path.name[:4] for path in (ROOT / "vigie" / "db" / "migrations" / "versions").glob("0*.py"))
    assert newest == migrate.HEAD


def test_the_requirements_are_pinned_and_name_no_registry():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|--index|--find-links", text), path
    names = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = (ROOT / "requirements" / "runtime.txt").read_text().lower()
    assert all(re.match(r"[\w-]+", name)[0].lower() in pinned for name in names)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_log_line_that_cannot_be_written_ends_nobody():
    code = (
        "from vigie import logs; import structlog; logs.configure(); structlog.get_logger().error('lost'); print('on')"
    )
    with open("/dev/full", "w") as full:
        ran = subprocess.run([sys.executable, "-c", code], stderr=full, stdout=subprocess.PIPE, text=True)
    assert (ran.stdout, ran.returncode) == ("on\n", 0)
