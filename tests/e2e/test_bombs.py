"""What is small on the wire and enormous when opened: an error of its source, within bounds, while others go on."""

import gzip
import json
import os
import subprocess
import sys
import time

from sqlalchemy import select

from ingest import sources_store
from tests.web import Answer
from vigie import db
from vigie.db.tables import source

MEGA = 1_000_000
# Runs the command, then says the most memory that its process held, in kB. (What getrusage says is its parent's.)
MEASURED = """
import re
from vigie.cli import main
try:
    main()
finally:
    print(re.search("VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1])
"""


def feed(title):
    return (
        b'<rss version="2.0"><channel><title>T</title><item><guid>1</guid><title>'
        + title
        + b"</title></item></channel></rss>"
    )


def page(data):
    return b'<html><script type="application/ld+json">' + data + b"</script></html>"


def gzipped(body):
    return Answer(gzip.compress(body), headers={"Content-Encoding": "gzip", "Content-Type": "text/xml"})


def laughs():
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY l0 "ha">{entities}]><rss><channel><item><title>&l9;</title></item></channel></rss>'.encode()


BOMBS = {
    "feed": {
        "/title": lambda: gzipped(feed(b"a" * 256 * MEGA)),
        "/laughs": lambda: Answer(laughs()),
        "/deep": lambda: Answer(b"<rss>" + b"<a>" * 200_000),
        "/json": lambda: Answer(b'{"version":' + b"[" * 2 * MEGA, headers={"Content-Type": "application/feed+json"}),
    },
    "page": {
        "/nested": lambda: Answer(page(b'{"a":' * 50_000 + b"1" + b"}" * 50_000)),
        "/digits": lambda: Answer(page(json.dumps({"@type": "Review", "reviewBody": "x"}).encode()[:-1]
                                       + b',"reviewRating":{"ratingValue":' + b"9" * 20_000 + b"}}")),
        "/tags": lambda: Answer(b"<div>" * MEGA),
    },
}  # fmt: skip


def test_bombs_are_the_failures_of_their_sources_only(house, firm, site):
    site.pages |= {path: make() for bombs in BOMBS.values() for path, make in bombs.items()}
    site.pages["/good"] = Answer(feed(b"Un bon article"), headers={"Content-Type": "application/rss+xml"})
    with db.writing(house.engine) as connection:
        for kind, bombs in {**BOMBS, "feed ": {"/good": None}}.items():
            for path in bombs:
                sources_store.add(connection, firm["id"], kind.strip(), site.url + path)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    given = {"VIGIE_DATA_DIR": str(house.settings.data_dir), "VIGIE_ALLOW_HOSTS": site.host}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "ingest", "--once", "--all"],
        env={**clean, **given}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    taken = time.monotonic() - started
    with db.reading(house.engine) as connection:
        rows = connection.execute(select(source)).mappings().all()
    errors = {row["target"].removeprefix(site.url): row["error"] for row in rows}
    most = int(done.stdout.split()[-1])
    print(errors, most, taken)
    assert errors.pop("/good") is None
    assert all(row["polled_at"] for row in rows if row["target"].endswith("/good"))
    assert errors["/title"] == "its answer is larger than 10 MB"
    assert most < 512_000, "kB"
    assert taken < 30
