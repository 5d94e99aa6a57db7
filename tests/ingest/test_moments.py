"""Dates as exports and pages write them; what is no date, or not surely one, is none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import moments
from ingest.files import csv_file
from ingest.files.table import How

PARIS = ZoneInfo("Europe/Paris")
DAY = datetime(2026, 11, 24, tzinfo=PARIS)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24", "24/11/2026", "24-11-2026", "24.11.2026", "24/11/26", "2026/11/24", "Le 24/11/2026", "mardi 24/11/2026",
        "24 novembre 2026", "mar. 24 nov. 2026", "mardi 24 Novembre 2026", "Nov 24, 2026", "Tue, Nov 24th, 2026",
        "November 24, 2026",
    ],
)  # fmt: skip
def test_a_day_begins_where_the_firm_lives(text):
    assert moments.written(text, PARIS) == DAY


@pytest.mark.parametrize(
    ("text", "day"), [("12 juil. 2026", (7, 12)), ("1er févr. 2026", (2, 1)), ("3 août 2026", (8, 3)), ("mar. 3 mars 2026", (3, 3))]
)  # fmt: skip
def test_french_months_are_known_however_they_are_shortened(text, day):
    assert moments.written(text, PARIS) == datetime(2026, *day, tzinfo=PARIS)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24 14:32", "24/11/2026 14:32", "24/11/2026 à 14h32", "24 novembre 2026 à 14 h 32", "24/11/2026 - 14:32:00",
        "Nov 24, 2026, 2:32 PM", "November 24, 2026 at 2:32 p.m.", "24/11/26 02:32 pm", "2026-11-24T14:32:00+01:00",
        "Tue, 24 Nov 2026 13:32:00 GMT", "Tue Nov 24 2026 15:32:00 GMT+0200 (Eastern European Time)", "2026-11-24 13:32:00 UTC",
        "Tue Nov 24 13:32:00 +0000 2026", "2026-11-24T13:32:00.0000000 +00:00", "2026-11-24T08:32:00.000-05:00",
        "24 nov. 2026 à 14:32 GMT +1", "24/11/2026 14:32 UTC+1",
    ],
)  # fmt: skip
def test_an_hour_is_of_the_firms_zone_unless_it_names_its_own(text):
    assert moments.written(text, PARIS) == DAY + timedelta(hours=14, minutes=32)


@pytest.mark.parametrize(
    "text",
    [
        "", "hier", "il y a 3 jours", "31/02/2026", "11/24/2026", "24-11-26", "24 nov. 26", "24/11", "novembre 2026",
        "24/11/2026 25:00", "24 novembre 2026, 12 avis", "1 janvier 2026 au 3 mai 2026", "4,5/5", "x" * 10_000, None, 24112026,
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(text):
    assert moments.written(text, PARIS) is None


def test_iso_moments_without_a_zone_are_utc():
    assert moments.iso("2026-11-24T13:32:00.123456789Z") == datetime(2026, 11, 24, 13, 32, 0, 123456, tzinfo=UTC)
    assert moments.iso(" 2026-11-24\n") == datetime(2026, 11, 24, tzinfo=UTC)
    assert [moments.iso(one) for one in ("24/11/2026", "9999-12-31T23:59:59-12:00", "", 5, None)] == [None] * 5


@given(st.text(max_size=60) | st.from_regex(r"\d{1,4}[/. :-]\d{1,2}[/. :-]\d{1,4}[ T]\d{1,2}[:h]\d{2}.{0,9}"))
def test_any_text_is_a_moment_or_none(text):
    found = moments.written(text)
    assert found is None or found.tzinfo is UTC


def test_a_column_of_dates_is_read_one_way():
    american = "date,rating,text\n11/05/2026,5,Great bread\n11/24/2026 3:45 PM,4,Nice\n"
    read = csv_file.read(american.encode(), How("Europe/Paris"))
    assert [one.published_at.astimezone(PARIS).date().isoformat() for one in read.found] == ["2026-11-05", "2026-11-24"]
    french = csv_file.read(american.replace("11/24", "24/11").encode(), How("Europe/Paris"))
    assert [one.published_at.astimezone(PARIS).month for one in french.found] == [5, 11]
    both = csv_file.read((american + "24/11/2026,3,Ok\n").encode(), How("Europe/Paris"))
    assert [one.published_at is None for one in both.found] == [False, True, False]
    assert both.counts["undated"] == 1
