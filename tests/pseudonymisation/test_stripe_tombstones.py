"""What Stripe has deleted or redacted is gone from every purpose, and no older payload brings it back."""

from typing import Any

from tests.pseudonymisation.conftest import Market, account, account_id

CREATED = 1780000000


def customer(object_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": object_id, "object": "customer", "created": CREATED, "delinquent": False, "metadata": {}, **fields}


def payment_method(object_id: str, owner: str) -> dict[str, Any]:
    card = {"fingerprint": f"print of {object_id}"}
    return {
        "id": object_id,
        "object": "payment_method",
        "created": CREATED,
        "customer": owner,
        "type": "card",
        "card": card,
    }


def charge(object_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": object_id, "object": "charge", "created": CREATED, "customer": "cus_1", "amount": 10_000, "paid": True,
        "status": "succeeded", "metadata": {}, "billing_details": {"name": "Navn Navnesen 1"},
        "payment_method_details": {"type": "card", "card": {"fingerprint": "print"}}, **fields,
    }  # fmt: skip


def two_customers(market: Market) -> None:
    """Account 1 has two customers at Stripe, account 2 one."""
    market.land("account", account(1, stripe_customer_id="cus_1"), account(2, stripe_customer_id="cus_2"))
    market.land_stripe(
        "customer",
        customer("cus_1"),
        customer("cus_1b", metadata={"account_id": account_id(1)}),
        customer("cus_2"),
    )
    market.land_stripe("payment_method", payment_method("pm_1", "cus_1"), payment_method("pm_2", "cus_2"))
    market.land_stripe("charge", charge("ch_1"))
    market.load()


def deleted(object_id: str) -> dict[str, Any]:
    return {"id": object_id, "object": "customer", "deleted": True}


def test_a_deleted_customer_takes_along_what_was_theirs_alone_and_stays_away(market: Market) -> None:
    two_customers(market)
    assert len(market.rows("fraud", "stripe__customer")) == 3
    market.land_stripe("customer", deleted("cus_2"))
    market.load()
    assert len(market.rows("fraud", "stripe__payment_method")) == 1
    market.land_stripe("customer", customer("cus_2"))
    market.land_stripe("payment_method", payment_method("pm_2", "cus_2"))
    market.load()
    assert len(market.rows("fraud", "stripe__customer")) == 2
    assert len(market.rows("fraud", "stripe__payment_method")) == 1
    assert len(market.rows("accounting", "stripe__charge")) == 1, "a payment is not the customer's alone"


def test_who_has_another_customer_at_stripe_keeps_what_may_be_that_ones(market: Market) -> None:
    two_customers(market)
    market.land_stripe("customer", deleted("cus_1"))
    market.load()
    assert len(market.rows("fraud", "stripe__customer")) == 2
    assert len(market.rows("fraud", "stripe__payment_method")) == 2
    market.land_stripe("customer", deleted("cus_1b"))
    market.load()
    assert len(market.rows("fraud", "stripe__payment_method")) == 1


def test_what_this_key_can_merely_not_reach_comes_back(market: Market) -> None:
    two_customers(market)
    market.land_stripe_keys("customer", "cus_1", "cus_1b")
    market.load()
    assert len(market.rows("fraud", "stripe__customer")) == 2
    market.land_stripe("customer", customer("cus_2"))
    market.load()
    assert len(market.rows("fraud", "stripe__customer")) == 3


def test_a_redacted_field_is_null_in_every_purpose_and_no_older_payload_brings_it_back(market: Market) -> None:
    two_customers(market)
    assert market.rows("accounting", "stripe__charge")[0]["billing_name"] == "Navn Navnesen 1"
    details = {"type": "card", "card": {"fingerprint": "[redacted]"}}
    redacted = charge("ch_1", billing_details={"name": "[redacted]"}, payment_method_details=details)
    market.land_stripe("charge", redacted)
    market.load()
    assert market.rows("accounting", "stripe__charge")[0]["billing_name"] is None
    assert market.rows("fraud", "stripe__charge")[0]["card_fingerprint"] is None
    market.land_stripe("charge", charge("ch_1", disputed=True))
    market.load()
    stale = market.rows("accounting", "stripe__charge")[0]
    assert (stale["billing_name"], stale["is_disputed"]) == (None, True), "the rest of it is news"
    assert market.rows("fraud", "stripe__charge")[0]["card_fingerprint"] is None
    assert market.query("fraud", "SELECT count(*) AS n FROM purpose.src._compaction_due")[0]["n"] > 0


def test_redacted_ids_make_nobody_the_same_person(market: Market) -> None:
    market.land("account", account(1), account(2))
    market.land_stripe("customer", customer("cus_1", metadata={"account_id": "[redacted]"}))
    market.land_stripe("customer", customer("cus_2", metadata={"account_id": "[redacted]"}))
    market.load()
    assert len({row["account_id"] for row in market.rows("fraud", "stripe__customer")}) == 2


def test_the_vault_holds_no_id_of_what_is_tombstoned_and_each_only_once(market: Market) -> None:
    two_customers(market)
    for _ in range(2):
        market.land_stripe("customer", deleted("cus_2"))
        market.load()
    rows = market.vault("SELECT * FROM vault.stripe_tombstone")
    assert len(rows) == 1
    assert "cus_2" not in str(rows)
