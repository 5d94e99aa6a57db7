"""Each place in a real browser: without violations, by keyboard, on a telephone; and what people do there."""

import os
import re
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from itertools import cycle, product
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from starlette.testclient import TestClient

from analysis import markers, queries
from analysis.report import Week
from dashboards import subscription, weekly
from ingest import sources_store
from ingest.found import Found
from tests.conftest import start
from tests.dashboards.test_pages_and_mail import LAST_WEEK, XSS, a_week, enter, hear, mail_of
from tests.pipeline import is_exact
from tests.servers import chromium, free_port, wait_until
from vigie import access, audit, clock, companies, db, people
from vigie.cli import work
from vigie.cli.roles import one_time_link

PLACES = ("", "/reviews", "/reviews?sentiment=negative&theme=waiting&from=2024-01-01", "/reviews/{mention}",
          "/subjects", "/alerts", "/settings", "/counter", "/guides", "/guides/answer_negative", "/start", "/year")  # fmt: skip
# Each pair of width, scheme and language; with VIGIE_WHOLE=1 (`make test-a11y`) every place in all eight of them.
SETTINGS = [(320, "light", "fr"), (320, "dark", "en"), (1280, "dark", "fr"), (1280, "light", "en")]
WHOLE = bool(os.environ.get("VIGIE_WHOLE"))
EVERY = list(product((320, 1280), ("light", "dark"), ("fr", "en")))
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip


@contextmanager
def served(house):
    """The pages on a real port."""
    port, stop = free_port(), threading.Event()
    server = threading.Thread(target=work.serve, args=(house, stop, "127.0.0.1", port))
    server.start()
    try:
        wait_until(lambda: _opens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        server.join(15)


@contextmanager
def browsing(house, at="/companies/"):
    """A browser that has opened the pages by the printed link, and what troubled it."""
    path = start(chromium)
    with served(house) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        context = browser.new_context(locale="fr-FR")
        page, troubles = context.new_page(), []
        page.on("console", lambda message: troubles.append(message.text))
        page.on("dialog", lambda dialog: troubles.append("dialog"))
        page.on("request", lambda request: request.url.startswith(address) or troubles.append(request.url))
        page.goto(f"{address}/open?" + one_time_link(house).partition("?")[2])
        page.locator("main button").click()
        page.wait_for_url(re.compile(at))
        yield page, address, troubles
        browser.close()


def look_at(page, addresses):
    """Each address in some settings (all, where the whole is asked for): it fits the screen, and axe finds nothing."""
    settings = cycle(EVERY if WHOLE else SETTINGS)
    for address in addresses:
        for _ in range(len(EVERY) if WHOLE else 2):
            width, scheme, language = next(settings)
            page.set_viewport_size({"width": width, "height": 740})
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{address}{'&' if '?' in address else '?'}lang={language}")
            where = f"{address} {width} {scheme} {language}"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{where}: runs off the screen"
            assert violations(page) == [], where
        if not WHOLE:
            next(settings)


def violations(page):
    """What axe finds against the rules of accessibility, as (rule, elements)."""
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "RGAAv4", "best-practice"]}
    found = Axe().run(page, options=rules).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def _opens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def client(house):
    return TestClient(work.make_app(house), base_url="http://127.0.0.1", follow_redirects=False)


def mentions_of(house, firm):
    with db.reading(house.engine) as connection:
        return queries.mentions(connection, firm["id"], queries.Filter())


def signed_in(house, client, email):
    """The client, in the session of that person."""
    with db.writing(house.engine) as connection:
        begun = people.begin(connection, email, house.settings.secret(), "browser")
    assert client.post("/open", data={"link": begun[1]}).status_code == 303


def person(house, firm, email, role):
    with db.writing(house.engine) as connection:
        person_id = people.add(connection, email)
        people.grant(connection, person_id, firm["id"], role, by="test")
    return person_id


@pytest.mark.server
@pytest.mark.parametrize("is_full", [True, False], ids=["full", "empty"])
def test_every_place_in_a_browser(house, firm, is_full):
    """Every place in every language, width and scheme at least once (pairwise), and without a violation of WCAG."""
    mention = "none"
    if is_full:
        a_week(house, firm)
        mention = mentions_of(house, firm)[0]["id"]
    with browsing(house) as (page, address, troubles):
        paths = [place.format(mention=mention) for place in PLACES if is_full or "{mention}" not in place]
        look_at(page, [f"{address}/companies/{firm['id']}{path}" for path in paths])
        assert troubles == []


@pytest.mark.server
def test_every_page_for_strangers_in_a_browser(house, firm):
    """The doors, the form for customers, the links of the mails, and an adviser's list."""
    links = [urlsplit(subscription.link(house.settings, firm["id"], "x@example.fr", one)).path
             for one in (subscription.LEAVE, subscription.MONTHLY)]  # fmt: skip
    with db.writing(house.engine) as connection:
        companies.add(connection, "Atelier Zola")
        form = "/avis/" + sources_store.add(connection, firm["id"], "form", "Caisse")
    with browsing(house, r"/$") as (page, address, troubles):
        look_at(page, [f"{address}{path}" for path in (form, "/open", "/open?link=x", *links, "/round/old", "/")])
        assert [one for one in troubles if "404" not in one] == []


@pytest.mark.server
def test_the_inbox_by_shortcuts(house, firm):
    a_week(house, firm)
    with browsing(house) as (page, address, troubles):
        page.goto(f"{address}/companies/{firm['id']}/reviews")
        focused = "document.activeElement.closest('li')?.querySelector('blockquote')?.textContent ?? ''"
        rows = page.locator("#list ~ ul > li blockquote").all_text_contents()
        for key, row in (("j", 0), ("j", 1), ("k", 0), ("k", 0)):
            page.keyboard.press(key)
            assert page.evaluate(focused) == rows[row]
        for key, shown in (("o", "#opened"), ("e", "#opened button[value=new]")):
            page.keyboard.press(key)
            page.wait_for_selector(shown)
            page.wait_for_load_state()  # shortcuts are heard once the page's script has run
        page.keyboard.press("/")
        page.keyboard.type("jeko")
        assert page.get_by_role("searchbox").input_value() == "jeko", "who writes words writes words"
        assert troubles == []
    assert sum(one["status"] == "done" for one in mentions_of(house, firm)) == 1


@pytest.mark.server
def test_a_table_with_unknown_columns_by_hand(house, firm, tmp_path):
    table = tmp_path / "caisse.csv"
    table.write_text("Quand;Ressenti;Combien\n23/11/2026;Pain excellent;4\n24/11/2026;Trop d’attente;2\n")
    with browsing(house) as (page, address, troubles):
        for width, scheme in ((320, "dark"), (1280, "light")):
            page.set_viewport_size({"width": width, "height": 740})
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{address}/companies/{firm['id']}/start")
            page.set_input_files("#drop", table)
            page.locator("form[action$=files] button").click()
            page.get_by_label("Ce que le client a écrit").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page) == []
        page.get_by_label("Ce que le client a écrit").select_option("Ressenti")
        page.get_by_label("La note").select_option("Combien")
        page.set_input_files("input[name=file]", table)
        page.locator("form[action$=columns] button").click()
        page.get_by_text("2 avis lus").wait_for()
        assert troubles == []


@pytest.mark.server
def test_on_a_telephone_what_matters_is_on_the_first_screen(house, firm):
    a_week(house, firm)
    with browsing(house) as (page, address, _):
        page.set_viewport_size({"width": 360, "height": 740})
        page.goto(f"{address}/companies/{firm['id']}")
        for what in ("h1", ".big", "ol.todo h3 >> nth=0"):
            box = page.locator(what).bounding_box()
            assert box["y"] + box["height"] <= 740, what
        heights = page.eval_on_selector_all(
            "figure svg text",
            "all => all.filter(e => e.getClientRects().length).map(e => e.getBoundingClientRect().height)",
        )
        assert heights
        assert min(heights) >= 14


@pytest.mark.server
def test_the_inbox_by_hand_and_by_keyboard(house, firm):
    a_week(house, firm)
    with browsing(house) as (page, address, troubles):
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(f"{address}/companies/{firm['id']}/reviews")
        page.get_by_role("searchbox").fill("samedi")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("q=samedi"))
        assert page.locator("ul.plain > li").count() == 1
        page.get_by_role("link", name=re.compile("Ouvrir la mention")).focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#opened")
        assert page.locator("#answer").input_value().startswith("Bonjour,")
        page.get_by_role("button", name="Réglé").press("Enter")
        page.wait_for_url(re.compile("q=samedi"))
        page.get_by_text("Vigie l’a mal lu").click()
        page.get_by_role("button", name="En vérité : content", exact=False).first.click()
        page.wait_for_selector("#opened")
        assert troubles == []
    (one,) = [row for row in mentions_of(house, firm) if "samedi" in row["text"]]
    assert (one["status"], one["label"]) == ("done", "positive")
    assert is_exact(house)


def test_filters_are_an_address_and_can_be_kept(client, house, firm):
    a_week(house, firm)
    enter(client, house)
    base = f"/companies/{firm['id']}/reviews"
    assert "brioche" in client.get(f"{base}?sentiment=positive").text
    assert "brioche" not in client.get(f"{base}?sentiment=negative").text
    assert "brioche" in client.get(f"{base}?sentiment=nonsense&rating=x&from=x&after=x&theme=%00").text
    assert client.post(f"{base}?sentiment=negative", data={"name": "Les mécontents"}).status_code == 303
    kept = client.get(base).text
    assert f'{base}?sentiment=negative">Les mécontents' in kept
    saved = re.search(r"saved/(\w+)/remove", kept).group(1)
    client.post(f"{base}/saved/{saved}/remove")
    assert "Les mécontents" not in client.get(base).text


def test_pages_of_the_inbox_hold_each_mention_once(client, house, firm):
    moment = datetime.now(UTC) - timedelta(days=3)
    hear(house, firm, *(Found(text=f"Avis numéro {n}x.", rating=4, published_at=moment) for n in range(60)))
    enter(client, house)
    seen, path = [], f"/companies/{firm['id']}/reviews"
    while path:
        page = client.get(path).text
        seen += re.findall(r"Avis numéro (\d+)x", page)
        following = re.search(r'class="next" href="([^"]+)"', page)
        path = following.group(1).replace("&amp;", "&") if following else None
    assert sorted(map(int, seen)) == list(range(60))


def test_a_mention_is_given_to_somebody_and_handled(client, house, firm):
    a_week(house, firm)
    enter(client, house)
    one = mentions_of(house, firm)[0]["id"]
    base = f"/companies/{firm['id']}/reviews"
    assert client.post(f"{base}/{one}/handle", data={"aspect": "assigned", "value": "Karim"}).status_code == 303
    assert client.post(f"{base}/{one}/handle", data={"aspect": "status", "value": "acknowledged"}).status_code == 303
    assert "confié à Karim" in client.get(f"{base}?who=Karim").text
    assert "confié à Karim" not in client.get(f"{base}?who=Paul").text
    client.post(f"{base}/{one}/handle", data={"aspect": "assigned", "value": ""})
    assert "confié à" not in client.get(base).text


def test_who_may_do_what(client, house, firm):
    """The team reads and handles; an adviser also corrects; only an owner says who belongs. Nobody sees another's."""
    a_week(house, firm)
    one = mentions_of(house, firm)[0]["id"]
    with db.writing(house.engine) as connection:
        other = companies.add(connection, "Garage Martin")
    base = f"/companies/{firm['id']}"
    person(house, firm, "equipe@example.fr", "team")
    person(house, firm, "conseil@example.fr", "adviser")
    person(house, firm, "marie@example.fr", "owner")
    seen = {"aspect": "status", "value": "done"}
    label = {"aspect": "label", "value": "positive"}
    invited = {"email": "paul@example.fr", "role": "team"}
    expected = {"equipe@example.fr": (303, 404, 404), "conseil@example.fr": (303, 303, 404),
                "marie@example.fr": (303, 303, 303)}  # fmt: skip
    for email, (handled, corrected, managed) in expected.items():
        signed_in(house, client, email)
        assert client.get(base).status_code == 200
        assert client.post(f"{base}/reviews/{one}/handle", data=seen).status_code == handled, email
        assert client.post(f"{base}/reviews/{one}/correct", data=label).status_code == corrected, email
        assert client.post(f"{base}/settings/people", data=invited).status_code == managed, email
        for place in PLACES:
            path = place.format(mention=one)
            assert client.get(f"/companies/{other}{path}").status_code == 404, path
        assert client.post("/companies", data={"name": "X"}).status_code == 404
    assert client.post(f"/companies/{other}/reviews/{one}/handle", data=seen).status_code == 404


def test_signing_in_by_mail(client, house, firm, monkeypatch):
    person(house, firm, "marie@example.fr", "owner")
    known = client.post("/sign-in", data={"email": "Marie@Example.fr"})
    unknown = client.post("/sign-in", data={"email": "nobody@example.fr"})
    assert known.text.replace("Marie@Example.fr", "x") == unknown.text.replace("nobody@example.fr", "x")
    work.deliver(house, threading.Event(), once=True)
    (mail,) = house.settings.outbox_dir.glob("*.eml")
    wire = message_from_bytes(mail.read_bytes(), policy=policy.default)
    assert not re.search(r"\d", wire["Subject"]), "a locked telephone shows subjects"
    text = wire.get_body().get_content()
    code = re.search(r"\d{3} \d{3}", text).group()
    assert client.get("/").status_code == 401
    wrong = "000000" if code != "000 000" else "111111"
    for _ in range(2):
        assert client.post("/sign-in/code", data={"email": "marie@example.fr", "code": wrong}).status_code == 403
    assert client.post("/sign-in/code", data={"email": "marie@example.fr", "code": code}).status_code == 303
    assert client.get(f"/companies/{firm['id']}").status_code == 200
    assert client.post("/sign-in/code", data={"email": "marie@example.fr", "code": code}).status_code == 403


def test_guessing_the_six_digits_ends_them(house, firm, monkeypatch):
    person(house, firm, "marie@example.fr", "owner")
    secret = house.settings.secret()
    with db.writing(house.engine) as connection:
        _, _, code = people.begin(connection, "marie@example.fr", secret, "browser")
        assert people.begin(connection, "marie@example.fr", secret, "browser") is None, (
            "within a minute, no second mail"
        )
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(10):
        with db.writing(house.engine) as connection:
            assert people.enter(connection, "marie@example.fr", wrong, secret, "browser") is None
    with db.writing(house.engine) as connection:
        assert people.enter(connection, "marie@example.fr", code, secret, "browser") is None
    later = clock.now() + timedelta(minutes=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    with db.writing(house.engine) as connection:
        _, link, fresh = people.begin(connection, "marie@example.fr", secret, "browser")
        assert people.enter(connection, "marie@example.fr", fresh, secret, "browser") is None, (
            "a new code gives no new tries"
        )
        assert access.open_session(connection, link), "the link still opens"


def test_six_digits_grow_old(house, firm, monkeypatch):
    person(house, firm, "marie@example.fr", "owner")
    secret = house.settings.secret()
    with db.writing(house.engine) as connection:
        _, _, code = people.begin(connection, "marie@example.fr", secret, "browser")
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: later)
    with db.writing(house.engine) as connection:
        assert people.enter(connection, "marie@example.fr", code, secret, "browser") is None


def test_whoever_is_dismissed_is_out_at_the_next_click(client, house, firm):
    person_id = person(house, firm, "conseil@example.fr", "adviser")
    signed_in(house, client, "conseil@example.fr")
    assert client.get(f"/companies/{firm['id']}").status_code == 200
    with db.writing(house.engine) as connection:
        people.revoke(connection, person_id, firm["id"])
    assert client.get(f"/companies/{firm['id']}").status_code == 404
    with db.writing(house.engine) as connection:
        people.remove(connection, person_id)
    assert client.get("/").status_code == 401


def test_signing_out_everywhere(client, house, firm):
    person(house, firm, "marie@example.fr", "owner")
    signed_in(house, client, "marie@example.fr")
    cookie = client.cookies["vigie_session"]
    assert client.post("/sign-out", data={"everywhere": "true"}).status_code == 303
    client.cookies.set("vigie_session", cookie)
    assert client.get("/").status_code == 401


def test_an_adviser_sees_first_who_needs_help(client, house, firm):
    a_week(house, firm)
    with db.writing(house.engine) as connection:
        quiet = companies.add(connection, "Atelier Zola")
        adviser = people.add(connection, "conseil@example.fr")
        for company_id in (quiet, firm["id"]):
            people.grant(connection, adviser, company_id, "adviser", by="Marie, 3 novembre")
    signed_in(house, client, "conseil@example.fr")
    page = client.get("/").text
    assert page.index(firm["name"]) < page.index("Atelier Zola")
    assert re.search(r"\d clients mécontents des trente derniers jours attendent", page)
    assert "Vigie n’écoute encore nulle part" in page


def test_what_was_done_becomes_a_marker_and_its_verdict(client, house, firm):
    """Seven complaints of 29 before, two of 31 since would not be enough; twenty of 29 against two of 31 is."""
    today = clock.now().date()
    day = today - timedelta(days=60)
    at = lambda days: datetime.combine(day + timedelta(days=days), datetime.min.time(), UTC) + timedelta(hours=12)  # noqa: E731
    before = [Found(text="Attente interminable, horrible.", rating=1, published_at=at(-1 - n % 50)) for n in range(20)]
    before += [Found(text="Très bien.", rating=5, published_at=at(-1 - n % 50)) for n in range(9)]
    since = [Found(text="Attente horrible.", rating=1, published_at=at(1 + n)) for n in range(2)]
    since += [Found(text="Très bien.", rating=5, published_at=at(1 + n)) for n in range(29)]
    hear(house, firm, *before, *since)
    enter(client, house)
    marked = {"label": "Un apprenti de plus le samedi", "day": day.isoformat(), "theme": ""}
    assert client.post(f"/companies/{firm['id']}/subjects/markers", data=marked).status_code == 303
    with db.reading(house.engine) as connection:
        (one,) = markers.told(connection, firm["id"], today)
    assert one["since"]["verdict"] == "better"
    assert (one["since"]["negative_before"], one["since"]["of_before"]) == (20, 29)
    page = client.get(f"/companies/{firm['id']}/subjects").text
    assert "20 plaintes sur 29 avant, 2 sur 31 depuis." in page
    assert "On se plaint moins." in page
    assert (
        client.post(f"/companies/{firm['id']}/subjects/markers", data={**marked, "day": "2999-01-01"}).status_code
        == 422
    )
    assert client.post(f"/companies/{firm['id']}/subjects/markers/{one['id']}/remove").status_code == 303
    assert "Un apprenti" not in client.get(f"/companies/{firm['id']}/subjects").text


@pytest.mark.parametrize("by", ["day", "week", "month", "quarter"])
def test_trends_by_period_count_what_the_inbox_shows(client, house, firm, by):
    a_week(house, firm)
    enter(client, house)
    page = client.get(f"/companies/{firm['id']}/subjects?by={by}&theme=waiting").text
    assert re.search(r"2 mentions\u202f; plaintes\u00a0: 2\.", page)


def test_a_firm_from_its_name_to_its_page(client, house, firm):
    """Three screens: the name, where to listen, this week. Reviews that one has are dropped in."""
    enter(client, house)
    made = client.post("/companies", data={"name": "Fleurs Dubois", "city": "Tulle"})
    assert made.status_code == 303
    begin = made.headers["location"]
    page = client.get(begin).text
    assert "Votre propre page d’avis" in page
    assert client.post(f"{begin}/sources", data={"wanted": ["form Comptoir"]}).status_code == 303
    csv = b"date;note;texte;auteur\n2026-11-01;5;Bouquet superbe.;Nadia\npas une date;;;\n"
    answer = client.post(f"{begin}/files", files=[("files", ("avis.csv", csv)), ("files", ("photo.png", b"\x89PNG"))])
    assert "1 avis lu" in answer.text
    assert "photo.png" in answer.text
    assert client.post(f"{begin}/mail", data={"email": "nadia@example.fr"}).status_code == 200
    work.deliver(house, threading.Event(), once=True)
    assert any("nadia@example.fr" in mail.read_text() for mail in house.settings.outbox_dir.glob("*.eml"))
    assert client.post(f"{begin}/mail", data={"email": "no address"}).status_code == 422


def test_a_guide_remembers_what_is_done(client, house, firm):
    enter(client, house)
    page = f"/companies/{firm['id']}/guides/answer_negative"
    assert client.post(page, data={"step": 0, "done": "true"}).status_code == 303
    assert "<s>" in client.get(page).text
    assert "Étapes faites : 1 sur 5" in client.get(f"/companies/{firm['id']}/guides").text
    client.post(page, data={"step": 0, "done": "false"})
    assert "<s>" not in client.get(page).text
    assert client.post(page, data={"step": 99, "done": "true"}).status_code == 404
    assert client.get(f"/companies/{firm['id']}/guides/none").status_code == 404


def test_contesting_keeps_a_dated_copy(client, house, firm):
    a_week(house, firm)
    enter(client, house)
    one = next(row for row in mentions_of(house, firm) if row["author"] == "Paul")
    base = f"/companies/{firm['id']}/reviews/{one['id']}"
    assert client.post(f"{base}/dispute", data={"reason": "nonsense"}).status_code == 422
    assert client.post(f"{base}/dispute", data={"reason": "never_a_customer"}).status_code == 303
    page = client.get(base).text
    assert "Jamais client" in page
    assert re.search(r"<code>[0-9a-f]{64}</code>", page)
    assert "Ceci n’est pas un conseil juridique" in page


def test_hostile_words_stay_words_in_every_place(client, house, firm):
    a_week(house, firm)
    enter(client, house)
    client.post(f"/companies/{firm['id']}/subjects/markers", data={"label": XSS[:100], "day": "2026-01-01"})
    client.post(f"/companies/{firm['id']}/reviews?q=x", data={"name": XSS[:100]})
    person(house, firm, "x@example.fr", "team")
    for place in PLACES:
        for one in mentions_of(house, firm):
            page = client.get(f"/companies/{firm['id']}{place.format(mention=one['id'])}").text
            assert "<script" not in page.replace('<script src="/static/keys.js" defer></script>', "")
            assert "<img src=x" not in page
            if "{mention}" not in place:
                break


def test_what_is_taken_away_is_all_there_is(client, house, firm):
    a_week(house, firm)
    enter(client, house)
    base = f"/companies/{firm['id']}/settings/export"
    assert len(client.get(f"{base}/mentions.jsonl").text.splitlines()) == 5
    table = client.get(f"{base}/mentions.csv")
    assert table.text.startswith("\ufeffid;")
    assert "attachment" in table.headers["content-disposition"]
    assert client.get(f"{base}/secrets.csv").status_code == 422


def test_what_came_of_it_is_told_once_in_the_mail(house, firm):
    """Four weeks after the day, the Monday mail has the verdict; a week later it does not say it again."""
    day = LAST_WEEK.last - timedelta(weeks=4)
    at = lambda days: datetime.combine(day + timedelta(days=days), datetime.min.time(), UTC) + timedelta(hours=12)  # noqa: E731
    before = [Found(text="Attente horrible.", rating=1, published_at=at(-1 - n % 27)) for n in range(20)]
    since = [Found(text="Très bien.", rating=5, published_at=at(n)) for n in range(27)]
    hear(house, firm, *before, *since)
    with db.writing(house.engine) as connection:
        markers.add(connection, firm["id"], "Deux caisses & un sourire", day, "", "Marie")
    facts, mail = mail_of(house, firm)
    assert [one["label"] for one in facts["done"]] == ["Deux caisses & un sourire"]
    assert re.search(r"Deux caisses & un sourire.*20 plaintes sur 20 avant, 0 sur 27 depuis", mail.text, re.DOTALL)
    assert "Deux caisses &amp; un sourire" in mail.html
    with db.reading(house.engine) as connection:
        assert weekly.gather(connection, firm, Week(LAST_WEEK.first + timedelta(days=7)))["done"] == []


def test_who_changed_what_is_kept(client, house, firm):
    a_week(house, firm)
    person(house, firm, "marie@example.fr", "owner")
    signed_in(house, client, "marie@example.fr")
    one = mentions_of(house, firm)[0]["id"]
    client.get(f"/companies/{firm['id']}/reviews/{one}")
    client.post(f"/companies/{firm['id']}/reviews/{one}/handle", data={"aspect": "status", "value": "done"})
    client.post(f"/companies/{firm['id']}/reviews/none/handle", data={"aspect": "status", "value": "done"})
    with db.writing(house.engine) as connection:
        key = access.create_key(connection, "our CRM")
    bearer = {"Authorization": f"Bearer {key}"}
    client.patch(f"/api/v1/companies/{firm['id']}", json={"city": "Brive"}, headers=bearer)
    client.post(f"/api/v1/companies/{firm['id']}/mentions", json={"mentions": [{"text": "Bien."}]}, headers=bearer)
    with db.reading(house.engine) as connection:
        kept = [(row["by"], row["action"]) for row in audit.of_company(connection, firm["id"])]
    assert sorted(kept) == [("marie@example.fr", "handle"), ("our CRM", "change_company")]
    assert "marie@example.fr</td><td>handle" in client.get(f"/companies/{firm['id']}/settings").text


def test_words_are_looked_for_in_title_text_and_author_alike(client, house, firm):
    a_week(house, firm)
    enter(client, house)
    base = f"/companies/{firm['id']}/reviews"
    assert "meilleure brioche" in client.get(f"{base}?q=nadia+BRIOCHE").text
    assert "meilleure brioche" not in client.get(f"{base}?q=brioche+absent").text
    assert "Attente horrible samedi" in client.get(f"{base}?q=samedi").text
    assert client.get(f"{base}?q=100%25_%5C").status_code == 200
