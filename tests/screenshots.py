"""The README's pictures, from the sample firm: `make screenshots`."""

import os
import re
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.dashboards.test_places import ARGUMENTS, served
from tests.servers import chromium
from vigie import companies, db
from vigie.cli.house import opened
from vigie.cli.roles import one_time_link

OUT = Path(__file__).parent.parent / "docs" / "pictures"
SHOTS = (
    ("this-week", "", 1280, "light"),
    ("this-week-telephone", "", 360, "dark"),
    ("reviews", "/reviews", 1280, "light"),
    ("subjects", "/subjects", 1280, "light"),
)


def main(folder: str) -> None:
    """One picture of each place; the inbox with one mention opened."""
    OUT.mkdir(parents=True, exist_ok=True)
    os.environ["VIGIE_DATA_DIR"] = folder
    with opened() as house, served(house) as address, sync_playwright() as playwright:
        with db.reading(house.engine) as connection:
            firm = companies.every(connection)[0]["id"]
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page()
        page.goto(f"{address}/open?" + one_time_link(house).partition("?")[2])
        page.locator("main button").click()
        page.wait_for_url(re.compile("/companies/"))
        for name, place, width, scheme in SHOTS:
            page.set_viewport_size({"width": width, "height": 740 if width < 500 else 900})
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{address}/companies/{firm}{place}?lang=fr")
            if name == "reviews":
                page.get_by_role("link", name=re.compile("^(Ouvrir|Open) ")).first.click()
                page.wait_for_selector("#opened")
            page.screenshot(path=OUT / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
