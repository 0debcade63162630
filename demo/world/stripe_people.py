"""Stripe objects about people: customers, connected accounts, their persons and bank accounts, identity checks; as versions."""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world.payments import ids_of
from demo.world.randomness import generator
from demo.world.spec import HOUR


def customer_objects(accounts: pl.DataFrame) -> pl.DataFrame:
    """Customers, changed when the account's name, e-mail or phone is. `accounts` are versions of `app.account`."""
    known = accounts.filter(pl.col("stripe_customer_id").is_not_null()).sort("valid_from", maintain_order=True)
    known = known.unique(["stripe_customer_id", "full_name", "email", "phone"], keep="first", maintain_order=True)
    is_first = pl.int_range(pl.len()).over("stripe_customer_id") == 0
    return known.select(
        "account_id",
        "full_name",
        "email",
        "phone",
        "address_line",
        "postal_code",
        "city",
        "created_at",
        "valid_from",
        id=pl.col("stripe_customer_id"),
        created=pl.col("created_at") + 5,
        event=pl.when(is_first).then(pl.lit("customer.created")).otherwise(pl.lit("customer.updated")),
    ).with_columns(valid_from=pl.max_horizontal("valid_from", "created"))


def provider_objects(people: pl.DataFrame, profiles: pl.DataFrame, seed: int, step: int) -> dict[str, pl.DataFrame]:
    """Connected accounts and their bank account by profile version, their person, and the check of the person's identity."""
    known = profiles.filter(pl.col("stripe_account_id").is_not_null()).sort("valid_from", maintain_order=True)
    if "person" in known.columns:
        known = known.drop("person")
    who = people.select(
        "account_id",
        "person",
        "first_name",
        "last_name",
        "full_name",
        "email",
        "phone",
        "birth_date",
        "person_key",
        "address_line",
        "place",
        "ip",
    )
    known = known.select(
        "account_id", "bank_account", "stripe_account_id", "display_name", "org_number", "valid_from", "published_at"
    ).join(who, on="account_id", maintain_order="left")
    is_first = pl.int_range(pl.len()).over("stripe_account_id") == 0
    bank_key = known["bank_account"].cast(pl.Int64)
    accounts = known.with_columns(
        id=pl.col("stripe_account_id"),
        created=pl.col("published_at"),
        event=pl.when(is_first).then(pl.lit(None, pl.String)).otherwise(pl.lit("account.updated")),
        bank_id=ids_of("ba", bank_key ^ known["person_key"]),
        bank_fingerprint=ids_of("", bank_key, salt="bank").str.slice(2, 16),
        bank_last4=pl.col("bank_account").str.slice(-4),
    )
    banks = accounts.with_columns(
        id=pl.col("bank_id"),
        _account=pl.col("stripe_account_id"),
        merge_key=pl.col("stripe_account_id"),
        event=pl.when(pl.col("event").is_null())
        .then(pl.lit("account.external_account.created"))
        .otherwise(pl.lit("account.external_account.updated")),
    )
    first = accounts.filter(pl.col("event").is_null())
    persons = first.with_columns(
        ids_of("person", first["person_key"]).alias("id"),
        _account=pl.col("stripe_account_id"),
        event=pl.lit(None, pl.String),
    )
    return {
        "account": accounts,
        "bank_account": banks,
        "person": persons,
        "identity.verification_session": _sessions(first, seed, step),
    }


def _sessions(first: pl.DataFrame, seed: int, step: int) -> pl.DataFrame:
    rng = generator(seed, "identity", step)
    base = first.with_columns(
        ids_of("vs", first["person_key"]).alias("id"),
        ids_of("vr", first["person_key"]).alias("report"),
        created=pl.col("published_at") - HOUR,
    )
    fails = pl.Series(rng.random(first.height) < 0.05)
    took = pl.Series(np.asarray(rng.integers(60, 3_000, first.height)))
    started = base.with_columns(
        status=pl.lit("requires_input"),
        valid_from=pl.col("created"),
        event=pl.lit("identity.verification_session.created"),
    )
    checked = base.filter(~fails).with_columns(
        status=pl.lit("verified"),
        valid_from=pl.col("created") + took.filter(~fails),
        event=pl.lit("identity.verification_session.verified"),
    )
    return pl.concat([started, checked])
