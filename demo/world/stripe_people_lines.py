"""How people are written as Stripe objects: customers, connected accounts, bank accounts, persons, identity checks."""

from __future__ import annotations

from typing import Any

import polars as pl

from demo.world.shapes import SHAPES, changed, metadata, raw, rendered, text

_BOOKING = metadata(("account_id", "customer_account_id"), ("booking_id", "booking_id"))
_ACCOUNT = metadata(("account_id", "account_id"))
_NO_REQUIREMENTS: dict[str, Any] = {"currently_due": [], "eventually_due": [], "past_due": [], "disabled_reason": None}


def customer(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["customer"],
        {
            "address.city": text("city"),
            "address.country": "NO",
            "address.line1": text("address_line"),
            "address.postal_code": text("postal_code"),
            "created": raw("created"),
            "currency": "nok",
            "discount": None,
            "email": text("email"),
            "id": text("id"),
            "invoice_prefix": text(pl.col("id").str.slice(6, 7).str.to_uppercase()),
            "metadata": _ACCOUNT,
            "name": text("full_name"),
            "phone": text("phone"),
            "preferred_locales": ["nb-NO"],
            "shipping": None,
        },
    )
    return frame.select(rendered(template)).to_series()


def account(frame: pl.DataFrame) -> pl.Series:
    template = changed(
        SHAPES["account"],
        {
            "business_profile.mcc": "7299",
            "business_profile.name": text("display_name"),
            "business_type": text(
                pl.when(pl.col("org_number").is_null()).then(pl.lit("individual")).otherwise(pl.lit("company"))
            ),
            "charges_enabled": True,
            "country": "NO",
            "created": raw("created"),
            "default_currency": "nok",
            "details_submitted": True,
            "email": text("email"),
            "external_accounts.data": [_bank()],
            "external_accounts.url": text(
                pl.lit("/v1/accounts/") + pl.col("stripe_account_id") + pl.lit("/external_accounts")
            ),
            "id": text("stripe_account_id"),
            "metadata": _ACCOUNT,
            "payouts_enabled": True,
            **{f"requirements.{name}": value for name, value in _NO_REQUIREMENTS.items()},
            "settings.dashboard.display_name": text("display_name"),
            "settings.dashboard.timezone": "Europe/Oslo",
            "settings.payouts.schedule": {"delay_days": 2, "interval": "weekly"},
            "tos_acceptance.date": raw("created"),
            "tos_acceptance.ip": text("ip"),
            "type": "express",
        },
    )
    return frame.select(rendered(template)).to_series()


def _bank() -> dict[str, Any]:
    return changed(
        SHAPES["bank_account"],
        {
            "account_holder_name": text("full_name"),
            "account_holder_type": text(
                pl.when(pl.col("org_number").is_null()).then(pl.lit("individual")).otherwise(pl.lit("company"))
            ),
            "bank_name": "LEII DEMO BANK",
            "country": "NO",
            "currency": "nok",
            "fingerprint": text("bank_fingerprint"),
            "id": text("bank_id"),
            "last4": text("bank_last4"),
            "routing_number": None,
            "status": "verified",
        },
    )


def bank_account(frame: pl.DataFrame) -> pl.Series:
    return frame.select(rendered(_bank())).to_series()


def person(frame: pl.DataFrame) -> pl.Series:
    birth = pl.from_epoch(pl.col("birth_date"), time_unit="d")
    template = changed(
        SHAPES["person"],
        {
            "account": text("stripe_account_id"),
            "additional_tos_acceptances": {"account": {"date": None, "ip": None, "user_agent": None}},
            "created": raw("created"),
            "dob": {"day": raw(birth.dt.day()), "month": raw(birth.dt.month()), "year": raw(birth.dt.year())},
            "first_name": text("first_name"),
            "id": text("id"),
            "id_number_provided": True,
            "last_name": text("last_name"),
            "metadata": _ACCOUNT,
            "relationship.representative": True,
            "relationship.owner": True,
            "verification.status": "verified",
        },
    )
    return frame.select(rendered(template)).to_series()


def verification_session(frame: pl.DataFrame) -> pl.Series:
    failed = pl.when(pl.col("status") == "requires_input")
    template = changed(
        SHAPES["identity.verification_session"],
        {
            "created": raw("created"),
            "id": text("id"),
            "last_error.code": None,
            "metadata": _ACCOUNT,
            "redaction": None,
            "last_verification_report": text(failed.then(None).otherwise(pl.col("report"))),
            "status": text("status"),
        },
    )
    return frame.select(rendered(template)).to_series()
