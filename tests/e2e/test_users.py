"""People from the command line: added, listed, let in, taken off; an adviser's firms from a table."""

import json

import pytest
from typer.testing import CliRunner

from vigie import access, companies, db, people
from vigie.cli import app
from vigie.cli.house import opened

run = CliRunner().invoke
TABLE = """Raison sociale;SIREN;Ville;Code NAF;Site web;E-mail
Boulangerie Mercier;111222333;Limoges;1071C;mercier.example;marie@example.fr
Garage Martin;444555666;Tulle;4520A;;
;777888999;Brive;;;paul@example.fr
Fleurs Dubois;;Guéret;4776Z;;pas une adresse
"""


@pytest.fixture(autouse=True)
def embedded(tmp_path, monkeypatch):
    monkeypatch.setenv("VIGIE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("vigie.logs.configure", lambda *_: None)


def said(*arguments):
    done = run(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments):
    done = run(app, list(arguments))
    assert done.exit_code != 0
    return str(done.exception)


def test_somebody_is_let_in_by_a_link_and_taken_off():
    firm = said("company", "add", "Boulangerie Mercier").strip()
    person_id = said("user", "add", "Marie@example.fr", "--company", "Boulangerie Mercier").strip()
    (listed,) = [json.loads(line) for line in said("user", "list", "--json").splitlines()]
    assert (listed["id"], listed["email"]) == (person_id, "marie@example.fr")
    assert "Boulangerie Mercier (owner)" in listed["firms"]
    link = said("user", "link", "marie@example.fr").strip().partition("link=")[2]
    with opened() as house, db.writing(house.engine) as connection:
        session = access.open_session(connection, link)
        who = access.authenticate(connection, session, "session")
        assert who.may("admin", firm)
        assert not who.may("reader", None)
    said("user", "remove", "marie@example.fr", "--company", firm)
    said("user", "remove", "marie@example.fr")
    with opened() as house, db.reading(house.engine) as connection:
        assert access.authenticate(connection, session, "session") is None
    assert "nobody has the address" in refused("user", "link", "marie@example.fr")


def test_wrong_arguments_are_explained():
    said("company", "add", "Boulangerie Mercier")
    assert "give --company" in refused("user", "add", "marie@example.fr")
    assert "role is one of" in refused(
        "user", "add", "m@example.fr", "--company", "Boulangerie Mercier", "--role", "king"
    )
    assert "not an e-mail address" in refused("user", "add", "marie", "--role", "admin")
    assert "no firm" in refused("user", "add", "marie@example.fr", "--company", "Nobody")


def test_an_advisers_firms_come_from_a_table_with_their_mandates(tmp_path):
    table = tmp_path / "firms.csv"
    table.write_text(TABLE, encoding="cp1252")
    given = (
        "user",
        "import",
        str(table),
        "--adviser",
        "claire@conseil.example",
        "--mandate",
        "signé le 3 novembre",
        "--invite",
    )
    done = run(app, list(given))
    assert done.exit_code == 1
    assert len(done.stdout.split()) == 2
    assert "line 4: the firm needs a name" in done.stderr
    assert "line 5: 'pas une adresse' is not an e-mail address" in done.stderr
    assert len(run(app, list(given)).stdout.split()) == 2, "a firm known by its SIREN stays one"
    with opened() as house, db.reading(house.engine) as connection:
        assert [row["name"] for row in companies.every(connection)] == ["Boulangerie Mercier", "Garage Martin"]
        mercier = companies.find(connection, "Boulangerie Mercier")
        members = {row["email"]: row["role"] for row in people.of_company(connection, mercier["id"])}
        assert members == {"marie@example.fr": "owner", "claire@conseil.example": "adviser"}
        assert people.of_company(connection, mercier["id"])[0]["by"] == "signé le 3 novembre"
        assert [row["email"] for row in companies.recipients(connection, mercier["id"])] == ["marie@example.fr"]
    assert "has no column" in refused("user", "import", __file__, "--adviser", "c@example.fr", "--mandate", "x")


def test_a_siren_alone_opens_nobodys_firm(tmp_path):
    """An editor writes the SIREN of a firm that is to come; a table with that SIREN leads elsewhere."""
    squatter = said("company", "add", "Squatteur", "--siren", "552100554").strip()
    said("user", "add", "conseil@example.fr", "--company", squatter, "--role", "adviser")
    table = tmp_path / "firms.csv"
    table.write_text("nom;siren;mail\nXavier SARL;552100554;xavier@example.fr\n", encoding="utf-8")
    said("user", "import", str(table), "--adviser", "conseil@example.fr", "--mandate", "signed")
    with opened() as house, db.reading(house.engine) as connection:
        assert {row["email"] for row in people.of_company(connection, squatter)} == {"conseil@example.fr"}
        (xavier,) = [row for row in companies.every(connection) if row["name"] == "Xavier SARL"]
        assert "xavier@example.fr" in {row["email"] for row in people.of_company(connection, xavier["id"])}


def test_a_table_gives_no_ownership_of_a_firm_that_is_there(tmp_path):
    table = tmp_path / "firms.csv"
    table.write_text("nom;siren;mail\nXavier SARL;552100554;xavier@example.fr\n", encoding="utf-8")
    arguments = ("user", "import", str(table), "--adviser", "conseil@example.fr", "--mandate", "signed")
    said(*arguments)
    said(*arguments)  # the same once more changes nothing
    table.write_text("nom;siren;mail\nXavier SARL;552100554;evil@evil.example\n", encoding="utf-8")
    run(app, list(arguments))
    with opened() as house, db.reading(house.engine) as connection:
        (firm,) = companies.every(connection)
        assert {row["email"] for row in people.of_company(connection, firm["id"])} == {
            "conseil@example.fr",
            "xavier@example.fr",
        }
