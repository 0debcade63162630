"""Planted disagreements between the app, Stripe's objects and its balances: old, ordinary payments, one a kind.

`books` is the kind, on the bookings that are chosen; the truth says what a reconciliation must find, and nothing else may.
"""

from __future__ import annotations

import polars as pl

from demo.world.spec import DAY

KINDS = (
    "payment_missing_in_stripe",
    "payment_missing_in_app",
    "amount_differs",
    "fee_differs",
    "not_passed_on",
    "balance_differs",
)
OVERCHARGED, FEE_TOO_HIGH, ENTRY_TOO_LOW, PAID_OUT_TOO_MUCH = 700, 50, 300, 12_345  # øre
_OLDEST, _NEWEST = 400 * DAY, 75 * DAY  # nothing of it happens near the world's now, nor is told of by an event


def choose(life: pl.DataFrame, now: int) -> pl.DataFrame:
    """The lives with `books`: one payment a kind, of those by card that nothing befell, spread over the time."""
    ordinary = life.filter(
        pl.col("part").is_null()
        & pl.col("paid_at").is_between(now - _OLDEST, now - _NEWEST)
        & pl.all_horizontal(pl.col("refunded_at", "disputed_at", "warned_at").is_null())
        & (pl.col("declines") == 0)
    )
    step = max(ordinary.height // len(KINDS), 1)
    rows = ordinary["booking_id"].gather_every(step)[: len(KINDS)]
    chosen = pl.DataFrame({"booking_id": rows, "books": KINDS[: len(rows)]})
    return life.join(chosen, on="booking_id", how="left", maintain_order="left")


def as_the_app_has_it(life: pl.DataFrame) -> pl.DataFrame:
    """The app never learned of one payment."""
    unaware = is_kind("payment_missing_in_app")
    return life.with_columns(paid_at=pl.when(~unaware).then("paid_at"))


def as_stripe_has_it(life: pl.DataFrame) -> pl.DataFrame:
    """One payment was never made, one is of another sum, one with another fee, one was given back by the platform alone."""
    return life.with_columns(
        paid_at=pl.when(~is_kind("payment_missing_in_stripe")).then("paid_at"),
        price_ore=pl.col("price_ore") + pl.when(is_kind("amount_differs")).then(OVERCHARGED).otherwise(0),
        fee_ore=pl.col("fee_ore") + pl.when(is_kind("fee_differs")).then(FEE_TOO_HIGH).otherwise(0),
        refunded_at=pl.when(is_kind("not_passed_on")).then(pl.col("paid_at") + DAY).otherwise("refunded_at"),
        refund_share=pl.when(is_kind("not_passed_on")).then(1.0).otherwise("refund_share"),
    )


def is_kind(kind: str) -> pl.Expr:
    return pl.col("books").eq_missing(pl.lit(kind))


def with_wrong_payouts(payouts: pl.DataFrame, now: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The payouts with one of the platform's and one of a provider's that are too high; and the truth about them."""
    old = payouts.filter(pl.col("created").is_between(now - _OLDEST, now - _NEWEST)).sort("created", "id")
    wrong = pl.concat(
        [old.filter(pl.col("_account").is_null()).head(1), old.filter(pl.col("_account").is_not_null()).head(1)]
    )
    is_wrong = pl.col("id").is_in(wrong["id"].implode())
    changed = payouts.with_columns(amount=pl.col("amount") + pl.when(is_wrong).then(PAID_OUT_TOO_MUCH).otherwise(0))
    truth = wrong.select(
        pl.lit("payout_not_explained").alias("reason"),
        pl.col("id").alias("payout_id"),
        pl.lit(None, pl.String).alias("charge_id"),
        pl.lit(None, pl.Int64).alias("booking_id"),
        pl.lit(PAID_OUT_TOO_MUCH, pl.Int64).alias("difference_ore"),
    )
    return changed, truth


def truth_of(paid: pl.DataFrame, life: pl.DataFrame) -> pl.DataFrame:
    """What a reconciliation must find of the payments. `paid` is as Stripe has it, `life` before anything was planted."""
    price = life.select("booking_id", planned_ore="price_ore")
    return (
        paid.filter(pl.col("books").is_not_null())
        .join(price, on="booking_id", maintain_order="left")
        .select(
            pl.col("books").alias("reason"),
            pl.lit(None, pl.String).alias("payout_id"),
            "charge_id",
            "booking_id",
            difference_ore=pl.col("books")
            .replace_strict(
                {"amount_differs": OVERCHARGED, "fee_differs": FEE_TOO_HIGH, "balance_differs": -ENTRY_TOO_LOW},
                default=None,
                return_dtype=pl.Int64,
            )
            .fill_null(
                pl.when(is_kind("payment_missing_in_stripe")).then(-pl.col("planned_ore")).otherwise("planned_ore")
            ),
        )
    )
