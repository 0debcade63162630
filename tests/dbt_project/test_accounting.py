"""The accounting marts, built by dbt from rows made by hand: to the øre, and increments equal to a full build."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from tests.dbt_project.documented import problems, undescribed
from tests.dbt_project.purpose_project import BuildResult, PurposeProject

pytestmark = pytest.mark.slow

Uid = Callable[[str], UUID]
Rows = Mapping[UUID, dict[str, Any]]
Tables = Mapping[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, kw_only=True)
class Story:
    """The books of some days, then of some more with corrections, and those built whole."""

    project: PurposeProject
    first: BuildResult
    payments: Rows
    payouts: Rows
    ledger: Rows
    days: list[dict[str, Any]]
    later_payments: Rows
    later_ledger: Rows
    incremental: Tables
    full: Tables


@pytest.fixture(scope="module")
def story(new_purpose: Callable[[str], PurposeProject], uid: Uid) -> Story:
    project = new_purpose("accounting")
    open_books(project, uid)
    first = project.build()
    assert first.succeeded, first.output
    payments, payouts, ledger = figures(project)
    days = project.query("SELECT * FROM marts.agg_reconciliation_day WHERE is_platform ORDER BY day")
    go_on(project, uid)
    assert project.build().succeeded
    later_payments, _, later_ledger = figures(project)
    incremental = project.tables()
    assert project.build("--full-refresh").succeeded
    return Story(
        project=project, first=first, payments=payments, payouts=payouts, ledger=ledger, days=days,
        later_payments=later_payments, later_ledger=later_ledger, incremental=incremental, full=project.tables(),
    )  # fmt: skip


def figures(project: PurposeProject) -> tuple[Rows, Rows, Rows]:
    keys = {"fct_payment": "charge_id", "fct_payout": "payout_id", "fct_booking_ledger": "ledger_id"}
    found = [{row[key]: row for row in project.query(f"SELECT * FROM marts.{name}")} for name, key in keys.items()]
    return found[0], found[1], found[2]


def charge(project: PurposeProject, uid: Uid, job: str, ore: int, on: str, *, batch: int = 1, **values: Any) -> None:
    """One charge with its transfer, and the entries that both leave in the platform's and the provider's balance."""
    fee, stripe_fee = ore * 15 // 100, ore * 14 // 1000 + 200
    project.insert(
        "stripe__charge",
        {
            "charge_id": uid(f"charge {job}"), "booking_id": uid(job), "payment_intent_id": uid(f"payment {job}"),
            "customer_id": uid("kunde"), "provider_id": uid("provider"), "amount": ore, "amount_captured": ore,
            "amount_refunded": 0, "application_fee_amount": fee, "balance_transaction_id": uid(f"entry {job}"),
            "status": "succeeded", "is_paid": True, "currency": "nok", "created_at": on, **values,
        },
        batch=batch,
    )  # fmt: skip
    project.insert(
        "stripe__transfer",
        {
            "transfer_id": uid(f"transfer {job}"), "charge_id": uid(f"charge {job}"), "provider_id": uid("provider"),
            "amount": ore, "amount_reversed": 0, "currency": "nok", "created_at": on,
        },
        batch=batch,
    )  # fmt: skip
    matured = f"{on[:8]}{int(on[8:10]) + 2:02d}"
    for name, kind, amount, cost, owner in (
        (f"entry {job}", "charge", ore, stripe_fee, None),
        (f"out {job}", "transfer", -ore, 0, None),
        (f"fee {job}", "application_fee", fee, 0, None),
        (f"in {job}", "payment", ore, fee, uid("provider")),
    ):
        entry(project, uid, name, kind, amount, on, matured, fee=cost, owner=owner, batch=batch)


def entry(
    project: PurposeProject, uid: Uid, name: str, kind: str, amount: int, created: str, available: str, *,
    fee: int = 0, owner: UUID | None = None, batch: int = 1,
) -> None:  # fmt: skip
    project.insert(
        "stripe__balance_transaction",
        {
            "balance_transaction_id": uid(name), "provider_id": owner, "type": kind, "reporting_category": kind,
            "amount": amount, "fee": fee, "net": amount - fee, "currency": "nok", "status": "available",
            "created_at": created, "available_on": available,
        },
        batch=batch,
    )  # fmt: skip


def payout(project: PurposeProject, uid: Uid, name: str, amount: int, on: str, owner: UUID | None) -> None:
    project.insert(
        "stripe__payout",
        {
            "payout_id": uid(name), "provider_id": owner, "amount": amount, "currency": "nok", "status": "paid",
            "created_at": on, "arrival_date": on,
        },
    )  # fmt: skip
    entry(project, uid, f"paid {name}", "payout", -amount, on, on, owner=owner)


def booking(uid: Uid, job: str, nok: str, fee: str) -> dict[str, Any]:
    return {
        "booking_id": uid(job), "customer_id": uid("kunde"), "provider_id": uid("provider"), "price_nok": nok,
        "platform_fee_nok": fee, "status": "completed", "payment_method": "card", "payment_intent_id": uid(f"payment {job}"),
        "booked_at": "2026-03-01", "completed_at": "2026-03-02", "paid_at": "2026-03-02",
    }  # fmt: skip


def open_books(project: PurposeProject, uid: Uid) -> None:
    """Job 1 and 2 are charged on the 2nd, job 3 on the 4th; the platform is paid out on the 4th, the provider on the 6th."""
    charge(project, uid, "job 1", 100_033, "2026-03-02")
    charge(project, uid, "job 2", 50_000, "2026-03-02")
    charge(project, uid, "job 3", 20_001, "2026-03-04")
    charge(project, uid, "job 4", 30_000, "2026-03-05", status="failed", is_paid=False, balance_transaction_id=None)
    project.insert(
        "app_db__booking",
        booking(uid, "job 1", "1000.33", "150.04"),
        booking(uid, "job 2", "499.99", "75.00"),
        booking(uid, "job 5", "80.00", "12.00"),
        {**booking(uid, "not paid yet", "10.00", "1.00"), "paid_at": None},
    )
    entry(project, uid, "refund", "refund", -10_000, "2026-03-05", "2026-03-05")
    # 15004 - 1600 and 7500 - 900 of the 2nd; then 3000 - 480 of the 4th and the refund of the 5th leave nothing to pay out.
    payout(project, uid, "platform 1", 20_004, "2026-03-04", None)
    payout(project, uid, "provider 1", 85_029 + 42_500 + 17_001, "2026-03-06", uid("provider"))
    payout(project, uid, "unexplained", 777, "2026-03-07", uid("another provider"))


def go_on(project: PurposeProject, uid: Uid) -> None:
    """Later batches: job 1 is refunded in part, job 3 becomes known to the app, job 2's charge moves to the held zone."""
    project.execute(
        f"UPDATE src.stripe__charge SET amount_refunded = 40000, _batch_id = 2 WHERE charge_id = '{uid('charge job 1')}'",
        f"UPDATE src.stripe__transfer SET amount_reversed = 40000, _batch_id = 3 WHERE charge_id = '{uid('charge job 1')}'",
        f"DELETE FROM src.stripe__charge WHERE charge_id = '{uid('charge job 2')}'",
        f"DELETE FROM src.stripe__transfer WHERE charge_id IN ('{uid('charge job 2')}', '{uid('charge job 3')}')",
        f"UPDATE src.app_db__booking SET customer_id = NULL, _batch_id = 4 WHERE booking_id = '{uid('job 5')}'",
    )
    project.insert("app_db__booking", booking(uid, "job 3", "200.01", "30.00"), batch=4)
    charge(project, uid, "job 6", 12_345, "2026-03-07", batch=5)


def test_payment_has_what_was_refunded_kept_and_passed_on(story: Story, uid: Uid) -> None:
    row = story.payments[uid("charge job 1")]
    assert (row["amount_ore"], row["fee_ore"], row["application_fee_ore"], row["transferred_ore"]) == (
        100_033,
        1_600,
        15_004,
        100_033,
    )
    assert (str(row["amount_nok"]), str(row["fee_nok"])) == ("1000.33", "16.00")
    assert row["charged_on"].isoformat() == "2026-03-02"
    later = story.later_payments[uid("charge job 1")]
    assert (later["refunded_ore"], later["transferred_ore"], str(later["transferred_nok"])) == (
        40_000,
        60_033,
        "600.33",
    )


def test_failed_charge_has_no_fee_and_is_not_paid(story: Story, uid: Uid) -> None:
    row = story.payments[uid("charge job 4")]
    assert (row["is_paid"], row["fee_ore"]) == (False, None)


@pytest.mark.parametrize(("name", "amount", "entries"), [("platform 1", 20_004, 6), ("provider 1", 144_530, 3)])
def test_payout_is_explained_to_the_ore(story: Story, uid: Uid, name: str, amount: int, entries: int) -> None:
    row = story.payouts[uid(name)]
    assert (row["amount_ore"], row["explained_ore"], row["difference_ore"], row["entry_count"]) == (
        amount,
        amount,
        0,
        entries,
    )
    assert row["is_explained"]


def test_payout_that_no_entry_explains_says_how_much_is_missing(story: Story, uid: Uid) -> None:
    row = story.payouts[uid("unexplained")]
    assert (row["difference_ore"], row["is_explained"], row["entry_count"]) == (777, False, 0)


def test_ledger_sets_the_app_against_stripe(story: Story, uid: Uid) -> None:
    assert {name: story.ledger[uid(name)]["status"] for name in ("job 1", "job 2", "job 3", "job 5")} == {
        "job 1": "matched",
        "job 2": "amount_differs",
        "job 3": "missing_in_app",
        "job 5": "missing_in_stripe",
    }
    assert story.ledger[uid("job 2")]["difference_ore"] == 1
    assert set(story.ledger) == {uid(name) for name in ("job 1", "job 2", "job 3", "job 5")}, "only what was paid"


def test_ledger_follows_what_becomes_known_later_and_what_moved_away(story: Story, uid: Uid) -> None:
    assert story.later_ledger[uid("job 3")]["status"] == "matched"
    assert story.later_ledger[uid("job 1")]["refunded_ore"] == 40_000
    assert story.later_ledger[uid("job 2")]["status"] == "missing_in_stripe"
    assert story.later_ledger[uid("job 5")]["customer_id"] is None
    assert uid("charge job 2") not in story.later_payments
    assert story.later_payments[uid("charge job 3")]["transferred_ore"] == 0


def test_days_add_up_to_the_change_of_the_balance(story: Story) -> None:
    first = story.days[0]
    assert first["day"].isoformat() == "2026-03-02"
    assert (first["charge_ore"], first["transfer_ore"], first["application_fee_ore"], first["fee_ore"]) == (
        150_033,
        -150_033,
        22_504,
        2_500,
    )
    assert first["net_ore"] == 20_004
    assert [day["refund_ore"] for day in story.days if day["day"].isoformat() == "2026-03-05"] == [-10_000]
    assert sum(day["other_ore"] for day in story.days) == 0


def test_increments_equal_a_full_build(story: Story) -> None:
    assert story.incremental == story.full


def test_build_is_clean_and_the_models_are_described(story: Story) -> None:
    (warned,) = story.first.failed()
    assert (warned[:18], story.first.statuses[warned]) == ("nothing_to_look_at", "warn")
    assert problems(story.project.manifest(), story.project.policy, "accounting") == []
    assert undescribed(story.project) == []
