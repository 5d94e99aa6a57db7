"""What is printed shows no secret: settings in `vigie doctor`, and the link at the start."""

import pytest

from vigie import access, db, people, settings
from vigie.cli.roles import opening_hint


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("VIGIE_LOG_URL", "kafka://broker:9092?sasl_mechanism=PLAIN&sasl_plain_password=GEHEIM&prefix=a."),
        ("VIGIE_LOG_URL", "kafka://broker:9092?ssl_keyfile_Password=GEHEIM"),
        ("VIGIE_DATABASE_URL", "postgresql://vigie@host/vigie?password=GEHEIM"),
        ("VIGIE_DATABASE_URL", "postgresql://vigie:GEHEIM@host/vigie?sslmode=require"),
        ("VIGIE_DATABASE_URL", "postgresql://vigie:a@GEHEIM@host/vigie"),
        ("VIGIE_SMTP_URL", "smtps://marie:GEHEIM@smtp.example.fr"),
    ],
)
def test_settings_are_described_without_their_secrets(embedded, monkeypatch, name, url):
    monkeypatch.setenv(name, url)
    described, _ = settings.load().described()[name]
    assert "GEHEIM" not in described
    assert "********" in described
    assert described.partition(":")[0] == url.partition(":")[0]


def test_harmless_parts_of_an_address_are_still_described(embedded, monkeypatch):
    monkeypatch.setenv("VIGIE_LOG_URL", "kafka://broker:9092?prefix=a.")
    assert settings.load().described()["VIGIE_LOG_URL"][0] == "kafka://broker:9092?prefix=a."


def test_a_link_is_printed_only_while_nobody_can_open_the_installation(house):
    first = opening_hint(house)
    assert "/open?link=" in first
    with db.writing(house.engine) as connection:
        session = access.open_session(connection, first.partition("link=")[2])
    assert opening_hint(house) == "to open the pages: `vigie token link`"
    with db.writing(house.engine) as connection:
        access.end_session(connection, session)
    assert "/open?link=" in opening_hint(house)
    with db.writing(house.engine) as connection:
        people.add(connection, "admin@example.fr", admin=True)
    assert "/open?link=" not in opening_hint(house)
