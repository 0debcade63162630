from datetime import date

import pytest

from dashboards import wording


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("OSLO", "Oslo"),
        ("HERØY (MØRE OG ROMSDAL)", "Herøy (Møre og Romsdal)"),
        ("NORD-AURDAL", "Nord-Aurdal"),
        ("unknown", "Unknown place"),
        (None, "Unknown place"),
        ("all", "All municipalities"),
    ],
)
def test_a_municipality_is_written_as_in_a_text(name: str | None, written: str) -> None:
    assert wording.place(name) == written


@pytest.mark.parametrize(
    ("minutes", "written"),
    [(None, "–"), (0, "0 min"), (59.4, "59 min"), (60, "1 h"), (200, "3 h 20 min"), (3 * 1440 + 130, "3 d 2 h")],
)
def test_minutes_are_told_in_the_unit_that_fits(minutes: float | None, written: str) -> None:
    assert wording.minutes(minutes) == written


def test_figures_carry_separators_and_units_and_a_dash_for_none() -> None:
    assert [wording.whole(1234567), wording.share(0.5804), wording.nok(1250.0), wording.ratio(3.1212)] == [
        "1,234,567",
        "58.0 %",
        "NOK 1,250",
        "3.12",
    ]
    assert {wording.whole(None), wording.share(None), wording.nok(None), wording.ratio(None)} == {"–"}


def test_a_period_names_its_year_once_where_it_is_one() -> None:
    assert wording.days(date(2026, 8, 17), date(2026, 11, 8)) == "17 Aug – 8 Nov 2026"
    assert wording.days(date(2025, 12, 29), date(2026, 1, 4)) == "29 Dec 2025 – 4 Jan 2026"


@pytest.mark.parametrize(
    ("days", "written"), [(1095, "3 years"), (730, "2 years"), (2192, "6 years"), (90, "90 days"), (1, "1 day")]
)
def test_a_time_of_keeping_is_told_in_years_where_it_is_whole_ones(days: int, written: str) -> None:
    assert wording.retention(days) == written


def test_a_withheld_cell_says_why() -> None:
    assert wording.suppression(None) == "Published"
    assert wording.suppression("too_few_people") == "Withheld: too few people"
    assert wording.suppression("a_new_reason") == "Withheld: a_new_reason"


def test_an_identifier_is_cut_short() -> None:
    assert wording.short_id("flag_0123456789abcdef") == "01234567"
    assert wording.short_id("01234567-89ab-cdef-0123-456789abcdef") == "01234567"
