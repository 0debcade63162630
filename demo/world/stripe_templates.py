"""How each type of Stripe object is written: its shape, with what differs from object to object taken from columns.

A field of the shape that says nothing here is null; those that payment kinds alone fill (`card`, `klarna`, `vipps`) follow
the kind. Currency is NOK in øre.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from demo.world.payments import card_expiry
from demo.world.shapes import SHAPES, changed, raw, rendered, text

API_VERSION = "2026-10-28.endive"
_NO_REQUIREMENTS = {"currently_due": [], "eventually_due": [], "past_due": [], "disabled_reason": None}


def _metadata(*names: tuple[str, str]) -> pl.Expr:
    """`metadata` from columns: pairs of a name in Stripe and a column of this world."""
    parts: list[pl.Expr] = []
    for position, (name, column) in enumerate(names):
        parts += [pl.lit(f'{"," if position else "{"}"{name}":"'), pl.col(column).cast(pl.String), pl.lit('"')]
    return pl.concat_str([*parts, pl.lit("}")])


_BOOKING = _metadata(("account_id", "customer_account_id"), ("booking_id", "booking_id"))
_ACCOUNT = _metadata(("account_id", "account_id"))


def _card(frame: pl.DataFrame, shape: dict[str, Any], prefix: str) -> pl.DataFrame:
    """The frame with `card_json`: the card sub-object of a payment method or charge, by `{prefix}card_…` columns."""
    month, year = card_expiry(frame[f"{prefix}card_last4"].cast(pl.Int64).to_numpy())
    fields = {
        "brand": text(f"{prefix}card_brand"), "country": "NO", "exp_month": raw(pl.lit(pl.Series(month))),
        "exp_year": raw(pl.lit(pl.Series(year))), "fingerprint": text(f"{prefix}card_fingerprint"), "funding": "debit",
        "last4": text(f"{prefix}card_last4"), "wallet": None,
    }  # fmt: skip
    for name in ("display_brand", "network"):
        if name in shape:
            fields[name] = text(f"{prefix}card_brand")
    if "networks" in shape:
        fields |= {"networks.available": [text(f"{prefix}card_brand")], "generated_from": None}
    if "three_d_secure" in shape:
        fields |= {"three_d_secure": None, "installments": None, "amount_authorized": raw("price_ore"), "overcapture.maximum_amount_capturable": raw("price_ore")}
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
            "billing_details": {"address": address | {"country": "NO"}, "email": text("email"), "name": text("full_name"), "phone": text("phone"), "tax_id": None},
            "created": raw("created"), "customer": text("stripe_customer_id"), "id": text("id"), "metadata": _ACCOUNT,
        },
    )  # fmt: skip
    whole = rendered(template)
    details = _details(pl.col("method"), pl.col("card_json"))
    return frame.select(pl.concat_str([whole.str.slice(0, whole.str.len_chars() - 1), pl.lit(","), details, pl.lit("}")])).to_series()


def charge(frame: pl.DataFrame) -> pl.Series:
    shape = SHAPES["charge"]
    frame = _card(frame, shape["payment_method_details"]["card"], "customer_")
    ok = pl.col("status") == "succeeded"
    code = pl.when(~ok).then(pl.lit("card_declined"))
    money = pl.when(ok)
    template = changed(
        shape,
        {
            "amount": raw("price_ore"), "amount_captured": raw(money.then("price_ore").otherwise(0)), "amount_refunded": raw("refunded_ore"),
            "application_fee": text(money.then("fee_id")), "application_fee_amount": raw("fee_ore"),
            "balance_transaction": text(money.then("charge_entry")),
            "billing_details.name": text("customer_full_name"), "billing_details.email": text("customer_email"),
            "billing_details.phone": text("customer_phone"), "billing_details.address.country": "NO",
            "calculated_statement_descriptor": "LEII", "captured": raw(ok), "created": raw("created"), "currency": "nok",
            "customer": text("customer_id"), "description": text(pl.lit("Leii booking ") + pl.col("booking_id").cast(pl.String)),
            "disputed": raw("disputed"), "failure_code": text(code),
            "failure_message": text(pl.when(~ok).then(pl.lit("Your card was declined."))), "id": text("id"), "metadata": _BOOKING,
            "outcome.network_status": text(money.then(pl.lit("approved_by_network")).otherwise(pl.lit("declined_by_network"))),
            "outcome.reason": text(pl.when(~ok).then(pl.lit("generic_decline"))),
            "outcome.seller_message": text(money.then(pl.lit("Payment complete.")).otherwise(pl.lit("The bank declined the payment."))),
            "outcome.type": text(money.then(pl.lit("authorized")).otherwise(pl.lit("issuer_declined"))),
            "paid": raw(ok), "payment_intent": text("pi_id"), "payment_method": text("payment_method"),
            "payment_method_details": pl.concat_str([pl.lit("{"), _details(pl.col("method"), pl.col("card_json")), pl.lit("}")]),
            "receipt_url": None, "refunded": raw(pl.col("refunded_ore") == pl.col("price_ore")),
            "refunds.url": text(pl.lit("/v1/charges/") + pl.col("id") + pl.lit("/refunds")), "source": None, "shipping": None,
            "status": text("status"), "transfer_data": {"amount": None, "destination": text("destination")},
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def payment_intent(frame: pl.DataFrame) -> pl.Series:
    done, failed = pl.col("status") == "succeeded", pl.col("event") == "payment_intent.payment_failed"
    error = pl.when(failed).then(pl.lit('{"code":"card_declined","decline_code":"generic_decline","type":"card_error"}'))
    cancelled = pl.col("status") == "canceled"
    template = changed(
        SHAPES["payment_intent"],
        {
            "amount": raw("price_ore"), "amount_received": raw("received"), "application_fee_amount": raw("fee_ore"),
            "canceled_at": raw(pl.when(cancelled).then("cancelled_at")),
            "cancellation_reason": text(pl.when(cancelled).then(pl.lit("requested_by_customer"))),
            "client_secret": None, "created": raw("created"), "currency": "nok", "customer": text("customer_id"),
            "description": text(pl.lit("Leii booking ") + pl.col("booking_id").cast(pl.String)), "id": text("id"),
            "last_payment_error": raw(error), "latest_charge": text("latest_charge"), "metadata": _BOOKING, "next_action": None,
            "payment_method": text(pl.when(done).then("payment_method")), "payment_method_configuration_details": None,
            "payment_method_types": ["card", "klarna", "vipps"], "processing": None, "shipping": None, "status": text("status"),
            "transfer_data": {"destination": text("destination")},
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def customer(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["customer"],
        {
            "address.city": text("city"), "address.country": "NO", "address.line1": text("address_line"),
            "address.postal_code": text("postal_code"), "created": raw("created"), "currency": "nok", "discount": None,
            "email": text("email"), "id": text("id"), "invoice_prefix": text(pl.col("id").str.slice(6, 7).str.to_uppercase()),
            "metadata": _ACCOUNT, "name": text("full_name"), "phone": text("phone"), "preferred_locales": ["nb-NO"], "shipping": None,
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def account(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["account"],
        {
            "business_profile.mcc": "7299", "business_profile.name": text("display_name"),
            "business_type": text(pl.when(pl.col("org_number").is_null()).then(pl.lit("individual")).otherwise(pl.lit("company"))),
            "charges_enabled": True, "country": "NO", "created": raw("created"), "default_currency": "nok", "details_submitted": True,
            "email": text("email"), "external_accounts.data": [_bank()],
            "external_accounts.url": text(pl.lit("/v1/accounts/") + pl.col("stripe_account_id") + pl.lit("/external_accounts")),
            "id": text("stripe_account_id"), "metadata": _ACCOUNT, "payouts_enabled": True,
            **{f"requirements.{name}": value for name, value in _NO_REQUIREMENTS.items()},
            "settings.dashboard.display_name": text("display_name"), "settings.dashboard.timezone": "Europe/Oslo",
            "settings.payouts.schedule": {"delay_days": 2, "interval": "weekly"},
            "tos_acceptance.date": raw("created"), "tos_acceptance.ip": text("ip"), "type": "express",
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def _bank() -> dict[str, Any]:
    return changed(
        SHAPES["bank_account"],
        {
            "account_holder_name": text("full_name"),
            "account_holder_type": text(pl.when(pl.col("org_number").is_null()).then(pl.lit("individual")).otherwise(pl.lit("company"))),
            "bank_name": "LEII DEMO BANK", "country": "NO", "currency": "nok", "fingerprint": text("bank_fingerprint"),
            "id": text("bank_id"), "last4": text("bank_last4"), "routing_number": None, "status": "verified",
        },
    )  # fmt: skip


def bank_account(frame: pl.DataFrame) -> pl.Series:
    return frame.select(rendered(_bank())).to_series()


def person(frame: pl.DataFrame) -> pl.Series:
    birth = pl.from_epoch(pl.col("birth_date"), time_unit="d")
    template = changed(
        SHAPES["person"],
        {
            "account": text("stripe_account_id"), "additional_tos_acceptances": {"account": {"date": None, "ip": None, "user_agent": None}},
            "created": raw("created"), "dob": {"day": raw(birth.dt.day()), "month": raw(birth.dt.month()), "year": raw(birth.dt.year())},
            "first_name": text("first_name"), "id": text("id"), "id_number_provided": True, "last_name": text("last_name"),
            "metadata": _ACCOUNT, "relationship.representative": True, "relationship.owner": True,
            "verification.status": "verified",
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def verification_session(frame: pl.DataFrame) -> pl.Series:
    failed = pl.when(pl.col("status") == "requires_input")
    template = changed(
        SHAPES["identity.verification_session"],
        {
            "created": raw("created"), "id": text("id"), "last_error.code": None, "metadata": _ACCOUNT, "redaction": None,
            "last_verification_report": text(failed.then(None).otherwise(pl.col("report"))), "status": text("status"),
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def refund(frame: pl.DataFrame) -> pl.Series:
    kind = pl.when(pl.col("method") == "card").then(pl.lit('{"card":{"type":"refund"},"type":"card"}'))
    other = pl.concat_str([pl.lit('{"'), pl.col("method"), pl.lit('":{},"type":"'), pl.col("method"), pl.lit('"}')])
    template = changed(
        SHAPES["refund"],
        {
            "amount": raw("refund_ore"), "balance_transaction": text("refund_entry"), "charge": text("charge_id"), "created": raw("created"),
            "currency": "nok", "customer": text("customer_id"), "destination_details": kind.otherwise(other), "id": text("id"),
            "metadata": _BOOKING, "payment_intent": text("pi_id"), "payment_method": text("payment_method"),
            "reason": "requested_by_customer", "transfer_reversal": text("reversal_id"),
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def dispute(frame: pl.DataFrame) -> pl.Series:
    closed = pl.col("status") != "needs_response"
    template = changed(
        SHAPES["dispute"],
        {
            "amount": raw("price_ore"), "charge": text("charge_id"), "created": raw("created"), "currency": "nok",
            "enhanced_eligibility_types": [], "evidence_details.due_by": raw(pl.col("created") + 604_800 * 2),
            "evidence_details.has_evidence": raw(closed), "evidence_details.submission_count": raw(closed.cast(pl.Int64)),
            "id": text("id"), "is_charge_refundable": False, "metadata": _BOOKING, "payment_intent": text("pi_id"),
            "payment_method_details.card": {"brand": text("customer_card_brand"), "case_type": "chargeback", "network": text("customer_card_brand"), "network_reason_code": "10.4"},
            "reason": text(pl.when("fraudulent").then(pl.lit("fraudulent")).otherwise(pl.lit("product_not_received"))),
            "status": text("status"),
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def transfer(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["transfer"],
        {
            "amount": raw("price_ore"), "amount_reversed": raw("reversed_ore"), "balance_transaction": text("transfer_entry"),
            "created": raw("created"), "currency": "nok", "destination": text("destination"),
            "destination_payment": text("destination_payment"), "id": text("id"),
            "metadata": _metadata(("account_id", "provider_account_id"), ("booking_id", "booking_id")),
            "reversals.url": text(pl.lit("/v1/transfers/") + pl.col("id") + pl.lit("/reversals")),
            "reversed": raw(pl.col("reversed_ore") == pl.col("price_ore")), "source_transaction": text("charge_id"),
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def transfer_reversal(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["transfer_reversal"],
        {
            "amount": raw("refund_ore"), "balance_transaction": text("reversal_entry"), "created": raw("created"), "currency": "nok",
            "id": text("id"), "metadata": _metadata(("booking_id", "booking_id")), "source_refund": text("refund_id"),
            "transfer": text("transfer_id"),
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def application_fee(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["application_fee"],
        {
            "account": text("destination"), "amount": raw("fee_ore"), "amount_refunded": raw("refunded_ore"),
            "balance_transaction": text("fee_entry"), "charge": text("destination_payment"), "created": raw("created"), "currency": "nok",
            "fee_source": {"charge": text("destination_payment"), "type": "charge"}, "id": text("id"), "originating_transaction": text("charge_id"),
            "refunded": raw(pl.col("refunded_ore") == pl.col("fee_ore")),
            "refunds.url": text(pl.lit("/v1/application_fees/") + pl.col("id") + pl.lit("/refunds")),
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def fee_refund(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["fee_refund"],
        {
            "amount": raw("refund_fee_ore"), "balance_transaction": text("fee_refund_entry"), "created": raw("created"), "currency": "nok",
            "fee": text("fee_id"), "id": text("id"), "metadata": _metadata(("booking_id", "booking_id")),
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def balance_transaction(frame: pl.DataFrame) -> pl.Series:
    kind = pl.when(pl.col("_account").is_null()).then(pl.lit("stripe_fee")).otherwise(pl.lit("application_fee"))
    fee = pl.concat_str(
        [pl.lit('[{"amount":'), pl.col("fee"), pl.lit(',"application":null,"currency":"nok","description":null,"type":"'), kind, pl.lit('"}]')]
    )
    template = changed(
        SHAPES["balance_transaction"],
        {
            "amount": raw("amount"), "available_on": raw("available_on"), "created": raw("created"), "currency": "nok", "description": None,
            "fee": raw("fee"), "fee_details": pl.when(pl.col("fee") == 0).then(pl.lit("[]")).otherwise(fee), "id": text("id"),
            "net": raw(pl.col("amount") - pl.col("fee")), "reporting_category": text("category"), "source": text("source"),
            "status": text("status"), "type": text("type"),
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def payout(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["payout"],
        {
            "amount": raw("amount"), "arrival_date": raw("arrival_date"), "balance_transaction": text("entry_id"), "created": raw("created"),
            "currency": "nok", "destination": text("destination"), "id": text("id"), "status": text("status"), "trace_id": None,
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


def early_fraud_warning(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["radar.early_fraud_warning"],
        {"charge": text("charge_id"), "created": raw("created"), "fraud_type": "unauthorized_use_of_card", "id": text("id")},
    )
    return frame.select(rendered(template)).to_series()


def review(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["review"],
        {
            "charge": text("charge_id"), "closed_reason": text("closed_reason"), "created": raw("created"), "id": text("id"),
            "ip_address": text("customer_ip"), "open": raw("is_open"),
            "reason": text(pl.when(pl.col("closed_reason").is_null()).then(pl.lit("rule")).otherwise(pl.col("closed_reason"))),
        },
    )  # fmt: skip
    return frame.select(rendered(template)).to_series()


WRITERS = {
    "account": account, "application_fee": application_fee, "balance_transaction": balance_transaction, "bank_account": bank_account,
    "charge": charge, "customer": customer, "dispute": dispute, "fee_refund": fee_refund,
    "identity.verification_session": verification_session, "payment_intent": payment_intent, "payment_method": payment_method,
    "payout": payout, "person": person, "radar.early_fraud_warning": early_fraud_warning, "refund": refund, "review": review,
    "transfer": transfer, "transfer_reversal": transfer_reversal,
}  # fmt: skip
OBJECT_TYPES = (*WRITERS, "event")
