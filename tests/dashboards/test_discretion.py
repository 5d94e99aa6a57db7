"""First names of the team: hidden from the team and in print where a customer complains, kept in praise."""

from datetime import UTC, datetime

from starlette.testclient import TestClient

from dashboards import i18n
from ingest.found import Found
from tests.dashboards.test_pages_and_mail import hear
from tests.dashboards.test_places import mentions_of, person, signed_in
from vigie.cli import work

BAD = "Kévin nous a mal reçus, KEVIN encore samedi. Kevinou n'y est pour rien."


def test_names_are_found_without_accents_and_as_whole_words():
    assert i18n.unnamed(BAD, ["kevin"]) == "[…] nous a mal reçus, […] encore samedi. Kevinou n'y est pour rien."
    assert i18n.unnamed("<b>Léa</b> & co", ["Léa"]) == "<b>[…]</b> & co"
    shown = i18n.discreet("<Léa>", ["lea"], shown=True)
    assert shown == '&lt;<span class="staff">Léa</span>&gt;'


def test_the_team_reads_complaints_without_names_and_praise_with_them(house, firm):
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    base, now = f"/companies/{firm['id']}", datetime.now(UTC)
    person(house, firm, "marie@example.fr", "owner")
    person(house, firm, "lea@example.fr", "team")
    hear(house, firm, Found(title="Kévin, hélas", text=BAD, rating=1, published_at=now),
         Found(text="Kévin est adorable.", rating=5, published_at=now))  # fmt: skip
    signed_in(house, client, "marie@example.fr")
    assert client.post(f"{base}/settings/staff", data={"names": "Kevin, Léa,, Kevin"}).status_code == 303
    assert 'value="Kevin, Léa"' in client.get(f"{base}/settings").text
    (bad,) = [one for one in mentions_of(house, firm) if one["rating"] == 1]
    places = [f"{base}/reviews", f"{base}/reviews/{bad['id']}", f"{base}/alerts", base, f"{base}/year"]
    assert all('<span class="staff">Kévin</span>' in client.get(place).text for place in places)
    signed_in(house, client, "lea@example.fr")
    for place in places:
        page = client.get(place).text
        assert "Kévin nous" not in page
        assert "Kévin, hélas" not in page
        assert "KEVIN encore" not in page
    assert "Kévin est adorable" in client.get(f"{base}/reviews").text


def test_an_owner_chooses_pseudonyms_and_the_team_does_not(house, firm):
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    place = f"/companies/{firm['id']}/settings"
    person(house, firm, "marie@example.fr", "owner")
    person(house, firm, "lea@example.fr", "team")
    signed_in(house, client, "lea@example.fr")
    assert client.post(f"{place}/pseudonyms", data={"wanted": "true"}).status_code == 404
    signed_in(house, client, "marie@example.fr")
    assert "apparaissent sous le nom" in client.get(place).text
    assert client.post(f"{place}/pseudonyms", data={"wanted": "true"}).status_code == 303
    assert "Les nouveaux auteurs sont désignés par un pseudonyme." in client.get(place).text
