"""Stripe's side of a world: shapes field for field, money that adds up, events that tell of what is there."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import polars as pl
import pytest

from demo.world.books import KINDS
from demo.world.shapes import SHAPES
from demo.world.spec import DAY
from demo.world.stripe_templates import OBJECT_TYPES
from tests.demo.conftest import World

# Where the fields follow the kind of payment, or the customer's own words, and not the shape.
FREE = {"metadata", "last_payment_error", "payment_method_details", "destination_details", "fee_details"}
OF_THE_APP = ("payment_missing_in_stripe", "payment_missing_in_app", "amount_differs", "fee_differs")
OF_CONNECTED_ACCOUNTS = {"person", "bank_account", "payout", "balance_transaction", "event"}


def difference(shape: Any, made: Any, path: str = "") -> list[str]:
    """Where the made object has other fields than the shape; a null says nothing of its fields."""
    if isinstance(shape, dict) and isinstance(made, dict):
        if set(shape) != set(made):
            return [f"{path}: {sorted(set(shape) ^ set(made))}"]
        return [d for key in shape if key not in FREE for d in difference(shape[key], made[key], f"{path}.{key}")]
    if isinstance(shape, list) != isinstance(made, list) and None not in (shape, made):
        return [f"{path}: {type(made).__name__} in place of {type(shape).__name__}"]
    if isinstance(shape, bool) and made is not None and not isinstance(made, bool):
        return [f"{path}: {made!r} in place of a truth value"]
    return []


def plain(thing: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in thing.items() if not key.startswith("_")}


@pytest.mark.parametrize("kind", [kind for kind in OBJECT_TYPES if kind not in ("event", "payment_method")])
def test_objects_have_the_fields_of_their_shape_and_no_others(world: World, kind: str) -> None:
    things = world.objects(kind)
    assert things
    for thing in things:
        assert thing["object"] == kind
        if thing.get("deleted"):
            assert thing == {"id": thing["id"], "object": "customer", "deleted": True}
        else:
            assert difference(SHAPES[kind], plain(thing)) == []


def test_payment_methods_have_the_sub_object_of_their_kind(world: World) -> None:
    common = {key: value for key, value in SHAPES["payment_method"].items() if key != "card"}
    methods = world.objects("payment_method")
    assert {method["type"] for method in methods} == {"card", "klarna", "vipps"}
    for method in methods:
        own = method.pop(method["type"])
        assert difference(common, method) == []
        if method["type"] == "card":
            assert difference(SHAPES["payment_method"]["card"], own) == []
    for charge in world.objects("charge"):
        details = charge["payment_method_details"]
        assert set(details) == {"type", details["type"]}
        if details["type"] == "card":
            shape = SHAPES["charge"]["payment_method_details"]["card"]
            assert difference(shape, details["card"]) == []


@pytest.mark.parametrize("kind", OBJECT_TYPES)
def test_lines_are_sorted_and_ids_are_used_once(world: World, kind: str) -> None:
    things = world.objects(kind)
    ids = [thing["id"] for thing in things]
    assert len(set(ids)) == len(ids)
    things = [thing for thing in things if not thing.get("deleted")]
    order = [
        (thing.get("created", 0) if kind not in ("person", "bank_account") else 0, thing["id"]) for thing in things
    ]
    if kind != "bank_account":
        assert order == sorted(order)
    assert all(thing.get("created", 0) <= world.now for thing in things)
    assert all(("_account" in thing) <= (kind in OF_CONNECTED_ACCOUNTS) for thing in things)


def test_there_is_an_account_for_each_published_provider_and_a_customer_for_each_customer_id(world: World) -> None:
    profiles = world.table("provider_profile")
    published = profiles.filter(pl.col("published_at").is_not_null())
    assert {a["id"] for a in world.objects("account")} == set(published["stripe_account_id"])
    assert {p["account"] for p in world.objects("person")} == set(published["stripe_account_id"])
    assert {b["_account"] for b in world.objects("bank_account")} == set(published["stripe_account_id"])
    customers = dict(world.table("account").select("stripe_customer_id", "email").drop_nulls().rows())
    listed = [customer for customer in world.objects("customer") if not customer.get("deleted")]
    assert {c["id"]: c["email"] for c in listed} == customers
    assert len(listed) < len(world.objects("customer")), "some have been deleted with their account"


def planted(world: World, reason: str) -> dict[str, Any]:
    """The one disagreement of a kind that is in the books."""
    (found,) = [row for row in world.truth("reconciliation") if row["reason"] == reason]
    return found


def test_the_books_have_a_disagreement_of_every_kind_and_payouts_of_both_sides(world: World) -> None:
    reasons = Counter(row["reason"] for row in world.truth("reconciliation"))
    assert reasons == dict.fromkeys(KINDS, 1) | {"payout_not_explained": 2}


def test_what_the_app_calls_paid_is_charged_to_the_oere_but_for_what_is_planted(world: World) -> None:
    off = [row["booking_id"] for row in world.truth("reconciliation") if row["reason"] in OF_THE_APP]
    paid = world.table("booking").filter(pl.col("paid_at").is_not_null() & ~pl.col("booking_id").is_in(off))
    expected = {
        row["stripe_payment_intent_id"]: (round(row["price_nok"] * 100), round(row["platform_fee_nok"] * 100))
        for row in paid.iter_rows(named=True)
    }
    charges = [
        charge
        for charge in world.objects("charge")
        if charge["paid"] and int(charge["metadata"]["booking_id"]) not in off
    ]
    assert {c["payment_intent"]: (c["amount"], c["application_fee_amount"]) for c in charges} == expected
    intents = {intent["id"]: intent for intent in world.objects("payment_intent")}
    assert len(intents) == world.table("booking").height
    for charge in charges:
        intent = intents[charge["payment_intent"]]
        assert (intent["status"], intent["amount_received"]) == ("succeeded", charge["amount"])
        assert intent["latest_charge"] == charge["id"]
        assert charge["currency"] == "nok"
        assert charge["metadata"].keys() == {"account_id", "booking_id"}


def test_every_object_that_another_one_names_is_there(world: World) -> None:
    ids = {kind: {thing["id"] for thing in world.objects(kind)} for kind in OBJECT_TYPES}
    for kind, field, target in (
        ("charge", "customer", "customer"), ("charge", "payment_method", "payment_method"),
        ("charge", "application_fee", "application_fee"), ("charge", "balance_transaction", "balance_transaction"),
        ("refund", "charge", "charge"), ("refund", "transfer_reversal", "transfer_reversal"),
        ("refund", "balance_transaction", "balance_transaction"), ("dispute", "charge", "charge"),
        ("radar.early_fraud_warning", "charge", "charge"), ("review", "charge", "charge"),
        ("transfer", "source_transaction", "charge"), ("transfer", "destination", "account"),
        ("transfer", "balance_transaction", "balance_transaction"), ("transfer_reversal", "transfer", "transfer"),
        ("application_fee", "originating_transaction", "charge"), ("fee_refund", "fee", "application_fee"),
        ("payout", "balance_transaction", "balance_transaction"),
    ):  # fmt: skip
        for thing in world.objects(kind):
            assert thing[field] is None or thing[field] in ids[target], f"{kind}.{field}"


def mended(world: World, kind: str) -> list[dict[str, Any]]:
    """Payouts, or the balance transactions, as they would be if no payout were off."""
    off = {row["payout_id"]: row["difference_ore"] for row in world.truth("reconciliation") if row["payout_id"]}
    things = world.objects(kind)
    for thing in things:
        if kind == "payout":
            thing["amount"] -= off.get(thing["id"], 0)
        else:
            thing["net"] += off.get(thing["source"], 0)
    return things


def payouts_explained(entries: list[dict[str, Any]], payouts: list[dict[str, Any]]) -> int:
    """Holds each payout against the balance transactions that were available by then; gives how many there were."""
    by_account: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        by_account[entry.get("_account")].append(entry)
    paid: Counter[str | None] = Counter()
    for payout in sorted(payouts, key=lambda p: p["created"]):
        account = payout.get("_account")
        available = sum(
            e["net"] for e in by_account[account] if e["type"] != "payout" and e["available_on"] < payout["created"]
        )
        assert payout["amount"] == available - paid[account] > 0
        paid[account] += payout["amount"]
        own = [e for e in by_account[account] if e["source"] == payout["id"]]
        assert [(e["id"], e["net"]) for e in own] == [(payout["balance_transaction"], -payout["amount"])]
    return len(payouts)


def test_the_balance_transactions_explain_every_payout_to_the_oere(world: World) -> None:
    payouts = mended(world, "payout")
    assert payouts_explained(mended(world, "balance_transaction"), payouts) > 50
    assert None in {payout.get("_account") for payout in payouts}


def test_a_payout_is_the_sum_of_the_balance_transactions_that_say_so(world: World) -> None:
    nets: Counter[str] = Counter()
    for entry in world.objects("balance_transaction"):
        if "_payout" in entry:
            nets[entry["_payout"]] += entry["net"]
    assert nets == Counter({payout["id"]: payout["amount"] for payout in mended(world, "payout")})


def test_balance_transactions_are_net_of_their_fees_and_the_platform_keeps_its_own(world: World) -> None:
    entries = world.objects("balance_transaction")
    for entry in entries:
        assert entry["net"] == entry["amount"] - entry["fee"]
        assert sum(fee["amount"] for fee in entry["fee_details"]) == entry["fee"]
    fees = {fee["id"]: fee["amount"] for fee in world.objects("application_fee")}
    earned = {entry["source"]: entry["amount"] for entry in entries if entry["type"] == "application_fee"}
    wrong = planted(world, "balance_differs")
    (fee,) = [
        fee["id"] for fee in world.objects("application_fee") if fee["originating_transaction"] == wrong["charge_id"]
    ]
    assert earned == fees | {fee: fees[fee] + wrong["difference_ore"]}
    refunded = sum(fee["amount_refunded"] for fee in world.objects("application_fee"))
    assert refunded == sum(refund["amount"] for refund in world.objects("fee_refund"))


def test_events_reach_back_30_days_and_show_the_object_as_it_was(world: World) -> None:
    events = world.objects("event")
    shown: dict[str, Any] = {}
    for event in events:
        assert (
            difference(
                {k: v for k, v in SHAPES["event"].items() if k != "data"},
                {k: v for k, v in plain(event).items() if k != "data"},
            )
            == []
        )
        assert world.now - 30 * DAY < event["created"] <= world.now
        assert event["api_version"] == "2026-10-28.endive"
        thing = event["data"]["object"]
        assert event["type"].startswith(("account", "charge.dispute", "customer", "radar", "identity", thing["object"]))
        shown[thing["id"]] = thing
    assert {"charge.succeeded", "payment_intent.succeeded", "payment_intent.created", "payout.paid"} <= {
        e["type"] for e in events
    }
    newest = {c["id"]: c for c in world.objects("charge")}
    for thing in shown.values():
        if thing["object"] == "charge":
            assert thing == newest[thing["id"]], "the last event about a charge shows it as it is"


def test_lines_are_json_of_one_line_each(world: World) -> None:
    for kind in OBJECT_TYPES:
        text = (world.folder / "stripe" / f"{kind}.jsonl").read_text(encoding="utf-8")
        assert text.endswith("\n")
        assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
