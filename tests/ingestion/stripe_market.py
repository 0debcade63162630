"""A small marketplace in Stripe for the tests: its objects, changes to them, and what landing must hold of them."""

import copy
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import demo
from demo.stripe_cli import StripeDouble, start_stripe_double
from ingestion.landing import Landing
from ingestion.stripe_objects import BY_NAME, Owner
from storage import Workspace

Object = dict[str, Any]
Landed = dict[str, dict[str, tuple[str | None, int | None, bool, Object]]]

EXAMPLES: dict[str, Object] = json.loads((Path(demo.__file__).parent / "stripe_objects.json").read_text())
START = datetime(2026, 11, 15, 6, tzinfo=UTC)
DAY, HOUR = 86_400, 3_600
PROVIDERS = ("acct_1A", "acct_1B", "acct_1C")


@dataclass(kw_only=True)
class Market:
    """The objects by id, and the time; nothing is served until `write`."""

    folder: Path
    now: int = int(START.timestamp())
    objects: dict[str, Object] = field(default_factory=dict)
    events: int = 0

    def put(self, kind: str, object_id: str, **changes: Any) -> Object:
        """A new object in Stripe's shape, created now unless something else is said."""
        made = copy.deepcopy(EXAMPLES[kind]) | {"id": object_id}
        if "created" in made:
            made["created"] = self.now
        self.objects[object_id] = made | changes
        return self.objects[object_id]

    def change(self, object_id: str, event: str | None = None, **changes: Any) -> None:
        """Change an object; with `event`, Stripe tells of it and shows the object as it was before."""
        if event is not None:
            self.tell(event, object_id)
        self.objects[object_id] |= changes

    def delete(self, object_id: str, event: str | None = None) -> None:
        if event is not None:
            self.tell(event, object_id)
        kind = self.objects[object_id]["object"]
        self.objects[object_id] = {"id": object_id, "object": kind, "deleted": True}

    def tell(self, event: str, object_id: str, *, account: str | None = None) -> None:
        """An event about an object, in the list of the connected account that it belongs to."""
        value = self.objects[object_id]
        owner = account or value.get("_account") or (value["account"] if value["object"] == "person" else None)
        whose = {"account": owner, "_account": owner} if owner else {}
        self.events += 1
        shown = {key: field for key, field in value.items() if not key.startswith("_")}
        self.put(
            "event",
            f"evt_{self.events:05d}",
            type=event,
            data={"object": copy.deepcopy(shown)},
            **whose,
        )

    def write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines: dict[str, list[str]] = {}
        for value in self.objects.values():
            lines.setdefault(value["object"], []).append(json.dumps(value))
        for kind, written in lines.items():
            temporary = self.folder / f".{kind}.new"
            temporary.write_text("\n".join(written) + "\n")
            temporary.replace(self.folder / f"{kind}.jsonl")
        clock = datetime.fromtimestamp(self.now, UTC).isoformat()
        (self.folder / "clock.json").write_text(json.dumps({"now": clock}))

    def truth(self) -> Landed:
        """What must be landed of every living object, by table and id. A provider's own charges are not Leii's."""
        found: Landed = {entry.table: {} for entry in BY_NAME.values()}
        for value in self.objects.values():
            entry = BY_NAME.get(value["object"])
            if (
                entry is None
                or value.get("deleted")
                or (entry.owner is Owner.PLATFORM and value.get("_account") in PROVIDERS and entry.nested is None)
            ):
                continue
            shown = {key: field for key, field in value.items() if not key.startswith("_")}
            account = value.get("_account") or (value["account"] if entry.name == "person" else None)
            found[entry.table][value["id"]] = (
                account,
                value.get("created"),
                False,
                shown,
            )
        return found


def nested(kind: str, path: str, *children: Object, has_more: bool = False) -> Object:
    data = [{key: field for key, field in child.items() if not key.startswith("_")} for child in children]
    return {
        "object": "list",
        "data": data,
        "has_more": has_more,
        "url": f"/v1/{kind}/{path}",
    }


def small_market(folder: Path) -> Market:
    """At least one object of every type, lists of more than a page, and a list cut off inside its parent."""
    market = Market(folder=folder)
    for number, account in enumerate(PROVIDERS):
        _provider(market, account, (40 - number) * DAY)
    for number in range(130):
        market.put(
            "customer",
            f"cus_{number}",
            created=market.now - number * HOUR,
            email=f"c{number}@example.com",
        )
        market.put(
            "payment_method",
            f"pm_{number}",
            created=market.now - number * HOUR,
            customer=f"cus_{number}",
        )
    for number in range(230):
        _payment(market, number, market.now - number * HOUR // 2 - DAY)
    _aftermath(market)
    market.tell("charge.succeeded", "ch_0")
    market.write()
    return market


def _provider(market: Market, account: str, age: int) -> None:
    created = market.now - age
    bank = market.put("bank_account", f"ba_{account}", _account=account)
    card = market.put("card", f"card_{account}", _account=account)
    banks = nested("accounts", f"{account}/external_accounts", card, bank)
    market.put("account", account, created=created, external_accounts=banks)
    market.put("person", f"person_{account}", account=account, created=created)
    for number in range(105 if account == PROVIDERS[0] else 2):
        at = market.now - number * HOUR - DAY
        market.put(
            "payout",
            f"po_{account}_{number}",
            _account=account,
            created=at,
            status="in_transit",
        )
        market.put(
            "balance_transaction",
            f"txn_{account}_{number}",
            _account=account,
            created=at,
            status="pending",
        )


def _payment(market: Market, number: int, at: int) -> None:
    market.put("payment_intent", f"pi_{number}", created=at, latest_charge=f"ch_{number}")
    market.put(
        "charge",
        f"ch_{number}",
        created=at,
        payment_intent=f"pi_{number}",
        disputed=False,
    )
    market.put(
        "balance_transaction",
        f"txn_{number}",
        created=at,
        source=f"ch_{number}",
        status="pending",
    )
    market.put("transfer", f"tr_{number}", created=at, destination=PROVIDERS[number % 2])
    market.put("application_fee", f"fee_{number}", created=at, charge=f"ch_{number}")


def _aftermath(market: Market) -> None:
    market.put("refund", "re_0", charge="ch_0")
    market.put("dispute", "dp_0", charge="ch_1")
    reversals = [market.put("transfer_reversal", f"trr_{number}", transfer="tr_0") for number in range(12)]
    market.change(
        "tr_0",
        reversals=nested("transfers", "tr_0/reversals", *reversals[:10], has_more=True),
    )
    back = market.put("fee_refund", "fr_0", fee="fee_0")
    market.change("fee_0", amount_refunded=100, refunds=nested("application_fees", "fee_0/refunds", back))
    market.put("payout", "po_0", _account=None)
    market.put("radar.early_fraud_warning", "issfr_0", charge="ch_1")
    market.put("review", "prv_0", charge="ch_2")
    market.put("identity.verification_session", "vs_0")
    market.put("charge", "py_0", _account=PROVIDERS[0])  # a provider's own charge is not the platform's


def play_on(market: Market) -> None:
    """An hour in which everything changes that can change."""
    market.now += HOUR
    market.change("ch_7", "charge.updated", description="first")
    market.change("ch_7", "charge.updated", description="second")
    market.put("dispute", "dp_1", charge="ch_8")
    market.tell("charge.dispute.created", "dp_1")
    market.change("ch_8", disputed=True)
    market.change("cus_3", "customer.updated", name="[redacted]", email="[redacted]")
    market.delete("cus_5", "customer.deleted")
    market.put("payment_method", "pm_new", customer=None)  # Stripe sends no event for one that is not attached
    market.put("payment_intent", "pi_new", latest_charge=None)
    market.change("txn_3", status="available")
    market.change("vs_0", "identity.verification_session.redacted", status="redacted")
    reversal = market.put("transfer_reversal", "trr_new", transfer="tr_3")
    market.change(
        "tr_3",
        "transfer.reversed",
        amount_reversed=1100,
        reversals=nested("transfers", "tr_3/reversals", reversal),
    )
    refund = market.put("fee_refund", "fr_new", fee="fee_3")
    market.tell("application_fee.refund.updated", "fr_new")
    market.change("fee_3", amount_refunded=100, refunds=nested("application_fees", "fee_3/refunds", refund))
    first, second, third = PROVIDERS
    market.change(f"po_{first}_0", "payout.paid", status="paid")
    market.change(f"txn_{first}_0", status="available")
    market.delete(f"person_{second}", "person.deleted")
    market.tell("account.external_account.deleted", f"ba_{second}")
    market.delete(f"ba_{second}")
    market.tell(
        "account.external_account.created",
        market.put("bank_account", "ba_new", _account=second)["id"],
    )
    card = market.objects[f"card_{second}"]
    shown = nested("accounts", f"{second}/external_accounts", card, market.objects["ba_new"])
    market.tell("account.updated", second, account=second)
    market.change(second, external_accounts=shown, business_type="individual")
    newcomer = market.put("account", "acct_1D")
    market.put("person", "person_new", account=newcomer["id"])
    market.put("payout", "po_new", _account=first)
    market.tell("payout.created", "po_new")
    market.delete(third)
    market.put("event", "evt_gone", type="account.application.deauthorized", account=third)
    market.objects["evt_gone"]["data"] = {"object": {"id": "ca_1", "object": "application"}}
    paid = market.objects[f"po_{third}_0"]
    market.put("event", "evt_paid", type="payout.paid", account=third, data={"object": paid})  # closed to us by now


@contextmanager
def served(market: Market, **faults: Any) -> Iterator[StripeDouble]:
    """The market over HTTP; `faults` as `start_stripe_double` takes them."""
    with start_stripe_double(market.folder, **faults) as double:
        yield double


def show(market: Market, double: StripeDouble) -> None:
    """Let a running double serve the market as it is now."""
    market.write()
    urllib.request.urlopen(urllib.request.Request(f"{double.base_url}/_double/reload", method="POST")).close()


def landed(workspace: Workspace, landing: Landing) -> Landed:
    """What a reader holds who has taken every batch in order: the last row of each id, without those that vanished."""
    found: Landed = {entry.table: {} for entry in BY_NAME.values()}
    with workspace.connect() as con:
        for batch in landing.pending("test"):
            rows = con.sql(f"select * from {landing.relation_sql(con, batch)}").fetchall()
            assert len({row[0] for row in rows}) == len(rows), f"an id is twice in a batch of {batch.table}"
            if batch.kind == "keys":
                keys = {key for (key,) in rows}
                found[batch.table] = {key: row for key, row in found[batch.table].items() if key in keys}
                continue
            for object_id, account, created, deleted, text in rows:
                found[batch.table][object_id] = (
                    account,
                    created,
                    deleted,
                    json.loads(text),
                )
    return found


def living(state: Landed) -> Landed:
    return {table: {key: row for key, row in rows.items() if not row[2]} for table, rows in state.items()}
