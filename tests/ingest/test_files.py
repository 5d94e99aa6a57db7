"""Files in and out: recognised by their content, bounded, and texts that come back as they were."""

import io
import json
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import export
from ingest import files
from ingest.files import writing
from ingest.files.table import How
from ingest.imports import import_file
from tests.ingest.recorded import GOOGLE_REVIEWS
from tests.pipeline import SHARED, analyse
from vigie.errors import InvalidInputError

PARIS = How("Europe/Paris")


def zipped(**entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in entries.items():
            archive.writestr(name.replace("__", "/"), body)
    return out.getvalue()


def workbook(*rows):
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["Avis clients 2026"])
    book.create_sheet("Données")
    for row in rows:
        book["Données"].append(row)
    book.save(out)
    return out.getvalue()


def test_a_spreadsheet_is_read_where_its_reviews_are():
    read = files.read(workbook(["Date", "Note", "Avis"], ["23/11/2026", 4, "Très bien"], ["", "", "", "x"]), PARIS)
    assert [(one.text, one.rating) for one in read.found] == [("Très bien", 4.0)]
    assert [row.line for row in read.bad] == [3]


def test_json_lines_are_read_and_bad_ones_told():
    body = b'{"id": 1, "texte": "Bien", "note": 4}\nnot json\n[1]\n{"id": 2, "texte": "", "note": null}\n'
    read = files.read(body, PARIS)
    assert [(one.external_id, one.text, one.rating) for one in read.found] == [("1", "Bien", 4.0)]
    assert [row.line for row in read.bad] == [2, 3, 4]


def test_takeout_is_known_by_its_shape_not_its_path():
    archive = zipped(**{"Archive__x.html": "<p>", "Any__where__reviews-1.json": json.dumps(GOOGLE_REVIEWS)})
    for body in (archive, json.dumps(GOOGLE_REVIEWS).encode()):
        read = files.read(body, PARIS)
        assert [(one.platform, one.rating, one.external_id) for one in read.found] == [
            ("google", 2.0, "r1"),
            ("google", 5.0, "r2"),
        ]


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\x01" * 50, zipped(a="x"), b"PK\x03\x04broken", b"{", b"[" * 60_000, b"From: a@b.fr\r\nSubject: x\r\n\r\nhi", zipped(**{"xl__workbook.xml": "<x/>"})],
)  # fmt: skip
def test_what_cannot_be_used_says_why(body):
    with pytest.raises(InvalidInputError):
        files.read(body, PARIS)


def test_an_archive_that_unpacks_to_a_lot_is_refused():
    bomb = zipped(**{f"{n}.json": b"0" * 45_000_000 for n in range(5)})
    assert len(bomb) < 1_000_000
    with pytest.raises(InvalidInputError, match="too much"):
        files.read(bomb, PARIS)


@given(st.binary(max_size=3_000))
def test_any_bytes_are_a_file_or_a_clear_error(body):
    try:
        files.read(body, PARIS)
    except InvalidInputError as error:
        assert str(error)


def test_a_mapping_is_remembered_with_its_header(house, firm, tmp_path):
    for month, header in (("nov", "Quand;Ressenti;Etoiles du client"), ("dec", "Etoiles du client;Quand;Ressenti")):
        cells = {"Quand": "23/11/2026", "Ressenti": f"Bien {month}", "Etoiles du client": "4"}
        (tmp_path / f"{month}.csv").write_text(header + "\n" + ";".join(cells[name] for name in header.split(";")))
    mapping = {"text": "Ressenti", "date": "Quand", "rating": "Etoiles du client"}
    import_file(house.engine, house.intake, firm, tmp_path / "nov.csv", mapping=mapping)
    done = import_file(house.engine, house.intake, firm, tmp_path / "dec.csv")
    assert (done.mentions, done.bad, done.columns) == (1, [], mapping)


def round_trip(house, firm, tmp_path, kind):
    analyse(house)
    out = tmp_path / f"export.{kind}"
    writing.write(export.mentions(house.engine, firm), kind, out)
    return files.read(out.read_bytes(), PARIS)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx"])
def test_naughty_strings_come_back_as_they_were(house, firm, tmp_path, kind):
    source = SHARED / "inputs/files/naughty-strings"
    if not source.exists():
        pytest.skip("needs ../shared/inputs/files/naughty-strings")
    path = next(source.rglob("blns.json"))
    from ingest.clean import text_of

    strings = sorted({shown for one in json.loads(path.read_text()) if (shown := text_of(text_of(one)))})
    if kind == "xlsx":  # XML cannot hold them
        strings = [one for one in strings if not set(one) & set("\ufffe\uffff")]
    assert len(strings) > 280
    rows = [json.dumps({"id": f"n{at}", "texte": one}) for at, one in enumerate(strings)]
    (tmp_path / "in.jsonl").write_text("\n".join(rows))
    done = import_file(house.engine, house.intake, firm, tmp_path / "in.jsonl")
    assert (done.mentions, done.bad) == (len(strings), [])
    back = round_trip(house, firm, tmp_path, kind)
    assert back.bad == []
    assert sorted(one.text for one in back.found) == strings


def test_formulas_are_disarmed_on_the_way_out():
    rows = [{"text": text} for text in ("=1+1", "+33", "-2", "@x", "＝1+1", "'=1", "rien", "'")]
    shown = writing.write(rows, "csv", None).splitlines()[1:]
    assert shown == ["'=1+1", "'+33", "'-2", "'@x", "'＝1+1", "''=1", "rien", "'"]


def test_csv_spectrum_is_read_as_it_means():
    folder = SHARED / "inputs/files/csv-spectrum"
    if not folder.exists():
        pytest.skip("needs ../shared/inputs/files/csv-spectrum")
    # The JSON of location_coordinates is not that of its CSV.
    cases = sorted(path for path in folder.rglob("*.csv") if path.stem != "location_coordinates")
    assert len(cases) >= 10
    for path in cases:
        meant = json.loads(next(folder.rglob(f"{path.stem}.json")).read_text())
        name = list(meant[0])[-1]
        read = files.read(path.read_bytes(), How("UTC", {"text": name}), "csv")
        wanted = [" ".join(str(row[name]).split()) for row in meant if str(row[name]).strip()]
        assert [" ".join(one.text.split()) for one in read.found] == wanted, path.name


def test_the_json_test_suite_passes_or_is_told():
    folder = SHARED / "inputs/files/json-testsuite"
    if not folder.exists():
        pytest.skip("needs ../shared/inputs/files/json-testsuite")
    seen = 0
    for path in sorted(folder.rglob("*.json")):
        seen += 1
        body = b'{"texte": "avant", "x": 1}\n{"texte": "Bien", "x": ' + path.read_bytes().replace(b"\n", b" ") + b"}"
        try:
            read = files.read(body, PARIS, "jsonl")
        except InvalidInputError:
            assert not path.name.startswith("y_"), path.name
            continue
        if path.name.startswith("y_"):
            assert [one.text for one in read.found] == ["avant", "Bien"], path.name
        elif path.name.startswith("n_") and not read.bad:
            # what only spaces and line breaks make wrong, or Python's own NaN
            assert len(read.found) == 2, path.name
    assert seen > 250
