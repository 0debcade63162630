"""From the lives of bookings to the payment objects that Stripe has of them, as versions.

Connect's destination charges: the platform charges A with fee F; Stripe keeps s; the whole of A is transferred to the
provider's account, and F comes back as application fee. Platform: (A − s) − A + F = F − s. Provider: A − F. A refund of R
undoes the transfer and the fee in proportion. Amounts are øre.

`objects` maps a type of object to its versions: the columns that its template in `stripe_templates` needs, `id`,
`created`, `valid_from`, `event` (type of the event that this version causes, or null) and `_account` (null: the platform).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world.books import ENTRY_TOO_LOW, is_kind
from demo.world.randomness import Ints, stripe_ids, text_series
from demo.world.spec import DAY, HOUR

_FEES = {"card": (0.014, 200), "klarna": (0.029, 300), "vipps": (0.0175, 100)}  # share and fixed part, øre
DISPUTE_FEE = 15_000
# The balance transaction that an object names as its own: column and number (see `_balance`).
_ENTRIES = {
    "charge_entry": 0,
    "transfer_entry": 1,
    "fee_entry": 2,
    "refund_entry": 4,
    "reversal_entry": 5,
    "fee_refund_entry": 6,
}
_METHOD_KEYS = {"card": 0, "klarna": 1, "vipps": 2}
_OTHER_CARD = 3  # with the booking's number, as the others are with the customer's


def ids_of(prefix: str, keys: pl.Series, *, salt: str = "") -> pl.Series:
    """Stripe ids for whole-numbered keys."""
    return text_series(stripe_ids(prefix, keys.to_numpy(), salt=salt))


def paid_bookings(people: pl.DataFrame, life: pl.DataFrame) -> pl.DataFrame:
    """The lives with everything that their payment objects share: parties, ids, fees, refund and dispute amounts."""
    key = life["booking_id"]
    customer, provider = life["customer"].to_numpy(), life["provider"].to_numpy()
    method_key = life["method"].replace_strict(_METHOD_KEYS, return_dtype=pl.Int64)
    share = life["method"].replace_strict({m: f[0] for m, f in _FEES.items()}, return_dtype=pl.Float64)
    fixed = life["method"].replace_strict({m: f[1] for m, f in _FEES.items()}, return_dtype=pl.Int64)
    who = [
        people[column].gather(customer).alias(f"customer_{column}")
        for column in (
            "account_id",
            "full_name",
            "email",
            "phone",
            "card_fingerprint",
            "card_last4",
            "card_brand",
            "ip",
        )
    ]
    return (
        life.with_columns(
            *who,
            people["stripe_customer_id"].gather(customer).alias("customer_id"),
            people["stripe_account_id"].gather(provider).alias("destination"),
            people["account_id"].gather(provider).alias("provider_account_id"),
            (pl.col("price_ore") * share).round().cast(pl.Int64).alias("_share"),
            ids_of("ch", key * 16).alias("charge_id"),
            ids_of("tr", key).alias("transfer_id"),
            ids_of("py", key).alias("destination_payment"),
            ids_of("fee", key).alias("fee_id"),
            pl.when(pl.col("other_card").is_null())
            .then(ids_of("pm", pl.Series(customer * 4) + method_key))
            .otherwise(ids_of("pm", key * 4 + _OTHER_CARD))
            .alias("payment_method"),
        )
        .with_columns(customer_card_fingerprint=pl.coalesce("other_card", "customer_card_fingerprint"))
        .with_columns(
            stripe_fee=pl.col("_share") + fixed,
            refund_ore=(pl.col("price_ore") * pl.col("refund_share")).round().cast(pl.Int64),
            refund_fee_ore=(pl.col("fee_ore") * pl.col("refund_share")).round().cast(pl.Int64),
            refund_id=ids_of("re", key),
            reversal_id=pl.when(~is_kind("not_passed_on")).then(pl.lit(ids_of("trr", key))),
            fee_refund_id=ids_of("fr", key),
            **{name: ids_of("txn", key * 32 + number) for name, number in _ENTRIES.items()},
        )
        .drop("_share")
    )


def payment_objects(paid: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Versions of every object that the payments of bookings bring about, balance transactions included."""
    refunds = paid.filter(pl.col("refunded_at").is_not_null() & pl.col("paid_at").is_not_null())
    recovered = refunds.filter(~is_kind("not_passed_on"))
    disputes = paid.filter(pl.col("disputed_at").is_not_null() & pl.col("paid_at").is_not_null())
    return {
        "payment_intent": _intents(paid),
        "charge": _charges(paid),
        "transfer": _transfers(paid),
        "application_fee": _application_fees(paid),
        "refund": _dated(refunds, "re", "refunded_at", "refund.created"),
        "transfer_reversal": _of_refund(recovered, "reversal_id"),
        "fee_refund": _of_refund(recovered, "fee_refund_id"),
        "dispute": _disputes(disputes),
        "radar.early_fraud_warning": _dated(
            paid.filter(pl.col("warned_at").is_not_null() & pl.col("paid_at").is_not_null()),
            "issfr",
            "warned_at",
            "radar.early_fraud_warning.created",
        ),
        "review": _reviews(paid),
        "balance_transaction": _balance(paid, refunds, disputes),
    }


def _event(name: str | None) -> pl.Expr:
    return pl.lit(name, pl.String)


def _stamped(frame: pl.DataFrame, created: str | pl.Expr, valid_from: pl.Expr | str, event: str | None) -> pl.DataFrame:
    at = pl.col(created) if isinstance(created, str) else created
    holds = pl.col(valid_from) if isinstance(valid_from, str) else valid_from
    return frame.with_columns(created=at, valid_from=holds, event=_event(event))


def _dated(frame: pl.DataFrame, prefix: str, at: str, event: str | None) -> pl.DataFrame:
    """Objects that never change, one a booking."""
    return _stamped(frame.with_columns(ids_of(prefix, frame["booking_id"]).alias("id")), at, at, event)


def _of_refund(refunds: pl.DataFrame, id_column: str) -> pl.DataFrame:
    return _stamped(refunds.with_columns(id=pl.col(id_column)), "refunded_at", "refunded_at", None)


def _intents(paid: pl.DataFrame) -> pl.DataFrame:
    base = paid.with_columns(pl.col("pi_id").alias("id"))
    waiting = {
        "status": pl.lit("requires_payment_method"),
        "received": pl.lit(0),
        "latest_charge": pl.lit(None, pl.String),
    }
    declined = base.filter(pl.col("declines") > 0).with_columns(
        status=pl.lit("requires_payment_method"),
        received=pl.lit(0),
        latest_charge=ids_of("ch", base.filter(pl.col("declines") > 0)["booking_id"] * 16 + 1),
    )
    succeeded = base.filter(pl.col("paid_at").is_not_null()).with_columns(
        status=pl.lit("succeeded"), received=pl.col("price_ore"), latest_charge=pl.col("charge_id")
    )
    cancelled = base.filter(pl.col("cancelled_at").is_not_null()).with_columns(
        status=pl.lit("canceled"), received=pl.lit(0), latest_charge=pl.lit(None, pl.String)
    )
    return pl.concat(
        [
            _stamped(base.with_columns(**waiting), "booked_at", "booked_at", "payment_intent.created"),
            _stamped(declined, "booked_at", pl.col("paid_at") - 300, "payment_intent.payment_failed"),
            _stamped(succeeded, "booked_at", "paid_at", "payment_intent.succeeded"),
            _stamped(cancelled, "booked_at", "cancelled_at", "payment_intent.canceled"),
        ],
        how="diagonal_relaxed",
    )


def _charges(paid: pl.DataFrame) -> pl.DataFrame:
    money = paid.filter(pl.col("paid_at").is_not_null())
    fresh = money.with_columns(
        id=pl.col("charge_id"), status=pl.lit("succeeded"), refunded_ore=pl.lit(0), disputed=pl.lit(False)
    )
    refunded = fresh.filter(pl.col("refunded_at").is_not_null()).with_columns(refunded_ore=pl.col("refund_ore"))
    disputed = fresh.filter(pl.col("disputed_at").is_not_null()).with_columns(disputed=pl.lit(True))
    frames = [
        _stamped(fresh, "paid_at", "paid_at", "charge.succeeded"),
        _stamped(refunded, "paid_at", "refunded_at", "charge.refunded"),
        _stamped(disputed, "paid_at", "disputed_at", "charge.updated"),
    ]
    for attempt in range(1, int(money["declines"].max() or 0) + 1):  # type: ignore[arg-type]
        tried = money.filter(pl.col("declines") >= attempt)
        failed = tried.with_columns(
            ids_of("ch", tried["booking_id"] * 16 + attempt).alias("id"),
            status=pl.lit("failed"),
            refunded_ore=pl.lit(0),
            disputed=pl.lit(False),
        )
        at = pl.col("paid_at") - 300 * attempt
        frames.append(_stamped(failed, at, at, "charge.failed"))
    return pl.concat(frames, how="diagonal_relaxed")


def _transfers(paid: pl.DataFrame) -> pl.DataFrame:
    money = paid.filter(pl.col("paid_at").is_not_null()).with_columns(id=pl.col("transfer_id"), reversed_ore=pl.lit(0))
    undone = money.filter(_is_taken_back()).with_columns(reversed_ore=pl.col("refund_ore"))
    return pl.concat(
        [
            _stamped(money, "paid_at", "paid_at", "transfer.created"),
            _stamped(undone, "paid_at", "refunded_at", "transfer.reversed"),
        ],
        how="diagonal_relaxed",
    )


def _is_taken_back() -> pl.Expr:
    """What a refund undoes of transfer and fee."""
    return pl.col("refunded_at").is_not_null() & ~is_kind("not_passed_on")


def _application_fees(paid: pl.DataFrame) -> pl.DataFrame:
    money = paid.filter(pl.col("paid_at").is_not_null()).with_columns(id=pl.col("fee_id"), refunded_ore=pl.lit(0))
    undone = money.filter(_is_taken_back()).with_columns(refunded_ore=pl.col("refund_fee_ore"))
    return pl.concat(
        [
            _stamped(money, "paid_at", "paid_at", "application_fee.created"),
            _stamped(undone, "paid_at", "refunded_at", "application_fee.refunded"),
        ],
        how="diagonal_relaxed",
    )


def _disputes(disputes: pl.DataFrame) -> pl.DataFrame:
    base = disputes.with_columns(
        ids_of("dp", disputes["booking_id"]).alias("id"), fraudulent=pl.col("warned_at").is_not_null()
    )
    opened = base.with_columns(status=pl.lit("needs_response"))
    closed = base.filter(pl.col("dispute_status") != "needs_response").with_columns(status=pl.col("dispute_status"))
    return pl.concat(
        [
            _stamped(opened, "disputed_at", "disputed_at", "charge.dispute.created"),
            _stamped(closed, "disputed_at", pl.col("disputed_at") + 9 * DAY, "charge.dispute.closed"),
        ]
    )


def _reviews(paid: pl.DataFrame) -> pl.DataFrame:
    """Radar's manual reviews: warned payments, declined ones, and a few dear ones; closed within a day or two."""
    risky = (pl.col("warned_at").is_not_null() | (pl.col("declines") > 1) | (pl.col("booking_id") % 97 == 0)) & (
        pl.col("method") == "card"
    )
    chosen = paid.filter(risky & pl.col("paid_at").is_not_null())
    base = chosen.with_columns(ids_of("prv", chosen["booking_id"]).alias("id"))
    opened = base.with_columns(is_open=pl.lit(True), closed_reason=pl.lit(None, pl.String))
    closed = base.with_columns(
        is_open=pl.lit(False),
        closed_reason=pl.when(pl.col("warned_at").is_not_null()).then(pl.lit("disputed")).otherwise(pl.lit("approved")),
    )
    return pl.concat(
        [
            _stamped(opened, "paid_at", "paid_at", "review.opened"),
            _stamped(closed, "paid_at", pl.col("paid_at") + 30 * HOUR, "review.closed"),
        ]
    )


def _entry(
    frame: pl.DataFrame,
    number: int,
    kind: str,
    category: str,
    amount: pl.Expr,
    fee: pl.Expr,
    source: pl.Expr,
    at: str,
    *,
    delay_days: int = 0,
    connected: bool = False,
) -> pl.DataFrame:
    """Balance transactions of one kind, one a booking; `number` tells the kinds of a booking apart in their ids."""
    available = (pl.col(at) // DAY + delay_days) * DAY if delay_days else pl.col(at)
    return frame.select(
        ids_of("txn", frame["booking_id"] * 32 + number).alias("id"),
        pl.col(at).alias("created"),
        available.cast(pl.Int64).alias("available_on"),
        amount.cast(pl.Int64).alias("amount"),
        fee.cast(pl.Int64).alias("fee"),
        source.alias("source"),
        pl.lit(kind).alias("type"),
        pl.lit(category).alias("category"),
        (pl.col("destination") if connected else pl.lit(None, pl.String)).alias("_account"),
    )


def _balance(paid: pl.DataFrame, refunds: pl.DataFrame, disputes: pl.DataFrame) -> pl.DataFrame:
    """Balance transactions of all kinds; their numbers are those of `_ENTRIES`."""
    money = paid.filter(pl.col("paid_at").is_not_null())
    own, zero = pl.col, pl.lit(0)
    price, fee, at = own("price_ore"), own("fee_ore"), "paid_at"
    earned = fee - pl.when(is_kind("balance_differs")).then(ENTRY_TOO_LOW).otherwise(0)
    made = [
        _entry(money, 0, "charge", "charge", price, own("stripe_fee"), own("charge_id"), at, delay_days=2),
        _entry(money, 1, "transfer", "transfer", -price, zero, own("transfer_id"), at, delay_days=2),
        _entry(money, 2, "application_fee", "platform_earning", earned, zero, own("fee_id"), at, delay_days=2),
        _entry(money, 3, "payment", "charge", price, fee, own("destination_payment"), at, delay_days=2, connected=True),
    ]
    return pl.concat([*made, *_refund_entries(refunds), *_dispute_entries(disputes)])


def _refund_entries(refunds: pl.DataFrame) -> list[pl.DataFrame]:
    """A refund takes money from the platform, which gets back the transfer from the provider and gives back its fee."""
    amount, fee, zero, at = pl.col("refund_ore"), pl.col("refund_fee_ore"), pl.lit(0), "refunded_at"
    recovered = refunds.filter(~is_kind("not_passed_on"))
    keys = recovered["booking_id"]
    returned, fee_returned = pl.lit(ids_of("pyr", keys)), pl.lit(ids_of("fr", keys))
    category = "platform_earning_refund"
    return [
        _entry(refunds, 4, "refund", "refund", -amount, zero, pl.col("refund_id"), at),
        _entry(recovered, 5, "transfer_refund", "transfer_reversal", amount, zero, pl.col("reversal_id"), at),
        _entry(recovered, 6, "application_fee_refund", category, -fee, zero, fee_returned, at),
        _entry(recovered, 7, "payment_refund", "refund", -amount, -fee, returned, at, connected=True),
    ]


def _dispute_entries(disputes: pl.DataFrame) -> list[pl.DataFrame]:
    """A dispute takes the amount and a fee from the platform; one that is won gives the amount back."""
    won = disputes.filter(pl.col("dispute_status") == "won").with_columns(closed_at=pl.col("disputed_at") + 9 * DAY)
    amount, cost, zero = pl.col("price_ore"), pl.lit(DISPUTE_FEE), pl.lit(0)
    source, won_source = (pl.lit(ids_of("dp", frame["booking_id"])) for frame in (disputes, won))
    return [
        _entry(disputes, 8, "adjustment", "dispute", -amount, cost, source, "disputed_at"),
        _entry(won, 9, "adjustment", "dispute_reversal", amount, zero, won_source, "closed_at"),
    ]


def balance_versions(entries: pl.DataFrame) -> pl.DataFrame:
    """Each balance transaction when it was made and, where its money comes later, when that is available."""
    base = entries.with_columns(event=_event(None))
    later = base.filter(pl.col("available_on") > pl.col("created"))
    status = pl.when(pl.col("available_on") > pl.col("created")).then(pl.lit("pending")).otherwise(pl.lit("available"))
    return pl.concat(
        [
            base.with_columns(status.alias("status"), valid_from=pl.col("created")),
            later.with_columns(pl.lit("available").alias("status"), valid_from=pl.col("available_on")),
        ]
    )


def paid_out_versions(paid: pl.DataFrame) -> pl.DataFrame:
    """Balance transactions once a payout has paid them out: `paid` has `_payout` and `paid_out_at`."""
    return paid.with_columns(event=_event(None), status=pl.lit("available"), valid_from=pl.col("paid_out_at")).drop(
        "paid_out_at"
    )


def payment_method_objects(people: pl.DataFrame, life: pl.DataFrame) -> pl.DataFrame:
    """One payment method a customer and kind, and one a card that is not the customer's; made just before its first use."""
    own = (
        life.filter(pl.col("other_card").is_null())
        .sort("booked_at", maintain_order=True)
        .group_by("customer", "method", maintain_order=True)
        .agg(pl.col("booked_at").first(), pl.col("other_card").first())
        .with_columns(key=pl.col("customer") * 4 + pl.col("method").replace_strict(_METHOD_KEYS, return_dtype=pl.Int64))
    )
    others = life.filter(pl.col("other_card").is_not_null()).with_columns(key=pl.col("booking_id") * 4 + _OTHER_CARD)
    first = pl.concat([own, others.select(own.columns)])
    customer, key = first["customer"].to_numpy(), first["key"]
    wanted = (
        "account_id",
        "full_name",
        "email",
        "phone",
        "card_fingerprint",
        "card_last4",
        "card_brand",
        "stripe_customer_id",
    )
    return first.with_columns(
        *[people[column].gather(customer) for column in wanted],
        ids_of("pm", key).alias("id"),
    ).with_columns(
        card_fingerprint=pl.coalesce("other_card", "card_fingerprint"),
        created=pl.col("booked_at") - 60,
        valid_from=pl.col("booked_at") - 60,
        event=_event("payment_method.attached"),
        person=pl.col("customer"),
    )


def card_expiry(keys: Ints) -> tuple[Ints, Ints]:
    """Month and year printed on a card, by key."""
    return keys % 12 + 1, np.asarray(2027 + keys % 5)
