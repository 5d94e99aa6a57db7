"""A table that Vigie cannot read by itself: the page asks which column is what, and remembers the answer."""

from starlette.testclient import TestClient

from analysis import queries
from tests.dashboards.test_pages_and_mail import XSS, enter
from tests.pipeline import analyse
from vigie import db
from vigie.cli import work

HEADER = "Quand;Ressenti;Combien"
HOSTILE = XSS.replace('"', '""')
TABLE = "\n".join((HEADER, "23/11/2026;Pain excellent;4", f'hier;"{HOSTILE}";3', ";<b>x</b>;neuf"))


def test_the_page_asks_which_column_is_what(house, firm):
    client = TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)
    enter(client, house)
    start = f"/companies/{firm['id']}/start"
    asked = client.post(f"{start}/files", files={"files": ("caisse.csv", TABLE.encode())}).text
    assert "Que contient chacune" in asked
    assert "<option>Ressenti</option>" in asked
    assert XSS not in asked
    said = {"text": "Ressenti", "rating": "Combien", "date": "Quand"}
    read = client.post(f"{start}/columns", data=said, files={"file": ("caisse.csv", TABLE.encode())}).text
    assert "3 avis lus" in read
    assert "sans note lisible" in read
    later = HEADER + "\n24/11/2026;Trop long;2\n"
    assert "1 avis lu" in client.post(f"{start}/files", files={"files": ("dec.csv", later.encode())}).text
    analyse(house)
    with db.reading(house.engine) as connection:
        heard = queries.mentions(connection, firm["id"], queries.Filter(), limit=10)
    read = {one["text"]: one["rating"] for one in heard}
    assert len(read) == 4
    assert (read["Pain excellent"], read["Trop long"], read["x"]) == (4.0, 2.0, None)
