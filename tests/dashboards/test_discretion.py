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


def test_the_team_neither_exports_nor_finds_hidden_names_nor_sees_an_address(house, firm):
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    base, now = f"/companies/{firm['id']}", datetime.now(UTC)
    person(house, firm, "marie@example.fr", "owner")
    person(house, firm, "lea@example.fr", "team")
    complaint = Found(text=BAD + " Nul, odieux.", rating=1, published_at=now, contact="nadia@example.fr")
    hear(house, firm, complaint, Found(text="Kévin est adorable.", rating=5, published_at=now))
    signed_in(house, client, "marie@example.fr")
    client.post(f"{base}/settings/staff", data={"names": "Kévin"})
    (bad,) = [mention for mention in mentions_of(house, firm) if mention["rating"] == 1]
    place = f"{base}/reviews?q="
    link = f"/reviews/{bad['id']}"
    assert link in client.get(place + "kevin").text
    assert "nadia@example.fr" in client.get(base + link).text
    exported = client.get(f"{base}/settings/export/mentions.csv")
    assert exported.status_code == 200
    assert "nadia@example.fr" not in exported.text
    signed_in(house, client, "lea@example.fr")
    assert link in client.get(place + "samedi").text
    for query in ("kevin", "K%C3%A9vin", "kev*", "KEVIN+samedi", "kevins"):
        assert link not in client.get(place + query).text
    assert "nadia@example.fr" not in client.get(base + link).text
    assert "/export/" not in client.get(f"{base}/settings").text
    for name in ("mentions.csv", "mentions.jsonl", "alerts.csv", "alerts.jsonl", "trends.csv"):
        refused = client.get(f"{base}/settings/export/{name}", headers={"Accept": "text/html"})
        assert refused.status_code == 403
        assert "Seuls" in refused.text
