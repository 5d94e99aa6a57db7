"""The firm's own form: the same page for everybody, no answer lost, notes never counted."""

import pytest
from starlette.testclient import TestClient

from analysis import queries
from dashboards import feedback
from ingest import sources_store
from tests.pipeline import analyse
from vigie import db
from vigie.cli import work
from vigie.cli.roles import one_time_link


@pytest.fixture
def client(house):
    with TestClient(work.make_app(house), base_url="http://127.0.0.1:8000", follow_redirects=False) as client:
        yield client


@pytest.fixture
def form(house, firm):
    with db.writing(house.engine) as connection:
        links = {"links": "https://g.page/mercier javascript:alert(1)"}
        return sources_store.add(connection, firm["id"], "form", "Caisse", options=links)


@pytest.fixture
def signed_in(client, house):
    link = one_time_link(house).rpartition("link=")[2]
    client.post("/open", data={"link": link})
    return client


def stamp_of(page):
    return page.partition('name="stamp" value="')[2].partition('"')[0]


def fill(client, form, *, seconds=5, page=None, **fields):
    """Send the form `seconds` after its page was opened, by moving the moment that the page says."""
    stamp = stamp_of(page or client.get(f"/avis/{form}").text)
    opened_at, _, drawn = stamp.partition(".")
    return client.post(f"/avis/{form}", data={"stamp": f"{int(opened_at) - seconds}.{drawn}", **fields})


def heard(house, firm, **wanted):
    analyse(house)
    with db.reading(house.engine) as connection:
        return queries.mentions(connection, firm["id"], queries.Filter(**wanted))


def test_after_a_one_and_after_a_five_everybody_sees_the_same(client, house, firm, form):
    page = client.get(f"/avis/{form}")
    assert page.text.index("g.page") < page.text.index('name="rating"'), "the public links stand before any rating"
    assert "javascript:" not in page.text
    bad = fill(
        client, form, rating=1, text="Trop d'attente, c'est vraiment pénible", email="a@exemple.fr", consent="yes"
    )
    good = fill(client, form, rating=5)
    assert bad.status_code == good.status_code == 200
    assert bad.content == good.content
    mentions = {mention["rating"]: mention for mention in heard(house, firm)}
    assert set(mentions) == {1.0, 5.0}
    with db.reading(house.engine) as connection:
        today = mentions[1.0]["published_at"].date()
        sums = queries.daily(connection, firm["id"], today, today, forms=False).values()
        assert sum(day.rated for day in sums) == 0


def test_an_address_that_was_consented_to_is_a_contact_and_no_author(signed_in, house, firm, form):
    fill(signed_in, form, rating=2, text="Pain trop cuit, dommage.", email="a@exemple.fr", consent="yes")
    (mention,) = heard(house, firm)
    assert (mention["author"], mention["contact"]) == (None, "a@exemple.fr")
    opened = signed_in.get(f"/companies/{firm['id']}/reviews/{mention['id']}").text
    assert "a@exemple.fr" in opened
    listed = signed_in.get(f"/companies/{firm['id']}/reviews").text
    exported = signed_in.get(f"/companies/{firm['id']}/settings/export/mentions.csv").text
    assert "a@exemple.fr" not in listed + exported


def test_a_typed_wish_is_a_wish_and_not_glued_to_the_review(signed_in, house, firm, form):
    fill(signed_in, form, rating=4, text="Très bon pain.", wish="Une deuxième caisse le samedi")
    (mention,) = heard(house, firm)
    assert mention["text"] == "Très bon pain."
    assert [wish["quote"] for wish in mention["wishes"]] == ["Une deuxième caisse le samedi"]
    assert "Une deuxième caisse le samedi" in signed_in.get(f"/companies/{firm['id']}").text


@pytest.mark.parametrize(
    "fields",
    [{"second_thought": "https://spam"}, {"seconds": 0}, {"seconds": -3_600}],
    ids=["filled", "quick", "future"],
)
def test_what_a_robot_seems_to_send_is_kept_and_does_not_count(client, house, firm, form, fields):
    assert fill(client, form, rating=1, text="Nul.", **fields).status_code == 200
    (mention,) = heard(house, firm, apart="unconfirmed")
    assert mention["text"] == "Nul."


@pytest.mark.parametrize("stamp", ["", "forged", "gAAAAABm" + "x" * 100])
def test_an_answer_without_its_stamp_is_kept_and_does_not_count(client, house, firm, form, stamp):
    assert client.post(f"/avis/{form}", data={"stamp": stamp, "rating": 5}).status_code == 200
    assert len(heard(house, firm, apart="unconfirmed")) == 1


@pytest.mark.parametrize("name", ["website", "url", "name", "phone", "company"])
def test_a_field_that_browsers_fill_changes_nothing(client, house, firm, form, name):
    assert fill(client, form, rating=4, text="Bien.", **{name: "https://moi.example"}).status_code == 200
    (mention,) = heard(house, firm)
    assert mention["apart"] is None


@pytest.mark.parametrize("days", [0.55, 3, 40])
def test_a_page_that_stayed_open_for_days_counts(client, house, firm, form, days):
    fill(client, form, seconds=int(days * 86_400), rating=2, text="Attente.")
    (mention,) = heard(house, firm)
    assert mention["apart"] is None


def test_a_page_counts_after_a_change_of_the_secret_key(client, house, firm, form):
    page = client.get(f"/avis/{form}").text
    house.settings = house.settings.model_copy(update={"secret_key": "another"})
    with TestClient(work.make_app(house), base_url="http://127.0.0.1:8000") as restarted:
        fill(restarted, form, page=page, rating=2, text="Attente.")
    (mention,) = heard(house, firm)
    assert mention["apart"] is None


def test_the_same_page_sent_twice_with_other_words_is_two_answers_and_a_double_click_one(client, house, firm, form):
    page = client.get(f"/avis/{form}").text
    for rating, text in ((1, "Horrible."), (1, "Horrible."), (5, "Parfait !")):
        fill(client, form, page=page, rating=rating, text=text)
    assert sorted(mention["rating"] for mention in heard(house, firm)) == [1.0, 5.0]


def test_the_next_customer_does_not_see_what_the_last_one_typed(client, form):
    thanks = fill(client, form, rating=1, text="Secret de Marie").text
    assert 'href="?"' in thanks, "a button for another answer"
    page = client.get(f"/avis/{form}").text
    assert "Secret de Marie" not in page
    assert 'autocomplete="off"' in page


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Choisissez un nombre"),
        ({"text": "   "}, "Choisissez un nombre"),
        ({"rating": "9"}, "Choisissez un nombre"),
        ({"text": "x" * 5_001}, "5 000"),
        ({"rating": "2", "email": "marie@exemple", "consent": "yes"}, "incomplète"),
        ({"rating": "2", "text": "Long trajet", "email": "marie@exemple.fr"}, "cochez la case"),
    ],
)
def test_what_cannot_be_kept_is_said_and_stays_typed(client, house, firm, form, fields, message):
    answer = fill(client, form, wish=fields.pop("wish", ""), **fields)
    assert answer.status_code == 422
    assert message in answer.text
    for value in (fields.get("email"), fields.get("text", "").strip()[:5_000]):
        assert not value or value in answer.text
    assert heard(house, firm) == []


def test_an_address_without_the_tick_is_asked_about_once(client, house, firm, form):
    asked = fill(client, form, rating=2, email="marie@exemple.fr")
    assert 'name="asked" value="yes"' in asked.text
    assert fill(client, form, rating=2, email="marie@exemple.fr", asked="yes").status_code == 200
    (mention,) = heard(house, firm)
    assert mention["contact"] is None


def test_what_was_typed_survives_the_limit(client, form, monkeypatch):
    monkeypatch.setattr(feedback.AnswerLimit, "allows", lambda self, key: False)
    answer = fill(client, form, rating=1, text="Deux heures d'attente", wish="Des chaises")
    assert answer.status_code == 429
    assert "Deux heures d&#39;attente" in answer.text
    assert "Des chaises" in answer.text
    assert "checked" in answer.text


def test_a_shop_may_send_sixty_answers_and_closes_nobody_elses_form():
    limit = feedback.AnswerLimit(feedback.MAX_ANSWERS_OF_ADDRESS)
    assert [limit.allows("so_1 1.2.3.4") for _ in range(61)] == [True] * 60 + [False]
    assert limit.allows("so_2 1.2.3.4")
    assert limit.allows("so_1 5.6.7.8")


def test_many_addresses_do_not_fill_the_memory():
    limit = feedback.AnswerLimit(3)
    for number in range(3 * feedback.MAX_COUNTED_KEYS):
        limit.allows(str(number))
    assert len(limit._times) <= feedback.MAX_COUNTED_KEYS


def test_the_form_speaks_the_visitors_language(client, form):
    def title(**options):
        page = client.get(f"/avis/{form}", **options).text
        return "en" if 'lang="en"' in page.partition("<head>")[0] else "fr"

    assert title() == "fr"
    assert title(headers={"Accept-Language": "en-GB,en;q=0.9"}) == "en"
    assert title(headers={"Accept-Language": "de-DE,de;q=0.9,fr;q=0.5,en;q=0.3"}) == "fr"
    assert title(headers={"Accept-Language": "en"}, params={"lang": "fr"}) == "fr"


def test_a_form_that_does_not_exist_shows_no_way_into_vigie(client):
    for answer in (client.get("/avis/so_absent"), client.post("/avis/so_absent", data={"rating": "1"})):
        assert answer.status_code == 404
        assert "/sign-in" not in answer.text
        assert 'href="/"' not in answer.text


def test_an_anonymous_complaint_asks_for_no_reply_and_one_with_an_address_does(signed_in, house, firm, form):
    fill(signed_in, form, rating=1, text="Accueil horrible, à fuir.")
    heard(house, firm)
    page = f"/companies/{firm['id']}"
    assert "/reviews/" not in signed_in.get(page).text.partition("<footer")[0].partition('id="actions"')[2][:400]
    fill(signed_in, form, rating=1, text="Serveur très désagréable.", email="marie@exemple.fr", consent="yes")
    (mention,) = [mention for mention in heard(house, firm) if mention["contact"]]
    assert mention["id"] in signed_in.get(page).text


def test_no_card_for_an_address_that_only_this_computer_opens(signed_in, firm, form):
    card = signed_in.get(f"/companies/{firm['id']}/sources/{form}/card")
    assert "VIGIE_BASE_URL" in card.text
    assert "qr.svg" not in card.text
    assert signed_in.get(f"/companies/{firm['id']}/sources/{form}/qr.svg").status_code == 404


def test_the_card_and_its_code(house, firm, form):
    house.settings = house.settings.model_copy(update={"base_url": "https://avis.exemple.fr"})
    with TestClient(work.make_app(house), base_url="https://avis.exemple.fr", follow_redirects=False) as signed_in:
        signed_in.post("/open", data={"link": one_time_link(house).rpartition("link=")[2]})
        card = signed_in.get(f"/companies/{firm['id']}/sources/{form}/card")
        assert f"https://avis.exemple.fr/avis/{form}" in card.text
        svg = signed_in.get(f"/companies/{firm['id']}/sources/{form}/qr.svg")
        assert (svg.headers["content-type"], svg.content[:4]) == ("image/svg+xml", b"<svg")
        png = signed_in.get(f"/companies/{firm['id']}/sources/{form}/qr.png")
        assert png.content.startswith(b"\x89PNG")
        assert signed_in.get(f"/companies/co_other/sources/{form}/card").status_code == 404


def test_a_note_of_the_staff_is_no_review(signed_in, client, house, firm):
    page = f"/companies/{firm['id']}/counter"
    assert (
        signed_in.post(page, data={"said": "Un client dit que le dimanche il attend trop", "by": "Léa"}).status_code
        == 303
    )
    assert heard(house, firm) == []
    (note,) = heard(house, firm, apart="note")
    assert note["rating"] is None


def test_the_counter_asks_who_you_are(client, firm):
    assert client.get(f"/companies/{firm['id']}/counter").status_code == 401
    assert client.post(f"/companies/{firm['id']}/counter", data={"said": "x"}).status_code == 401
