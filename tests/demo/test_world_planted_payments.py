"""The kinds of fraud that a larger world has beside: cards, promotions, bans, identities; each leaves its traces."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from demo.world.cast import FRAUD_ROLES
from pseudonymisation.registries.validity import is_bank_account, is_org_number
from tests.demo.conftest import World, file_bytes, make_world
from tests.demo.test_world_planted import accounts_of, customer_of

SIZE = {"accounts": 200, "bookings": 500, "events": 800}


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("roomy-world"), **SIZE)


def cards_paid_with(world: World, account: str) -> Counter[str]:
    """Fingerprints of the cards of an account's successful payments."""
    customer = customer_of(world)[account]
    paid = [one for one in world.objects("charge") if one["customer"] == customer and one["status"] == "succeeded"]
    return Counter(one["payment_method_details"]["card"]["fingerprint"] for one in paid)


def warned(world: World) -> set[str]:
    return {warning["charge"] for warning in world.objects("radar.early_fraud_warning")}


def test_every_kind_is_there_once_there_is_room(roomy: World) -> None:
    assert {row["kind"] for row in roomy.truth("fraud")} == set(FRAUD_ROLES)


def test_the_same_seed_gives_the_same_bytes(roomy: World, tmp_path: Path) -> None:
    assert file_bytes(make_world(tmp_path, **SIZE).folder) == file_bytes(roomy.folder)


def test_card_testing_is_a_card_a_payment_and_each_card_a_payment_method(roomy: World) -> None:
    methods = {
        one["id"]: one["card"]["fingerprint"] for one in roomy.objects("payment_method") if one["type"] == "card"
    }
    for (thief,) in accounts_of(roomy, "card_testing").values():
        assert sorted(cards_paid_with(roomy, thief).values()) == [1] * 5
    for charge in roomy.objects("charge"):
        if charge["payment_method_details"]["type"] == "card":
            assert methods[charge["payment_method"]] == charge["payment_method_details"]["card"]["fingerprint"]


def test_bust_out_ends_with_a_payment_far_above_the_ones_before(roomy: World) -> None:
    bookings = roomy.table("booking")
    for (customer,) in accounts_of(roomy, "bust_out").values():
        prices = bookings.filter(pl.col("customer_id") == customer).sort("paid_at")["price_nok"].to_list()
        assert prices[-1] > 5 * max(prices[:-1])


def test_cash_out_is_jobs_done_in_minutes_and_paid_with_stolen_cards(roomy: World) -> None:
    bookings = roomy.table("booking")
    for group, (provider,) in accounts_of(roomy, "cash_out", "provider").items():
        jobs = bookings.filter(pl.col("provider_id") == provider)
        assert set(jobs["customer_id"]) == set(accounts_of(roomy, "cash_out", "thief")[group])
        assert jobs.filter(pl.col("completed_at") - pl.col("booked_at") > timedelta(minutes=30)).height == 0
    thieves = [thief for group in accounts_of(roomy, "cash_out", "thief").values() for thief in group]
    assert all(set(cards_paid_with(roomy, thief).values()) == {1} for thief in thieves)
    assert warned(roomy)


def test_promotion_is_redeemed_by_accounts_on_one_device(roomy: World) -> None:
    accounts, logins = roomy.table("account"), roomy.table("login")
    for members in accounts_of(roomy, "promotion_abuse").values():
        own = accounts.filter(pl.col("account_id").is_in(members))
        assert own["referral_code"].unique().len() == 1
        assert own["referral_code"].null_count() == 0
        devices = (
            logins.filter(pl.col("account_id").is_in(members)).group_by("device_id").agg(pl.n_unique("account_id"))
        )
        assert devices["account_id"].max() == len(members)


def test_account_that_is_lent_goes_over_many_devices_and_networks(roomy: World) -> None:
    logins = roomy.table("login").filter(pl.col("success"))
    for (holder,) in accounts_of(roomy, "lent_account").values():
        own = logins.filter(pl.col("account_id") == holder)
        newest = own.filter(pl.col("at") > own["at"].max() - timedelta(days=24))  # type: ignore[operator]
        assert newest["device_id"].n_unique() >= 9
        assert newest["ip"].n_unique() >= 25


def test_who_was_banned_is_back_with_a_new_account_on_the_same_device(roomy: World) -> None:
    accounts, logins, bans = roomy.table("account"), roomy.table("login"), roomy.table("account_ban")
    for group, (banned,) in accounts_of(roomy, "ban_evasion", "banned").items():
        (returned,) = accounts_of(roomy, "ban_evasion", "returned")[group]
        banned_at = bans.filter(pl.col("account_id") == banned)["banned_at"][0]
        assert accounts.filter(pl.col("account_id") == returned)["created_at"][0] > banned_at
        of_both = logins.filter(pl.col("account_id").is_in([banned, returned]))
        assert of_both.group_by("device_id").agg(pl.n_unique("account_id"))["account_id"].max() == 2
        assert logins.filter(pl.col("account_id") == returned)["at"].min() > banned_at


def test_false_company_states_numbers_that_nobody_has_and_a_double_one_another_s_identity(roomy: World) -> None:
    profiles, accounts = roomy.table("provider_profile"), roomy.table("account")
    for (provider,) in accounts_of(roomy, "false_company").values():
        profile = profiles.filter(pl.col("account_id") == provider).row(0, named=True)
        assert not is_bank_account(profile["bank_account"])
        assert not is_org_number(profile["org_number"])
    for members in accounts_of(roomy, "duplicate_identity").values():
        assert accounts.filter(pl.col("account_id").is_in(members))["national_id"].n_unique() == 1
