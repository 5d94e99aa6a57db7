"""A company writes to so many strangers a day, through whichever page; the command line is exempt."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tests.dashboards.test_cross_site import sign_in
from vigie import access, clock, companies, db, quotas
from vigie.cli import app, work
from vigie.db.tables import outbox, quota_use

ROUTES = {
    "people": ("settings/people", {"role": "team"}),
    "recipients": ("settings/recipients", {"edition": "owner"}),
    "mail": ("start/mail", {}),
}


@pytest.fixture
def client(house):
    client = TestClient(
        work.make_app(house),
        base_url="http://127.0.0.1:8000",
        follow_redirects=False,
        headers={"Accept": "text/html", "Accept-Language": "fr"},
    )
    sign_in(client, house)
    return client


def ask(client, company_id, route, email):
    place, data = ROUTES[route]
    return client.post(f"/companies/{company_id}/{place}", data={**data, "email": email})


def count_mails(house):
    with db.reading(house.engine) as connection:
        return connection.scalar(select(func.count()).select_from(outbox))


@pytest.mark.parametrize("route", ROUTES)
def test_a_company_writes_to_so_many_addresses_a_day(client, house, firm, route):
    for number in range(quotas.MAILS_OF_COMPANY):
        assert ask(client, firm["id"], route, f"guest{number}@example.fr").status_code in {200, 303}
    sent = count_mails(house)
    refused = ask(client, firm["id"], route, "one-more@example.fr")
    assert refused.status_code == 429
    assert "le prochain pourra partir demain" in refused.text
    assert count_mails(house) == sent
    with db.reading(house.engine) as connection:
        assert "one-more@example.fr" not in {row["email"] for row in companies.recipients(connection, firm["id"])}
    with db.writing(house.engine) as connection:
        connection.execute(update(quota_use).values(at=clock.now() - timedelta(days=1)))
    assert ask(client, firm["id"], route, "one-more@example.fr").status_code in {200, 303}
    with db.reading(house.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(quota_use)) == 1, "old uses are forgotten"


def test_one_address_is_written_to_three_times_a_day_by_all_companies_together(client, house, firm):
    with db.writing(house.engine) as connection:
        other_id = companies.add(connection, "Garage Martin")
    answers = [
        ask(client, company_id, "people", email)
        for company_id, email in ((firm["id"], "marie@example.fr"), (other_id, "Marie@example.fr")) * 2
    ]
    assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
    assert "réessayez demain" in answers[-1].text
    assert count_mails(house) == 3


def test_a_recipient_may_change_settings_without_end(client, firm):
    answers = {ask(client, firm["id"], "recipients", "marie@example.fr").status_code for _ in range(25)}
    assert answers == {303}


def test_so_many_tests_of_webhooks_a_day(house, firm, monkeypatch):
    monkeypatch.setattr(quotas, "TESTS_OF_COMPANY", 2)
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "Marie")
    headers = {"Authorization": f"Bearer {key}"}
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", headers=headers)
    place = f"/api/v1/companies/{firm['id']}/webhooks"
    hook = client.post(place, json={"url": f"http://{house.settings.allow_hosts[0]}/hook"}).json()
    answers = [client.post(f"{place}/{hook['id']}/test") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[-1].json()["detail"] == "a company sends 2 tests a day at most: try again tomorrow"


def test_the_command_line_is_exempt(tmp_path, monkeypatch):
    monkeypatch.setenv("VIGIE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("vigie.logs.configure", lambda *_: None)
    run = CliRunner().invoke
    company_id = run(app, ["company", "add", "Boulangerie Mercier"]).stdout.strip()
    for _ in range(quotas.MAILS_TO_ADDRESS + 1):
        done = run(app, ["user", "add", "marie@example.fr", "--company", company_id, "--invite"])
        assert done.exit_code == 0, done.output
