"""From a draft of a booking to its whole life: done or not, paid or not, disputed, refunded; and what the app shows of it.

A draft says who, what and when; it may also fix any part of the life, for planted cases. The life has one row a booking.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world.categories import field
from demo.world.randomness import stripe_ids, text_series
from demo.world.spec import DAY, HOUR

FEE_SHARE = 0.15
_DRAFT = {
    "request_id": pl.Int64,
    "customer": pl.Int64,
    "provider": pl.Int64,
    "category_id": pl.Int64,
    "price_nok": pl.Float64,
    "booked_at": pl.Int64,
    "starts_at": pl.Int64,
    "part": pl.String,
    # what a planted case fixes; null leaves it to chance
    "fate": pl.String,
    "method": pl.String,
    "other_card": pl.String,  # fingerprint of a card that is not the customer's own
    "completed_at": pl.Int64,
    "paid_at": pl.Int64,
    "declines": pl.Int64,
    "disputed_at": pl.Int64,
    "dispute_status": pl.String,
    "warned_at": pl.Int64,
    "refunded_at": pl.Int64,
    "refund_share": pl.Float64,
    "claim_status": pl.String,
    "claimed_at": pl.Int64,
    "review_rating": pl.Int64,
}


def as_drafts(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column of a draft; those that it lacks are null."""
    return frame.select(
        [
            (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
            for name, kind in _DRAFT.items()
        ]
    )


def make_lives(rng: np.random.Generator, drafts: pl.DataFrame, first_booking_id: int) -> pl.DataFrame:
    """The life of each draft, in the order of booking, numbered from `first_booking_id`.

    fate: paid | unpaid | cancelled | no_show. Amounts in øre (`price_ore`, `fee_ore`). Times of what does not happen
    are null; those after the world's clock are its future.
    """
    drafts = as_drafts(drafts).sort("booked_at", maintain_order=True)
    count = drafts.height
    hours = field("hours")[drafts["category_id"].to_numpy() - 1]
    fate = np.array(["cancelled", "no_show", "unpaid", "paid"], dtype=object)
    drawn = fate[np.searchsorted(np.array([0.09, 0.105, 0.113]), rng.random(count), side="right")]
    method = np.array(["vipps", "card", "klarna"], dtype=object)
    methods = method[np.searchsorted(np.array([0.42, 0.85]), rng.random(count), side="right")]
    by = np.array(["customer", "provider", "platform"], dtype=object)
    cancelled_by = by[np.searchsorted(np.array([0.6, 0.92]), rng.random(count), side="right")]
    cancel_share = rng.random(count)
    life = drafts.with_columns(
        booking_id=pl.int_range(first_booking_id, first_booking_id + count),
        price_ore=(pl.col("price_nok") * 100).round().cast(pl.Int64),
        ends_at=pl.col("starts_at") + pl.Series((np.maximum(hours, 0.5) * HOUR).astype(np.int64)),
        fate=pl.coalesce("fate", text_series(drawn)),
        method=pl.coalesce("method", text_series(methods)),
        cancelled_by=text_series(cancelled_by),
    ).with_columns(
        fee_ore=(pl.col("price_ore") * FEE_SHARE).round().cast(pl.Int64),
        pi_id=text_series(stripe_ids("pi", np.arange(first_booking_id, first_booking_id + count))),
        completed_at=pl.coalesce("completed_at", pl.col("ends_at") + pl.Series(rng.integers(0, 2 * HOUR, count))),
        cancelled_at=pl.col("booked_at")
        + ((pl.col("starts_at") - pl.col("booked_at")) * pl.Series(cancel_share)).cast(pl.Int64)
        + 60,
    )
    done = pl.col("fate").is_in(["paid", "unpaid"])
    pays_after = pl.Series(np.exp(rng.normal(9.6, 1.3, count)).clip(120, 12 * DAY).astype(np.int64))
    life = life.with_columns(
        completed_at=pl.when(done).then("completed_at"),
        paid_at=pl.when(pl.col("fate") == "paid").then(pl.coalesce("paid_at", pl.col("completed_at") + pays_after)),
        cancelled_at=pl.when(pl.col("fate") == "cancelled").then("cancelled_at"),
        cancelled_by=pl.when(pl.col("fate") == "cancelled").then("cancelled_by"),
    )
    return _money_troubles(rng, life)


def _money_troubles(rng: np.random.Generator, life: pl.DataFrame) -> pl.DataFrame:
    """Declined cards, refunds, disputes and warnings, for planted cases as fixed and else rarely."""
    count = life.height
    by_chance = pl.col("part").is_null()
    card = pl.col("method") == "card"
    paid = pl.col("paid_at").is_not_null()
    refunded = by_chance & paid & pl.Series(rng.random(count) < 0.02)
    disputed = by_chance & paid & card & ~refunded & pl.Series(rng.random(count) < 0.006)
    warned = disputed & pl.Series(rng.random(count) < 0.3)
    declines = pl.Series(np.where(rng.random(count) < 0.03, 1, 0))
    status = np.array(["needs_response", "won", "lost"], dtype=object)[rng.integers(0, 3, count)]
    share = np.where(rng.random(count) < 0.5, 1.0, 0.5)
    return life.with_columns(
        refunded_at=pl.coalesce(
            "refunded_at", pl.when(refunded).then(pl.col("paid_at") + pl.Series(rng.integers(DAY, 20 * DAY, count)))
        ),
        refund_share=pl.coalesce("refund_share", pl.Series(share)),
        disputed_at=pl.coalesce(
            "disputed_at", pl.when(disputed).then(pl.col("paid_at") + pl.Series(rng.integers(3 * DAY, 40 * DAY, count)))
        ),
        dispute_status=pl.coalesce("dispute_status", text_series(status)),
        warned_at=pl.coalesce(
            "warned_at", pl.when(warned).then(pl.col("paid_at") + pl.Series(rng.integers(DAY, 3 * DAY, count)))
        ),
        declines=pl.coalesce("declines", pl.when(card & paid).then(declines)).fill_null(0),
    )


def booking_versions(people: pl.DataFrame, life: pl.DataFrame) -> pl.DataFrame:
    """booked → in_progress → completed → paid, or cancelled or no_show on the way."""
    base = life.select(
        "booking_id",
        "request_id",
        "category_id",
        "starts_at",
        "ends_at",
        "booked_at",
        "completed_at",
        "paid_at",
        "cancelled_at",
        "cancelled_by",
        "fate",
        people["account_id"].gather(life["customer"]).alias("customer_id"),
        people["account_id"].gather(life["provider"]).alias("provider_id"),
        (pl.col("price_ore") / 100).alias("price_nok"),
        (pl.col("fee_ore") / 100).alias("platform_fee_nok"),
        pl.col("method").alias("payment_method"),
        pl.col("pi_id").alias("stripe_payment_intent_id"),
    )
    nothing = {
        "completed_at": pl.lit(None, pl.Int64),
        "paid_at": pl.lit(None, pl.Int64),
        "cancelled_by": pl.lit(None, pl.String),
    }
    done = pl.col("fate").is_in(["paid", "unpaid"])
    stages = [
        base.with_columns(status=pl.lit("booked"), valid_from=pl.col("booked_at"), **nothing),
        base.filter(done).with_columns(status=pl.lit("in_progress"), valid_from=pl.col("starts_at"), **nothing),
        base.filter(done).with_columns(
            status=pl.lit("completed"), valid_from=pl.col("completed_at"), paid_at=pl.lit(None, pl.Int64)
        ),
        base.filter(pl.col("paid_at").is_not_null()).with_columns(
            status=pl.lit("completed"), valid_from=pl.max_horizontal("paid_at", "completed_at")
        ),
        base.filter(pl.col("fate") == "cancelled").with_columns(
            status=pl.lit("cancelled"), valid_from=pl.col("cancelled_at")
        ),
        base.filter(pl.col("fate") == "no_show").with_columns(
            status=pl.lit("no_show"), valid_from=pl.col("starts_at") + HOUR
        ),
    ]
    columns = stages[0].columns
    return pl.concat([stage.select(columns) for stage in stages]).drop("fate", "cancelled_at")
