"""How payments are written as Stripe objects: methods, charges, intents, refunds, disputes, warnings, reviews."""

from __future__ import annotations

from typing import Any

import polars as pl

from demo.world.payments import card_expiry
from demo.world.shapes import SHAPES, changed, metadata, raw, rendered, text

_BOOKING = metadata(("account_id", "customer_account_id"), ("booking_id", "booking_id"))
_ACCOUNT = metadata(("account_id", "account_id"))
_NO_REQUIREMENTS: dict[str, Any] = {"currently_due": [], "eventually_due": [], "past_due": [], "disabled_reason": None}


def _card(frame: pl.DataFrame, shape: dict[str, Any], prefix: str) -> pl.DataFrame:
    """The frame with `card_json`: the card sub-object of a payment method or charge, by `{prefix}card_…` columns."""
    month, year = card_expiry(frame[f"{prefix}card_last4"].cast(pl.Int64).to_numpy())
    fields = {
        "brand": text(f"{prefix}card_brand"),
        "country": "NO",
        "exp_month": raw(pl.lit(pl.Series(month))),
        "exp_year": raw(pl.lit(pl.Series(year))),
        "fingerprint": text(f"{prefix}card_fingerprint"),
        "funding": "debit",
        "last4": text(f"{prefix}card_last4"),
        "wallet": None,
    }
    for name in ("display_brand", "network"):
        if name in shape:
            fields[name] = text(f"{prefix}card_brand")
    if "networks" in shape:
        fields |= {"networks.available": [text(f"{prefix}card_brand")], "generated_from": None}
    if "three_d_secure" in shape:
        fields |= {
            "three_d_secure": None,
            "installments": None,
            "amount_authorized": raw("price_ore"),
            "overcapture.maximum_amount_capturable": raw("price_ore"),
        }
    return frame.with_columns(rendered(changed(shape, fields)).alias("card_json"))


def _details(kind: pl.Expr, card: pl.Expr) -> pl.Expr:
    """`"type":…, "<type>":{…}` by kind of payment, without braces, in alphabetical order."""
    klarna = '"klarna":{"payer_details":null,"payment_method_category":"pay_later","preferred_locale":"nb-NO"},"type":"klarna"'
    vipps = '"type":"vipps","vipps":{}'
    return (
        pl.when(kind == "card")
        .then(pl.concat_str([pl.lit('"card":'), card, pl.lit(',"type":"card"')]))
        .when(kind == "klarna")
        .then(pl.lit(klarna))
        .otherwise(pl.lit(vipps))
    )


def payment_method(frame: pl.DataFrame) -> pl.Series:
    shape = SHAPES["payment_method"]
    frame = _card(frame, shape["card"], "")
    plain = {key: value for key, value in shape.items() if key not in ("card", "type")}
    address = dict.fromkeys(shape["billing_details"]["address"])
    template = changed(
        plain,
        {
            "billing_details": {
                "address": address | {"country": "NO"},
                "email": text("email"),
                "name": text("full_name"),
                "phone": text("phone"),
                "tax_id": None,
            },
            "created": raw("created"),
            "customer": text("stripe_customer_id"),
            "id": text("id"),
            "metadata": _ACCOUNT,
        },
    )
    whole = rendered(template)
    details = _details(pl.col("method"), pl.col("card_json"))
    return frame.select(
        pl.concat_str([whole.str.slice(0, whole.str.len_chars() - 1), pl.lit(","), details, pl.lit("}")])
    ).to_series()


def charge(frame: pl.DataFrame) -> pl.Series:
    shape = SHAPES["charge"]
    frame = _card(frame, shape["payment_method_details"]["card"], "customer_")
    ok = pl.col("status") == "succeeded"
    code = pl.when(~ok).then(pl.lit("card_declined"))
    money = pl.when(ok)
    template = changed(
        shape,
        {
            "amount": raw("price_ore"),
            "amount_captured": raw(money.then("price_ore").otherwise(0)),
            "amount_refunded": raw("refunded_ore"),
            "application_fee": text(money.then("fee_id")),
            "application_fee_amount": raw("fee_ore"),
            "balance_transaction": text(money.then("charge_entry")),
            "billing_details.name": text("customer_full_name"),
            "billing_details.email": text("customer_email"),
            "billing_details.phone": text("customer_phone"),
            "billing_details.address.country": "NO",
            "calculated_statement_descriptor": "LEII",
            "captured": raw(ok),
            "created": raw("created"),
            "currency": "nok",
            "customer": text("customer_id"),
            "description": text(pl.lit("Leii booking ") + pl.col("booking_id").cast(pl.String)),
            "disputed": raw("disputed"),
            "failure_code": text(code),
            "failure_message": text(pl.when(~ok).then(pl.lit("Your card was declined."))),
            "id": text("id"),
            "metadata": _BOOKING,
            "outcome.network_status": text(
                money.then(pl.lit("approved_by_network")).otherwise(pl.lit("declined_by_network"))
            ),
            "outcome.reason": text(pl.when(~ok).then(pl.lit("generic_decline"))),
            "outcome.seller_message": text(
                money.then(pl.lit("Payment complete.")).otherwise(pl.lit("The bank declined the payment."))
            ),
            "outcome.type": text(money.then(pl.lit("authorized")).otherwise(pl.lit("issuer_declined"))),
            "paid": raw(ok),
            "payment_intent": text("pi_id"),
            "payment_method": text("payment_method"),
            "payment_method_details": pl.concat_str(
                [pl.lit("{"), _details(pl.col("method"), pl.col("card_json")), pl.lit("}")]
            ),
            "receipt_url": None,
            "refunded": raw(pl.col("refunded_ore") == pl.col("price_ore")),
            "refunds.url": text(pl.lit("/v1/charges/") + pl.col("id") + pl.lit("/refunds")),
            "source": None,
            "shipping": None,
            "status": text("status"),
            "transfer_data": {"amount": None, "destination": text("destination")},
        },
    )
    return frame.select(rendered(template)).to_series()


def payment_intent(frame: pl.DataFrame) -> pl.Series:
    done, failed = pl.col("status") == "succeeded", pl.col("event") == "payment_intent.payment_failed"
    error = pl.when(failed).then(
        pl.lit('{"code":"card_declined","decline_code":"generic_decline","type":"card_error"}')
    )
    cancelled = pl.col("status") == "canceled"
    template = changed(
        SHAPES["payment_intent"],
        {
            "amount": raw("price_ore"),
            "amount_received": raw("received"),
            "application_fee_amount": raw("fee_ore"),
            "canceled_at": raw(pl.when(cancelled).then("cancelled_at")),
            "cancellation_reason": text(pl.when(cancelled).then(pl.lit("requested_by_customer"))),
            "client_secret": None,
            "created": raw("created"),
            "currency": "nok",
            "customer": text("customer_id"),
            "description": text(pl.lit("Leii booking ") + pl.col("booking_id").cast(pl.String)),
            "id": text("id"),
            "last_payment_error": raw(error),
            "latest_charge": text("latest_charge"),
            "metadata": _BOOKING,
            "next_action": None,
            "payment_method": text(pl.when(done).then("payment_method")),
            "payment_method_configuration_details": None,
            "payment_method_types": ["card", "klarna", "vipps"],
            "processing": None,
            "shipping": None,
            "status": text("status"),
            "transfer_data": {"destination": text("destination")},
        },
    )
    return frame.select(rendered(template)).to_series()


def refund(frame: pl.DataFrame) -> pl.Series:
    kind = pl.when(pl.col("method") == "card").then(pl.lit('{"card":{"type":"refund"},"type":"card"}'))
    other = pl.concat_str([pl.lit('{"'), pl.col("method"), pl.lit('":{},"type":"'), pl.col("method"), pl.lit('"}')])
    template = changed(
        SHAPES["refund"],
        {
            "amount": raw("refund_ore"),
            "balance_transaction": text("refund_entry"),
            "charge": text("charge_id"),
            "created": raw("created"),
            "currency": "nok",
            "customer": text("customer_id"),
            "destination_details": kind.otherwise(other),
            "id": text("id"),
            "metadata": _BOOKING,
            "payment_intent": text("pi_id"),
            "payment_method": text("payment_method"),
            "reason": "requested_by_customer",
            "transfer_reversal": text("reversal_id"),
        },
    )
    return frame.select(rendered(template)).to_series()


def dispute(frame: pl.DataFrame) -> pl.Series:
    closed = pl.col("status") != "needs_response"
    template = changed(
        SHAPES["dispute"],
        {
            "amount": raw("price_ore"),
            "charge": text("charge_id"),
            "created": raw("created"),
            "currency": "nok",
            "enhanced_eligibility_types": [],
            "evidence_details.due_by": raw(pl.col("created") + 604_800 * 2),
            "evidence_details.has_evidence": raw(closed),
            "evidence_details.submission_count": raw(closed.cast(pl.Int64)),
            "id": text("id"),
            "is_charge_refundable": False,
            "metadata": _BOOKING,
            "payment_intent": text("pi_id"),
            "payment_method_details.card": {
                "brand": text("customer_card_brand"),
                "case_type": "chargeback",
                "network": text("customer_card_brand"),
                "network_reason_code": "10.4",
            },
            "reason": text(pl.when("fraudulent").then(pl.lit("fraudulent")).otherwise(pl.lit("product_not_received"))),
            "status": text("status"),
        },
    )
    return frame.select(rendered(template)).to_series()


def early_fraud_warning(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["radar.early_fraud_warning"],
        {
            "charge": text("charge_id"),
            "created": raw("created"),
            "fraud_type": "unauthorized_use_of_card",
            "id": text("id"),
        },
    )
    return frame.select(rendered(template)).to_series()


def review(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["review"],
        {
            "charge": text("charge_id"),
            "closed_reason": text("closed_reason"),
            "created": raw("created"),
            "id": text("id"),
            "ip_address": text("customer_ip"),
            "open": raw("is_open"),
            "reason": text(
                pl.when(pl.col("closed_reason").is_null()).then(pl.lit("rule")).otherwise(pl.col("closed_reason"))
            ),
        },
    )
    return frame.select(rendered(template)).to_series()
