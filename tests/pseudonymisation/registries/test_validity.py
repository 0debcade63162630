"""What can be checked without a network: right numbers pass however they are written, wrong ones never do."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.no import fodselsnummer

from demo.world import identifiers
from pseudonymisation.registries.validity import (
    is_bank_account,
    is_national_id,
    is_org_number,
    is_phone,
    validities,
)

TODAY = date(2026, 11, 15)
KINDS = ("national_id", "phone", "bank_account", "org_number")


def made_up(kind: str, count: int = 200) -> list[str]:
    """Numbers of the demo's world, which calculates check digits by itself."""
    rng = np.random.default_rng(7)
    if kind == "national_id":
        return list(identifiers.national_ids(rng, rng.integers(-3000, 12_000, count)))
    made = {
        "phone": identifiers.phones,
        "bank_account": identifiers.bank_accounts,
        "org_number": identifiers.organisation_numbers,
    }
    return list(made[kind](rng, count))


def checked(kind: str, values: list[str], *, accepts_synthetic: bool = True) -> set[str]:
    return set(validities(kind, values, accepts_synthetic=accepts_synthetic, on=TODAY))


@pytest.mark.parametrize("kind", KINDS)
def test_right_numbers_are_valid(kind: str) -> None:
    assert checked(kind, made_up(kind)) == {"valid"}


@pytest.mark.parametrize("kind", ["national_id", "bank_account", "org_number"])
@pytest.mark.parametrize("place", [0, 3, -1])
def test_one_wrong_digit_is_found(kind: str, place: int) -> None:
    wrong = []
    for number in made_up(kind):
        digits = list(number)
        digits[place] = str((int(digits[place]) + 1) % 10)
        wrong.append("".join(digits))
    assert checked(kind, wrong) == {"invalid"}


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(max_size=40))
def test_any_text_gets_a_word_and_no_error(kind: str, text: str) -> None:
    assert checked(kind, [text]) <= {"valid", "invalid"}


def test_synthetic_national_ids_are_valid_only_where_they_are_accepted() -> None:
    assert checked("national_id", made_up("national_id"), accepts_synthetic=False) == {"invalid"}


def with_check_digits(nine: str) -> str | None:
    first = fodselsnummer.calc_check_digit1(nine)
    second = fodselsnummer.calc_check_digit2(nine + first)
    return None if len(first + second) > 2 else nine + first + second


def test_a_d_number_is_valid_and_an_unborn_or_impossible_date_is_not() -> None:
    def some(day_month_year: str, serials: range) -> str:
        return next(number for serial in serials if (number := with_check_digits(f"{day_month_year}{serial:03d}")))

    def is_valid(number: str) -> bool:
        return is_national_id(number, accepts_synthetic=False, on=TODAY)

    assert is_valid(some("550185", range(499)))
    assert not is_valid(some("310285", range(499)))
    assert not is_valid(some("011230", range(500, 749)))
    assert not is_valid(some("850185", range(499)))


def test_from_2032_the_first_check_digit_may_leave_four_remainders() -> None:
    nine = "010132900"
    first = (int(fodselsnummer.calc_check_digit1(nine)) + 2) % 10
    number = f"{nine}{first}"
    number += fodselsnummer.calc_check_digit2(number)
    assert not is_national_id(number, accepts_synthetic=False, on=date(2031, 12, 31))
    assert is_national_id(number, accepts_synthetic=False, on=date(2032, 6, 1))


@pytest.mark.parametrize("written", ["974760673", "974 760 673", "NO 974 760 673 MVA", "NO974760673MVA"])
def test_an_organisation_number_may_be_written_in_several_ways(written: str) -> None:
    assert is_org_number(written)


@pytest.mark.parametrize("written", ["8601 11 17947", "8601.11.17947", "86011117947"])
def test_a_bank_account_may_be_written_in_several_ways(written: str) -> None:
    assert is_bank_account(written)


@pytest.mark.parametrize("written", ["", "0000.4090403", "٨٦٠١١١١٧٩٤٧", "86011117948", "8601111794", "NO9386011117947"])
def test_what_is_no_account_of_eleven_digits_is_invalid(written: str) -> None:
    assert not is_bank_account(written)


@pytest.mark.parametrize(
    ("written", "holds"),
    [("+46 8 123 456 78", True), ("22 22 22 22", True), ("1234", False), ("+47 00 00 00 00", False), ("vipps", False)],
)
def test_a_phone_number_follows_its_countrys_plan(written: str, holds: bool) -> None:
    assert is_phone(written) is holds
