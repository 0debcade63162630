"""The outcomes reach the fraud purpose as columns, and no other purpose."""

from dataclasses import replace
from typing import Any

import pytest

from pseudonymisation.policy.model import Policy
from pseudonymisation.registries.validity import VALID
from tests.pseudonymisation.conftest import Market, account, account_id
from tests.pseudonymisation.registries.test_validity import made_up

NATIONAL_ID = made_up("national_id", 1)[0]
ORG_NUMBER = made_up("org_number", 1)[0]


def profile(number: int, **columns: Any) -> dict[str, Any]:
    stated = {
        "account_id": account_id(number),
        "display_name": f"Navn {number}",
        "updated_at": account(1)["updated_at"],
    }
    return stated | columns


def outcomes(market: Market, table: str, *names: str) -> list[tuple[Any, ...]]:
    rows = market.query("fraud", f"SELECT {', '.join(names)} FROM purpose.src.{table} ORDER BY _row_key")
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"phone": "+47 400 00 001", "postal_code": "0150"}, ("valid", None, "valid")),
        ({"phone": "12", "postal_code": "15O"}, ("invalid", None, "invalid")),
        ({"phone": None, "postal_code": "9999"}, (None, None, "unknown")),
        ({"phone": " ", "postal_code": "", "national_id": "1"}, (None, "invalid", None)),
        ({"phone": "x", "postal_code": " 0150 ", "national_id": NATIONAL_ID}, ("invalid", "invalid", "valid")),
    ],
)
def test_an_accounts_numbers_are_checked(market: Market, columns: dict[str, Any], expected: tuple[Any, ...]) -> None:
    market.land("account", account(1, **columns))
    market.load()
    assert outcomes(market, "app_db__account", "phone_validity", "national_id_validity", "postal_code_validity") == [
        expected
    ]


def test_a_synthetic_national_id_is_valid_in_a_test_world(market: Market) -> None:
    market.workspace = replace(market.workspace, accepts_synthetic_ids=True)
    market.land("account", account(1, national_id=NATIONAL_ID))
    market.load()
    assert outcomes(market, "app_db__account", "national_id_validity") == [(VALID,)]


def test_a_providers_numbers_are_checked_and_the_register_is_not_asked(market: Market) -> None:
    market.land("account", account(1), account(2))
    market.land("provider_profile", profile(1, org_number=ORG_NUMBER, bank_account="8601 11 17947"), profile(2))
    market.load()
    names = ("org_number_validity", "bank_account_validity", "organisation_registration", "organisation_is_bankrupt")
    found = outcomes(market, "app_db__provider_profile", *names, "name_is_as_registered")
    assert sorted(found, key=str) == [("valid", "valid", "not_asked", None, None), (None, None, None, None, None)]


def test_only_fraud_gets_outcomes_and_they_change_no_pseudonym(market: Market, policy: Policy) -> None:
    getting = {
        purpose
        for table in policy.tables.values()
        for column in table.columns.values()
        for purpose, treatment in column.treatments.items()
        if treatment.name in ("validate", "registered_name")
    }
    assert getting == {"fraud"}
    market.land("account", account(1, phone="+47 400 00 001"), account(2, phone="40000001"))
    market.load()
    assert len({row["phone"] for row in market.rows("fraud", "app_db__account")}) == 1


def test_outcomes_go_with_the_row(market: Market) -> None:
    market.land("account", account(1, postal_code="x"))
    market.load()
    market.land("account", account(1, postal_code="0150"))
    market.load()
    assert outcomes(market, "app_db__account", "postal_code_validity") == [("valid",)]
    market.land("account", account(2), kind="keys")
    market.load()
    assert outcomes(market, "app_db__account", "postal_code_validity") == []
