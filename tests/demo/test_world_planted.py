"""Planted cases: every kind of fraud leaves its traces, every privacy request is in the state that the truth says."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from demo.world.cast import FRAUD_ROLES, PRIVACY_ROLES, fraud_kinds, planned
from demo.world.privacy import CASES
from tests.demo.conftest import World


def accounts_of(world: World, kind: str, role: str | None = None) -> dict[int, list[str]]:
    """Planted accounts of one kind, by group."""
    groups: dict[int, list[str]] = {}
    for row in world.truth("fraud"):
        if row["kind"] == kind and role in (None, row["role"]):
            groups.setdefault(row["group"], []).append(row["account_id"])
    assert groups, f"no {kind} planted"
    return groups


def customer_of(world: World) -> dict[str, str]:
    return dict(world.table("account").select("account_id", "stripe_customer_id").rows())


def fingerprints(world: World) -> dict[str, str]:
    """Card fingerprint by account."""
    methods = [method for method in world.objects("payment_method") if method["type"] == "card"]
    return {method["metadata"]["account_id"]: method["card"]["fingerprint"] for method in methods}


def test_the_truth_names_every_kind_and_only_accounts_that_exist(world: World) -> None:
    truth = world.truth("fraud")
    assert {row["kind"] for row in truth} == set(fraud_kinds(60))
    ids = [row["account_id"] for row in truth]
    assert len(set(ids)) == len(ids)
    assert set(ids) <= set(world.table("account")["account_id"])


@pytest.mark.parametrize("accounts", [1_000, 2_000, 20_000, 200_000])
def test_three_to_five_percent_of_the_accounts_are_fraudulent(accounts: int) -> None:
    cast = planned(accounts)
    frauds = cast.filter(pl.col("cast").is_in(list(FRAUD_ROLES))).height
    assert 0.03 <= frauds / accounts <= 0.05
    assert cast.height < accounts * 0.1


def test_a_ring_shares_a_card(world: World) -> None:
    cards = fingerprints(world)
    for members in accounts_of(world, "shared_cards").values():
        assert len({cards[account] for account in members}) == 1
        assert list(cards.values()).count(cards[members[0]]) == len(members)


def test_a_ring_shares_a_device(world: World) -> None:
    logins = world.table("login")
    for members in accounts_of(world, "shared_devices").values():
        per_device = (
            logins.filter(pl.col("account_id").is_in(members))
            .group_by("device_id")
            .agg(pl.col("account_id").n_unique())
        )
        assert per_device["account_id"].max() == len(members)


def test_self_dealing_pairs_book_each_other_on_one_card_and_praise_it(world: World) -> None:
    cards, bookings = fingerprints(world), world.table("booking")
    accounts, reviews = world.table("account"), world.table("review")
    for group, (customer,) in accounts_of(world, "self_dealing", "customer").items():
        (provider,) = accounts_of(world, "self_dealing", "provider")[group]
        between = bookings.filter((pl.col("customer_id") == customer) & (pl.col("provider_id") == provider))
        assert between.height >= 5
        assert between["paid_at"].null_count() == 0
        assert accounts.filter(pl.col("account_id").is_in([customer, provider]))["phone"].n_unique() == 1
        praise = reviews.filter((pl.col("author_id") == customer) & (pl.col("subject_id") == provider))
        assert praise.height >= 5
        assert praise["rating"].min() == 5
        assert customer in cards


def test_fake_reviews_come_in_bursts_without_a_booking(world: World) -> None:
    reviews = world.table("review")
    for group, (provider,) in accounts_of(world, "fake_reviews", "provider").items():
        authors = accounts_of(world, "fake_reviews", "author")[group]
        fake = reviews.filter((pl.col("subject_id") == provider) & pl.col("author_id").is_in(authors))
        assert fake.height >= 4
        assert fake["booking_id"].null_count() == fake.height
        assert fake["created_at"].max() - fake["created_at"].min() <= timedelta(days=3)  # type: ignore[operator]


def test_a_takeover_is_failed_logins_from_abroad_then_one_that_works_then_another_bank_account(world: World) -> None:
    logins, profiles = world.table("login").sort("at"), world.table("provider_profile")
    for (victim,) in accounts_of(world, "account_takeover").values():
        foreign = logins.filter((pl.col("account_id") == victim) & pl.col("country").is_in(["RO", "NG", "VN"]))
        assert foreign["success"].to_list() == [False] * 5 + [True]
        assert foreign["device_id"].n_unique() == 1
        changed = profiles.filter(pl.col("account_id") == victim)["updated_at"][0]
        assert timedelta() < changed - foreign["at"].max() < timedelta(hours=1)


def test_contact_outside_the_platform_is_offered_before_a_booking(world: World) -> None:
    messages = world.table("message")
    for (provider,) in accounts_of(world, "off_platform_contact").values():
        offers = messages.filter((pl.col("sender_id") == provider) & pl.col("booking_id").is_null())
        assert offers.filter(pl.col("body").str.contains("Vipps|gebyret|uten Leii")).height >= 4
        assert offers["recipient_id"].n_unique() >= 4


def test_stolen_cards_are_declined_warned_of_and_disputed(world: World) -> None:
    customers = customer_of(world)
    charges = world.objects("charge")
    for (thief,) in accounts_of(world, "stolen_cards").values():
        own = [charge for charge in charges if charge["customer"] == customers[thief]]
        ids = {charge["id"] for charge in own}
        assert Counter(charge["status"] for charge in own)["failed"] >= 9
        assert len([w for w in world.objects("radar.early_fraud_warning") if w["charge"] in ids]) == 3
        assert {d["reason"] for d in world.objects("dispute") if d["charge"] in ids} == {"fraudulent"}


@pytest.mark.parametrize("kind", ["spam", "harassment"])
def test_spam_and_harassment_are_complained_of_and_stopped(world: World, kind: str) -> None:
    cases, accounts = world.table("support_case"), world.table("account")
    for (sender,) in accounts_of(world, kind).values():
        about = cases.filter((pl.col("about_account_id") == sender) & (pl.col("topic") == kind))
        assert about.height >= 3
        assert accounts.filter(pl.col("account_id") == sender)["status"][0] == "suspended"


def test_households_that_share_an_address_are_nobodys_fraud(world: World) -> None:
    frauds = {row["account_id"] for row in world.truth("fraud")}
    shared = world.table("account").group_by("address_line", "postal_code").agg("account_id")
    households = [ids for ids in shared["account_id"].to_list() if len(ids) > 1]
    assert households
    assert not any(set(ids) <= frauds for ids in households)


def erasure_state(world: World, request: dict[str, Any]) -> str:
    """The state of an erasure request by the rules of R19, worked out from what the sources say alone."""
    if request["withdrawn_at"] is not None:
        return "refused"
    if request["identity_verified_at"] is None:
        return "waiting_for_identity"
    account = pl.lit(request["account_id"])
    jobs = world.table("booking").filter((pl.col("customer_id") == account) | (pl.col("provider_id") == account))
    if not jobs.height:
        return "done"
    disputed = {
        int(dispute["metadata"]["booking_id"])
        for dispute in world.objects("dispute")
        if dispute["status"] == "needs_response"
    }
    claimed = (
        world.table("insurance_claim").filter(pl.col("status").is_in(["filed", "approved"]))["booking_id"].to_list()
    )
    is_open = pl.col("status").is_in(["booked", "in_progress"])
    unpaid = (pl.col("status") == "completed") & pl.col("paid_at").is_null()
    held = jobs.filter(is_open | unpaid | pl.col("booking_id").is_in(list(disputed) + claimed))
    if held.height:
        return "held"
    last = jobs.select(pl.max_horizontal("completed_at", "paid_at").max()).item()
    now = datetime.fromtimestamp(world.now, UTC)
    return "waiting" if last is not None and last + timedelta(days=30) > now else "done"


def test_every_case_of_the_erasure_rules_is_there_in_the_state_that_it_must_reach(world: World) -> None:
    truth = {row["privacy_request_id"]: row for row in world.truth("privacy_requests")}
    requests = world.table("privacy_request")
    assert set(truth) == set(requests["privacy_request_id"])
    not_yet = {"new_request", "vanishing"}
    assert {row["case"] for row in truth.values()} == set(CASES) - not_yet == set(PRIVACY_ROLES) - not_yet
    for request in requests.filter(pl.col("kind") == "erasure").iter_rows(named=True):
        row = truth[request["privacy_request_id"]]
        assert erasure_state(world, request) == row["expected_state"], row["case"]
    states = {row["expected_state"] for row in truth.values() if row["kind"] == "erasure"}
    assert states == {"waiting_for_identity", "waiting", "held", "done", "refused"}
    assert {row["kind"] for row in truth.values()} == {"erasure", "access", "rectification"}


def test_an_account_can_ask_twice_and_both_parties_of_a_booking_can_ask(world: World) -> None:
    by_case: dict[str, list[str]] = {}
    for row in world.truth("privacy_requests"):
        by_case.setdefault(row["case"], []).append(row["account_id"])
    twice = by_case["second_request"]
    assert len(twice) == 2 * len(set(twice))
    parties = by_case["both_parties"]
    bookings = world.table("booking")
    both = bookings.filter(pl.col("customer_id").is_in(parties) & pl.col("provider_id").is_in(parties))
    assert both.height == len(parties) // 2


def test_the_banned_account_that_asks_is_banned(world: World) -> None:
    banned = set(world.table("account_ban").filter(pl.col("lifted_at").is_null())["account_id"])
    askers = {row["account_id"] for row in world.truth("privacy_requests") if row["case"] == "banned"}
    assert askers <= banned


def test_the_pipeline_s_sources_say_nothing_of_the_truth(world: World) -> None:
    for file in (world.folder / "stripe").glob("*.jsonl"):
        text = file.read_text(encoding="utf-8")
        assert not any(kind in text for kind in ("self_dealing", "privacy:", "cast_group"))
    assert "truth" not in json.dumps(sorted(p.name for p in (world.folder / "app_db").iterdir()))
