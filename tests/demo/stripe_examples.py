"""Objects for the tests of the double of Stripe's API, made out of the examples that Stripe publishes."""

import copy
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import demo

Object = dict[str, Any]

EXAMPLES: dict[str, Object] = json.loads(
    (Path(demo.__file__).parent / "stripe_objects.json").read_text(encoding="utf-8")
)
NOW = datetime(2026, 11, 15, 6, tzinfo=UTC)
TODAY = int(NOW.timestamp())
DAY = 86_400
SHOP, SALON = "acct_shop", "acct_salon"  # two connected accounts
CHARGES = 250


def example(type_name: str, object_id: str, **changes: Any) -> Object:
    """An object in Stripe's shape under another id, today's if nothing else is said."""
    made = copy.deepcopy(EXAMPLES[type_name]) | {"id": object_id}
    if "created" in made:
        made["created"] = TODAY - DAY
    return made | changes


def write_objects(folder: Path, objects: Iterable[Object]) -> None:
    """One file a type, in the order given."""
    lines: dict[str, list[str]] = {}
    for made in objects:
        lines.setdefault(made["object"], []).append(json.dumps(made))
    folder.mkdir(parents=True, exist_ok=True)
    for type_name, written in lines.items():
        temporary = folder / f".{type_name}.new"
        temporary.write_text("\n".join(written) + "\n", encoding="utf-8")
        temporary.replace(folder / f"{type_name}.jsonl")


def marketplace() -> list[Object]:
    """A small marketplace with at least one object of every type that the double lists."""
    return [*_accounts(), *_customers(), *_charges(), *_after_the_charge(), *_payouts(), *_events()]


def _accounts() -> list[Object]:
    return [
        example("account", SHOP, created=TODAY - 9 * DAY),
        example("account", SALON, created=TODAY - 8 * DAY),
        {"id": "acct_gone", "object": "account", "deleted": True},
        example("person", "person_1", account=SHOP, created=TODAY - 9 * DAY),
        example("person", "person_2", account=SHOP, created=TODAY - 7 * DAY),
        example("person", "person_3", account=SALON),
        example("bank_account", "ba_1", _account=SHOP),
        example("bank_account", "ba_2", account=SALON),
        example("card", "card_1", _account=SHOP),
    ]


def _customers() -> list[Object]:
    return [
        example("customer", "cus_1", email="first@example.com"),
        example("customer", "cus_2", email="second@example.com", created=TODAY - 3 * DAY),
        {"id": "cus_gone", "object": "customer", "deleted": True},
        example("payment_method", "pm_1", customer="cus_1"),
        example("payment_method", "pm_2", customer="cus_1", type="klarna", created=TODAY - 2 * DAY),
        example("payment_method", "pm_3", customer="cus_2"),
    ]


def _charges() -> list[Object]:
    """One charge an hour, the newest first; `ch_0` is linked to everything else."""
    linked = {
        "balance_transaction": "txn_0",
        "customer": "cus_1",
        "payment_intent": "pi_0",
        "payment_method": "pm_1",
        "transfer_group": "group_0",
    }
    others: Object = {"balance_transaction": None, "customer": "cus_2"}
    return [
        example("payment_intent", "pi_0", customer="cus_1", latest_charge="ch_0"),
        example("payment_intent", "pi_1", customer="cus_gone", transfer_data={"destination": SHOP}),
        *(
            example("charge", f"ch_{number}", created=TODAY - number * 3600, **(others if number else linked))
            for number in range(CHARGES)
        ),
        example("charge", "py_1", _account=SHOP, source_transfer="tr_1", customer=None),
    ]


def _after_the_charge() -> list[Object]:
    return [
        example("refund", "re_1", charge="ch_0", payment_intent="pi_0"),
        example("refund", "re_2", charge="ch_9", created=TODAY - 5 * DAY),
        example("dispute", "dp_1", charge="ch_0", payment_intent="pi_0"),
        example("dispute", "dp_2", charge="ch_0", created=TODAY - 5 * DAY),
        example("transfer", "tr_1", destination=SHOP, destination_payment="py_1", source_transaction="ch_0"),
        example("transfer", "tr_2", destination=SALON),
        example("transfer_reversal", "trr_1", transfer="tr_1"),
        example("application_fee", "fee_1", account=SHOP, charge="ch_0"),
        example("fee_refund", "fr_1", fee="fee_1"),
        example("radar.early_fraud_warning", "issfr_1", charge="ch_0"),
        example("review", "prv_1", charge="ch_0"),
        example("identity.verification_session", "vs_1", status="verified"),
        example("identity.verification_session", "vs_2", status="requires_input"),
    ]


def _payouts() -> list[Object]:
    return [
        example("balance_transaction", "txn_0", source="ch_0", _payout="po_1"),
        example("balance_transaction", "txn_1", source="re_1", type="refund", created=TODAY - 2 * DAY),
        example("topup", "tu_1"),
        example("payout", "po_1", arrival_date=TODAY, status="paid"),
        example("payout", "po_2", arrival_date=TODAY + 2 * DAY, created=TODAY),
        example("payout", "po_shop", _account=SHOP, destination="ba_1"),
        example("balance_transaction", "txn_shop", _account=SHOP, source="py_1"),
    ]


def _events() -> list[Object]:
    return [
        example("event", "evt_1", type="charge.succeeded", created=TODAY - 10),
        example("event", "evt_2", type="charge.refunded", created=TODAY - 20),
        example("event", "evt_3", type="customer.updated", created=TODAY - 29 * DAY),
        example("event", "evt_old", type="charge.succeeded", created=TODAY - 31 * DAY),
        example("event", "evt_shop", type="payout.paid", created=TODAY - 30, _account=SHOP),
    ]
