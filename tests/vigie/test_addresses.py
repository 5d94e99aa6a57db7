"""A person's address is known by one spelling, and its domain as mail servers know it."""

import pytest

from vigie import companies, db
from vigie.errors import InvalidInputError


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("contact@boulangerie-léa.fr", "contact@xn--boulangerie-la-nkb.fr"),
        ("contact@BOULANGERIE-LÉA.fr", "contact@xn--boulangerie-la-nkb.fr"),
        ("info@straße.example", "info@xn--strae-oqa.example"),
        (" marie@exemple.fr ", "marie@exemple.fr"),
    ],
)
def test_an_accented_domain_is_written_as_mail_servers_know_it(given, known):
    assert companies.check_email(given) == known


@pytest.mark.parametrize("given", ["léa@exemple.fr", "a@b\u2024\u2024fr", "a@é\u202eb.fr", "@é.fr", "é.fr"])
def test_what_no_mail_server_takes_is_refused(given):
    with pytest.raises(InvalidInputError, match="not an e-mail address"):
        companies.check_email(given)


def test_two_spellings_of_a_domain_are_one_recipient(house, firm):
    with db.writing(house.engine) as connection:
        for email in ("a@boulangerie-léa.fr", "A@xn--boulangerie-la-nkb.fr"):
            companies.add_recipient(connection, firm["id"], email)
        assert companies.is_recipient(connection, firm["id"], "a@Boulangerie-Léa.fr")
        assert len(companies.recipients(connection, firm["id"])) == 1
