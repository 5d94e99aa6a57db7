"""What Vigie writes is private, a backup opens nothing, and a revoked key stays revoked."""

import os
import stat
import subprocess
import sys
import zipfile

import pytest

from dashboards import letters
from vigie import access, backup, companies, db, people, private_files
from vigie.cli import roles
from vigie.logs import escape_controls
from vigie.settings import Settings


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def run_vigie(data_dir, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    environment["VIGIE_DATA_DIR"] = str(data_dir)
    code = "import os; os.umask(0o022); from vigie.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True)


def test_files_are_private_whatever_the_umask(tmp_path):
    data_dir = tmp_path / "data"
    run_vigie(data_dir, "company", "add", "Delage")
    run_vigie(data_dir, "backup", str(tmp_path / "b.zip"))
    written = [data_dir, *data_dir.rglob("*"), tmp_path / "b.zip"]
    assert (data_dir / "vigie.db").exists()
    assert [path for path in written if mode(path) & 0o077] == []


def test_a_looser_folder_of_an_earlier_release_is_tightened(tmp_path):
    data_dir = tmp_path / "data"
    (data_dir / "mails").mkdir(parents=True)
    loose = data_dir / "mails" / "a.eml"
    loose.write_text("code")
    for path, looser in ((data_dir, 0o755), (data_dir / "mails", 0o755), (loose, 0o644)):
        path.chmod(looser)
    assert private_files.tighten(data_dir)
    assert (mode(data_dir), mode(data_dir / "mails"), mode(loose)) == (0o700, 0o700, 0o600)
    assert not private_files.tighten(data_dir)


def test_a_backup_holds_no_link_or_code_that_opens_pages(house, firm, tmp_path):
    with db.writing(house.engine) as connection:
        person_id = people.add(connection, "marie@example.fr")
        people.grant(connection, person_id, firm["id"], "owner", by="test")
        person = people.get(connection, person_id)
        letters.invite(connection, house.settings, person, firm, "owner", "Paul")
        started = people.begin(connection, "marie@example.fr", house.settings.secret(), "browser")
        assert started is not None
        letters.sign_in(connection, house.settings, *started)
        letters.welcome(connection, house.settings, firm, "marie@example.fr", "fr")
    counts = backup.write(house.engine, None, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        mails = archive.read("tables/outbox.jsonl")
    assert counts["outbox"] == mails.count(b"\n") == 1
    assert mode(tmp_path / "b.zip") == 0o600


def test_restoring_leaves_a_revoked_key_revoked(house, firm, tmp_path):
    with db.writing(house.engine) as connection:
        kept = access.create_key(connection, "kept", company_id=firm["id"])
        revoked = access.create_key(connection, "revoked", company_id=firm["id"])
    backup.write(house.engine, None, tmp_path / "b.zip")
    with db.writing(house.engine) as connection:
        access.revoke_key(connection, access.hash_of(revoked)[:12])
    backup.restore(house.engine, None, tmp_path / "b.zip", replace=True)
    with db.reading(house.engine) as connection:
        assert access.authenticate(connection, kept, "key")
        assert access.authenticate(connection, revoked, "key") is None


def test_a_new_machine_gets_the_keys_of_the_backup(house, firm, engine, tmp_path):
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "kept", company_id=firm["id"])
    backup.write(house.engine, None, tmp_path / "b.zip")
    backup.restore(engine, None, tmp_path / "b.zip")
    with db.reading(engine) as connection:
        assert companies.get(connection, firm["id"])
        assert access.authenticate(connection, key, "key")


@pytest.mark.parametrize("text", ["\x1b[2J", "a\rb", "\x9b31m", "\u202eevil", "\x00"])
def test_log_lines_hold_no_control_characters(text):
    event = escape_controls(None, "info", {"event": "x", "error": ValueError(text), "count": 3, "ok": None})
    assert event["error"].isprintable()
    assert (event["count"], event["ok"]) == (3, None)


def test_the_lock_of_the_folder_is_not_taken_through_a_link(tmp_path):
    victim, data = tmp_path / "victim", tmp_path / "data"
    victim.write_text("mine")
    data.mkdir()
    (data / "up.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"), roles.only_one(Settings(data_dir=data)):
        pass
    assert victim.read_text() == "mine"
