"""Retention: nothing stays in a purpose longer than that purpose may keep it, with or without news."""

from dataclasses import replace
from datetime import timedelta

from pseudonymisation.policy.checking import check_policy
from pseudonymisation.policy.model import Policy
from pseudonymisation.retention import oldest_rows
from tests.pseudonymisation.conftest import NOON, Market, account, booking


def old_booking(market: Market, days: int) -> None:
    market.land("account", account(1), account(2))
    market.land("booking", booking(7, 1, 2, booked_at=NOON - timedelta(days=days)))


def bookings(market: Market, purpose: str) -> int:
    return len(market.rows(purpose, "app_db__booking"))


def test_a_row_is_kept_by_each_purpose_as_long_as_that_purpose_may(market: Market) -> None:
    old_booking(market, 800)
    loads = market.load()
    assert loads["fraud"].tables["app_db__booking"].expired == 1
    assert bookings(market, "fraud") == 0
    assert bookings(market, "matching") == 1
    assert bookings(market, "accounting") == 1


def test_time_alone_removes_a_row(market: Market) -> None:
    old_booking(market, 729)
    market.load()
    assert bookings(market, "fraud") == 1
    market.workspace = replace(market.workspace, now=NOON + timedelta(days=2))
    late = [(one.purpose, one.table) for one in oldest_rows(market.workspace, market.policy) if one.is_kept_too_long]
    assert late == [("fraud", "app_db__booking")]
    market.load()
    assert bookings(market, "fraud") == 0
    assert not [one for one in oldest_rows(market.workspace, market.policy) if one.is_kept_too_long]


def test_a_table_about_what_is_so_now_follows_its_source(market: Market) -> None:
    market.land("account", account(1, created_at=NOON - timedelta(days=5000)))
    market.load()
    assert len(market.rows("fraud", "app_db__account")) == 1
    oldest = {(one.purpose, one.table): one for one in oldest_rows(market.workspace, market.policy)}
    assert oldest["fraud", "app_db__account"].limit is None


def test_a_purpose_that_is_not_given_the_time_which_retention_counts_from_is_refused(policy: Policy) -> None:
    table = policy.table("app_db", "booking")
    column = table.columns["booked_at"]
    without = {name: treatment for name, treatment in column.treatments.items() if name != "fraud"}
    columns = {**table.columns, "booked_at": replace(column, treatments=without)}
    broken = replace(policy, tables={**policy.tables, ("app_db", "booking"): replace(table, columns=columns)})
    assert [fault for fault in check_policy(broken) if "booking: fraud: is not given booked_at" in fault]
