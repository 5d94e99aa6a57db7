"""What `vigie doctor` finds wrong, with the next step; each of its checks is explained in docs/operations.md."""

import pytest

from tests.test_docs import ROOT
from vigie import counters, db
from vigie.cli import doctor
from vigie.errors import VigieError
from vigie.log import MENTIONS, Message


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(doctor, "LAG_SECONDS", 0.5)


def test_all_is_well_at_the_start(house):
    for check in doctor.CHECKS.values():
        assert check(house)


def test_a_lag_that_stands_still_is_a_failure(house):
    house.log.append(MENTIONS, [Message("co_1", b"{}")])
    with pytest.raises(VigieError, match="1 records wait and none is read"):
        doctor.check_reading(house)


def test_dead_letters_are_a_failure_with_the_next_step(house):
    from tests.pipeline import analyse

    house.log.append(MENTIONS, [Message("co_1", b"not json")])
    analyse(house)
    with pytest.raises(VigieError, match="vigie deadletters list"):
        doctor.check_dead_letters(house)


def test_a_role_that_starts_again_is_a_failure(house):
    with db.writing(house.engine) as connection:
        counters.add(connection, counters.ROLE_RESTARTS, 1)
    with pytest.raises(VigieError, match="started again"):
        doctor.check_roles(house)


@pytest.mark.parametrize("name", doctor.CHECKS)
def test_each_check_is_explained(name):
    assert f"| {name} |" in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
