"""How the movements of money are written as Stripe objects: transfers, fees, balance transactions, payouts."""

from __future__ import annotations

from typing import Any

import polars as pl

from demo.world.shapes import SHAPES, changed, metadata, raw, rendered, text

_BOOKING = metadata(("account_id", "customer_account_id"), ("booking_id", "booking_id"))
_ACCOUNT = metadata(("account_id", "account_id"))
_NO_REQUIREMENTS: dict[str, Any] = {"currently_due": [], "eventually_due": [], "past_due": [], "disabled_reason": None}


def transfer(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["transfer"],
        {
            "amount": raw("price_ore"),
            "amount_reversed": raw("reversed_ore"),
            "balance_transaction": text("transfer_entry"),
            "created": raw("created"),
            "currency": "nok",
            "destination": text("destination"),
            "destination_payment": text("destination_payment"),
            "id": text("id"),
            "metadata": metadata(("account_id", "provider_account_id"), ("booking_id", "booking_id")),
            "reversals.data": _list_of_one(_reversal("reversal_id", "refunded_at"), pl.col("reversed_ore") > 0),
            "reversals.url": text(pl.lit("/v1/transfers/") + pl.col("id") + pl.lit("/reversals")),
            "reversed": raw(pl.col("reversed_ore") == pl.col("price_ore")),
            "source_transaction": text("charge_id"),
        },
    )
    return frame.select(rendered(template)).to_series()


def transfer_reversal(frame: pl.DataFrame) -> pl.Series:
    return frame.select(rendered(_reversal("id", "created"))).to_series()


def _reversal(id_column: str, created_column: str) -> dict[str, Any]:
    return changed(
        SHAPES["transfer_reversal"],
        {
            "amount": raw("refund_ore"),
            "balance_transaction": text("reversal_entry"),
            "created": raw(created_column),
            "currency": "nok",
            "id": text(id_column),
            "metadata": metadata(("booking_id", "booking_id")),
            "source_refund": text("refund_id"),
            "transfer": text("transfer_id"),
        },
    )


def application_fee(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["application_fee"],
        {
            "account": text("destination"),
            "amount": raw("fee_ore"),
            "amount_refunded": raw("refunded_ore"),
            "balance_transaction": text("fee_entry"),
            "charge": text("destination_payment"),
            "created": raw("created"),
            "currency": "nok",
            "fee_source": {"charge": text("destination_payment"), "type": "charge"},
            "id": text("id"),
            "originating_transaction": text("charge_id"),
            "refunded": raw(pl.col("refunded_ore") == pl.col("fee_ore")),
            "refunds.data": _list_of_one(_fee_refund("fee_refund_id", "refunded_at"), pl.col("refunded_ore") > 0),
            "refunds.url": text(pl.lit("/v1/application_fees/") + pl.col("id") + pl.lit("/refunds")),
        },
    )
    return frame.select(rendered(template)).to_series()


def fee_refund(frame: pl.DataFrame) -> pl.Series:
    return frame.select(rendered(_fee_refund("id", "created"))).to_series()


def _fee_refund(id_column: str, created_column: str) -> dict[str, Any]:
    return changed(
        SHAPES["fee_refund"],
        {
            "amount": raw("refund_fee_ore"),
            "balance_transaction": text("fee_refund_entry"),
            "created": raw(created_column),
            "currency": "nok",
            "fee": text("fee_id"),
            "id": text(id_column),
            "metadata": metadata(("booking_id", "booking_id")),
        },
    )


def _list_of_one(template: dict[str, Any], is_there: pl.Expr) -> pl.Expr:
    """What undid an object, within it, as Stripe shows the newest ten; a booking's money is given back once at most."""
    one = pl.concat_str([pl.lit("["), rendered(template), pl.lit("]")])
    return pl.when(is_there).then(one).otherwise(pl.lit("[]"))


def balance_transaction(frame: pl.DataFrame) -> pl.Series:
    kind = pl.when(pl.col("_account").is_null()).then(pl.lit("stripe_fee")).otherwise(pl.lit("application_fee"))
    fee = pl.concat_str(
        [
            pl.lit('[{"amount":'),
            pl.col("fee"),
            pl.lit(',"application":null,"currency":"nok","description":null,"type":"'),
            kind,
            pl.lit('"}]'),
        ]
    )
    template = changed(
        SHAPES["balance_transaction"],
        {
            "amount": raw("amount"),
            "available_on": raw("available_on"),
            "created": raw("created"),
            "currency": "nok",
            "description": None,
            "fee": raw("fee"),
            "fee_details": pl.when(pl.col("fee") == 0).then(pl.lit("[]")).otherwise(fee),
            "id": text("id"),
            "net": raw(pl.col("amount") - pl.col("fee")),
            "reporting_category": text("category"),
            "source": text("source"),
            "status": text("status"),
            "type": text("type"),
        },
    )
    return frame.select(rendered(template)).to_series()


def payout(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["payout"],
        {
            "amount": raw("amount"),
            "arrival_date": raw("arrival_date"),
            "balance_transaction": text("entry_id"),
            "created": raw("created"),
            "currency": "nok",
            "destination": text("destination"),
            "id": text("id"),
            "status": text("status"),
            "trace_id": None,
        },
    )
    return frame.select(rendered(template)).to_series()
