"""Small inputs that once took a gigabyte, and large honest ones: memory of the parser child is measured."""

import io
import re
import resource
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from ingest import files, parsing
from ingest.files.bounds import MAX_ROWS
from ingest.files.columns import UnknownColumnsError
from ingest.files.table import How
from ingest.http import Answer
from ingest.markup import tree_of
from ingest.page_data import read_page
from ingest.parsing.pool import ParserPool
from ingest.sources import feed
from vigie.errors import InvalidInputError, SourceError

UTC_TABLE = How("UTC")
MAX_CHILD_KB = 250_000


@pytest.fixture
def pool(monkeypatch):
    pool = ParserPool()
    monkeypatch.setattr(parsing, "shared_pool", lambda: pool)
    yield pool
    pool.close()


def peak_kb(pool):
    """Return the most memory that the child held; 0 where it is gone."""
    pids = pool.pids()
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pids[0]}/status").read_text())[1]) if pids else 0


def nested_page(size):
    review = '<div itemscope itemtype="https://schema.org/Review"><span itemprop="reviewBody">Bien</span></div>'
    nested = "<span itemprop=description>" * 1_900 + "x " * (size // 2) + "</span>" * 1_900
    return f"{review}<div itemscope itemtype='https://schema.org/Thing'>{nested}</div>".encode()


def test_nested_properties_do_not_hold_their_text_again_and_again(pool):
    parsing.read_page(b"", "http://x/", {}, is_own=False)
    before_kb = peak_kb(pool)
    content = parsing.read_page(nested_page(500_000), "http://x/", {}, is_own=True)
    assert [review.text for review in content.reviews] == ["Bien"]
    assert peak_kb(pool) - before_kb < 80_000  # it took 900 MB


@pytest.mark.parametrize(
    "attributes",
    [" ".join(f"a{n}" for n in range(55_000)), "".join(f'a{n}="1"' for n in range(55_000)),
     'x=">" ' + " ".join(f"=a{n}" for n in range(55_000)), "/" + "/".join(f"a{n}" for n in range(55_000)),
     'x="<b" ' + " ".join(f'c{n}="<b"' for n in range(55_000))],
    ids=["names", "values", "equals", "slashes", "quoted"],
)  # fmt: skip
def test_a_tag_of_thousands_of_attributes_is_not_parsed(attributes):
    started = time.process_time()
    assert tree_of(f"<p>Bien</p><a {attributes}>", most_tags=1_000) is None
    assert time.process_time() - started < 1.0  # it took 5 s, and 50 minutes in a page of ten megabytes


def test_markup_in_attributes_and_scripts_is_still_a_page():
    script = "for(var i=0;i<n;i++){ a = b; " + "c = d; " * 200 + "}"
    assert tree_of(f"<a title='x > y' href=/b>c</a><script>{script}</script>", most_tags=100) is not None


def test_a_broken_item_of_a_page_stops_no_other():
    hostile = [b'{"@type":"Review","reviewBody":"x","url":"http://[","datePublished":"%s"}' % date for date in
               (b"9" * 5_000, b"0000-00-00", b"\\ud800", b"2026-13-45T99:99:99+99:99")]  # fmt: skip
    good = b'{"@type":"Review","reviewBody":"Bien","reviewRating":{"ratingValue":"4"}}'
    body = b'<script type="application/ld+json">[%s]</script>' % b",".join([*hostile, good])
    content = read_page(body, "http://x/", {"content-type": "text/html; charset=undefined"}, is_own=True)
    assert content.reviews[-1].text == "Bien"


def zipped(**parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in parts.items():
            archive.writestr(name.replace("__", "/"), body)
    return file.getvalue()


def workbook(row_count):
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["avis", "note"])
    for number in range(row_count):
        sheet.append([f"Bien {number}", 4])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def with_part(body, name, part):
    """Return the workbook with one of its parts replaced or added."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.namelist():
            if entry != name:
                target.writestr(entry, source.read(entry).replace(b"</Types>", STRINGS_TYPE + b"</Types>"))
        target.writestr(name, part)
    return file.getvalue()


STYLES = (
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs>%s</cellXfs></styleSheet>'
)
STRINGS_TYPE = (
    b'<Override PartName="/xl/sharedStrings.xml" ContentType='
    b'"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)
STRINGS = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%s</sst>'
BOMBS = {
    "styles": lambda: with_part(workbook(2), "xl/styles.xml", STYLES % ("<xf/>" * 1_200_000)),
    "fewer styles": lambda: with_part(workbook(2), "xl/styles.xml", STYLES % ("<xf/>" * 190_000)),
    "strings": lambda: with_part(workbook(2), "xl/sharedStrings.xml", STRINGS % ("<si/>" * 3_900_000)),
    "sheet": lambda: with_part(workbook(2), "xl/worksheets/sheet1.xml", "<worksheet>" + "<row>" * 12_000_000),
    "takeout": lambda: zipped(a__reviews_json=b"[" * 20_000_000),
    "json": lambda: b'{"a":' * 3_000_000,
    "array": lambda: b"[" + b"{}," * 6_000_000 + b"{}]",
    "csv columns": lambda: b"avis;note\n" + b";" * 19_000_000,
    "csv rows": lambda: b"avis;note\n" + b"a;1\n" * 4_000_000,
    "mbox": lambda: b"From " + b"9" * 500_000 + b"\nFrom: x\n\n" * 100_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_file_that_is_a_bomb_is_refused_or_read_within_its_memory(pool, bomb):
    body = BOMBS[bomb]()
    started = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    try:
        assert len(parsing.read_file(body, UTC_TABLE).found) == 2
    except InvalidInputError as error:
        assert len(str(error)) < 300
    assert peak_kb(pool) < MAX_CHILD_KB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - started < 4.0  # the parent only passes bytes on


def test_twenty_megabytes_of_csv_are_read_within_the_memory_of_a_child(pool):
    text = "Très bon accueil, je recommande ! " * 12
    first = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [f"{(first + timedelta(hours=n)).date()};{n % 5 + 1};Léa {n};{n} {text}\n" for n in range(45_000)]
    body = ("date;note;auteur;avis\n" + "".join(rows)).encode()
    assert len(body) > 19_000_000
    result = parsing.read_file(body, UTC_TABLE)
    assert (len(result.found), result.bad) == (45_000, [])
    assert peak_kb(pool) < MAX_CHILD_KB


@pytest.mark.parametrize("make", [
    lambda count: b"avis;note\n" + b"Bien;4\n" * count,
    lambda count: b'{"avis":"Bien","note":4}\n' * count,
    lambda count: b'{"reviews":[' + b",".join([b'{"comment":"Bien","starRating":"FOUR"}'] * count) + b"]}",
], ids=["csv", "jsonl", "takeout"])  # fmt: skip
def test_every_format_holds_the_same_number_of_rows(make):
    with pytest.raises(InvalidInputError, match="more than 50000 rows"):
        files.read(make(MAX_ROWS + 1), UTC_TABLE)


def test_a_table_of_thousands_of_columns_is_refused_before_anybody_is_asked_about_them():
    header = ";".join(f"c{number}" for number in range(200_000)).encode()
    with pytest.raises(InvalidInputError, match="more than 500 columns"):
        files.read(header + b"\n1;2;3\n", UTC_TABLE)


def test_a_question_about_columns_is_bounded():
    body = b"a;b;" + b"c" * 100_000 + b";" * 400_000 + b"\n" + b"x;" * 400_000 + b"\n"
    with pytest.raises(UnknownColumnsError) as refused:
        files.read(body, UTC_TABLE)
    assert refused.value.header[:4] == ["a", "b", "", ""]
    assert len(refused.value.header) == len(refused.value.rows[0]) == 16_384


def test_a_row_that_cannot_be_read_is_kept_aside():
    long_field = b'"' + b"x" * 300_000 + b'"'
    result = files.read(b"avis;note\nBien;4\n" + long_field + b";3\nMal;1\n", UTC_TABLE)
    assert [mention.text for mention in result.found] == ["Bien", "Mal"]
    assert [row.line for row in result.bad] == [3]


def test_a_page_that_takes_too_long_says_so(pool, monkeypatch):
    monkeypatch.setattr(parsing, "ITEM_SECONDS", 0.2)
    with pytest.raises(SourceError, match="takes too long"):
        parsing.read_page(b"<p>x</p>" * 20_000, "http://x/", {}, is_own=True)


def declaring_entities(encoding="utf-8"):
    """A feed of 600 bytes whose title expands to 8 MB and 90 MB of memory."""
    entities = "<!ENTITY a 'ha'>" + "".join(
        f"<!ENTITY {chr(98 + level)} '{f'&{chr(97 + level)};' * 10}'>" for level in range(9)
    )
    head = f"<?xml version='1.0' encoding='{encoding}'?><!DOCTYPE r [{entities}]>"
    return (head + "<rss><channel><title>&j;</title></channel></rss>").encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-7", "cp037"])
@pytest.mark.parametrize("says_so", [False, True])
def test_a_feed_that_declares_entities_is_parsed_apart(encoding, says_so):
    charset = f"; charset={encoding}" if says_so else ""
    answer = Answer(
        200, {"content-type": f"application/xml{charset}"}, declaring_entities(encoding), "https://x.example"
    )
    assert not feed._is_light(answer)


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "ISO-8859-15", "windows-1252", "US-ASCII"])
def test_an_ordinary_feed_is_parsed_in_the_process(encoding):
    body = f"<?xml version='1.0' encoding='{encoding}'?><rss><channel><title>x</title></channel></rss>".encode(encoding)
    answer = Answer(200, {"content-type": f"application/rss+xml; charset={encoding}"}, body, "https://x.example")
    assert feed._is_light(answer)
