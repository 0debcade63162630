"""Whether a stated value can be what it says it is, by rules that need no network. Pure: values in, words out."""

from collections.abc import Callable, Sequence
from datetime import date

import phonenumbers
from stdnum.exceptions import ValidationError
from stdnum.no import fodselsnummer, kontonr, orgnr

VALID, INVALID = "valid", "invalid"
REGION = "NO"
FOUR_REMAINDERS_FROM = date(2032, 1, 1)
SYNTHETIC_MONTHS = (40, 80)
"""Added to the month of birth: NAV's synthetic numbers (and hospitals' own numbers, which no register issues), and
Skatteetaten's."""


def validities(kind: str, values: Sequence[str], *, accepts_synthetic: bool, on: date) -> list[str]:
    """`valid` or `invalid` for each value of one kind; `on` is the day by whose rules national ids are judged."""
    if kind == "national_id":
        return [_word(is_national_id(value, accepts_synthetic=accepts_synthetic, on=on)) for value in values]
    return [_word(_CHECKS[kind](value)) for value in values]


def is_national_id(value: str, *, accepts_synthetic: bool, on: date) -> bool:
    """A fødselsnummer or D-number of somebody who is born. Synthetic ones count only where they are accepted.

    From 2032 the first check digit may leave a remainder of 0 to 3 (Skatteetaten: "Nytt fødselsnummer").
    """
    number = fodselsnummer.compact(value)
    if len(number) != 11 or not (number.isascii() and number.isdigit()):
        return False
    if number[-1] != fodselsnummer.calc_check_digit2(number) or not _first_check_holds(number, on):
        return False
    month = int(number[2:4])
    added = next((added for added in SYNTHETIC_MONTHS if added < month <= added + 12), 0)
    if added and not accepts_synthetic:
        return False
    try:
        born = fodselsnummer.get_birth_date(f"{number[:2]}{month - added:02d}{number[4:]}")
    except ValidationError:
        return False
    return bool(born <= on)


def _first_check_holds(number: str, on: date) -> bool:
    if on < FOUR_REMAINDERS_FROM:
        return bool(number[-2] == fodselsnummer.calc_check_digit1(number))
    weights = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
    return sum(weight * int(digit) for weight, digit in zip(weights, number, strict=False)) % 11 in (0, 1, 2, 3)


def is_phone(value: str) -> bool:
    """A number that its country's plan has, Norwegian if it has no country code."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(value, REGION))
    except phonenumbers.NumberParseException:
        return False


def is_bank_account(value: str) -> bool:
    """Eleven digits with their check digit. The post giro's old seven-digit numbers are not taken for accounts."""
    digits = kontonr.compact(value)
    return len(digits) == 11 and digits.isascii() and bool(kontonr.is_valid(digits))


def is_org_number(value: str) -> bool:
    """Nine digits with their check digit, also written as `NO … MVA`."""
    number = value.upper().removeprefix("NO").removesuffix("MVA").strip()
    return number.isascii() and bool(orgnr.is_valid(number))


_CHECKS: dict[str, Callable[[str], bool]] = {
    "phone": is_phone,
    "bank_account": is_bank_account,
    "org_number": is_org_number,
}


def _word(holds: bool) -> str:
    return VALID if holds else INVALID
