"""Payouts that the balance transactions explain to the øre.

The platform is paid out daily, a provider's account on Mondays, at 05:00 UTC: the whole available balance where it is
positive; a negative one is carried on. So up to any payout, the net amounts of all balance transactions that were
available by then add up to all payouts until it.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world.payments import ids_of
from demo.world.spec import DAY, HOUR

_AT = 5 * HOUR
_MONDAY = 4 * DAY  # 1970-01-05


def make_payouts(
    unpaid: pl.DataFrame, now: int, bank_of: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Payouts of balance entries until `now`; the entries that they pay out, with `_payout` and `paid_out_at`; the others.

    `bank_of` has `_account` and `destination` (the external account) of the connected accounts. Payouts come with
    `id`, `_account`, `amount`, `created`, `destination`, `entry_id`.
    """
    platform = pl.col("_account").is_null()
    # An entry that becomes available in the second of a payout waits for the next one.
    after = pl.col("available_on") + 1 - _AT
    due = (
        pl.when(platform).then(-(-after // DAY) * DAY).otherwise(-(-(after - _MONDAY) // (7 * DAY)) * 7 * DAY + _MONDAY)
    )
    entries = unpaid.with_columns(owner=pl.col("_account").fill_null(""), due_at=due + _AT)
    by_day = (
        entries.filter(pl.col("due_at") <= now)
        .group_by("owner", "due_at")
        .agg(net=(pl.col("amount") - pl.col("fee")).sum())
        .sort("owner", "due_at")
        .with_columns(total=pl.col("net").cum_sum().over("owner"))
        .with_columns(best=pl.col("total").cum_max().over("owner").clip(0))
        .with_columns(amount=pl.col("best") - pl.col("best").shift(1).over("owner").fill_null(0))
    )
    payouts = by_day.filter(pl.col("amount") > 0).select(
        pl.when(pl.col("owner") != "").then("owner").alias("_account"), "owner", "amount", created="due_at"
    )
    payouts = payouts.join(bank_of, on="_account", how="left", maintain_order="left").with_columns(
        destination=pl.coalesce("destination", pl.lit("ba_1PlatformOfLeii00000000"))
    )
    payouts = _with_ids(payouts)
    explained = entries.sort("due_at", "id").join_asof(
        payouts.select("owner", _payout="id", paid_out_at="created").sort("paid_out_at"),
        left_on="due_at",
        right_on="paid_out_at",
        by="owner",
        strategy="forward",
        check_sortedness=False,
    )
    has_payout = pl.col("_payout").is_not_null()
    paid = explained.filter(has_payout).drop("owner", "due_at")
    rest = explained.filter(~has_payout).select(unpaid.columns)
    return payouts.drop("owner"), paid, rest


def _with_ids(payouts: pl.DataFrame) -> pl.DataFrame:
    day = payouts["created"] // DAY
    owner = payouts["_account"].fill_null("").to_list()
    letters = np.array([int.from_bytes(name[-7:].encode(), "big") for name in owner], dtype=np.int64)
    key = pl.Series(letters * 65_536 + day.to_numpy() % 65_536)
    return payouts.with_columns(ids_of("po", key).alias("id"), ids_of("txn", key, salt="payout").alias("entry_id"))


def payout_versions(payouts: pl.DataFrame) -> pl.DataFrame:
    """Each payout on its way, and when it has arrived a day later."""
    base = payouts.with_columns(arrival_date=(pl.col("created") // DAY + 1) * DAY)
    return pl.concat(
        [
            base.with_columns(
                status=pl.lit("in_transit"), valid_from=pl.col("created"), event=pl.lit("payout.created")
            ),
            base.with_columns(status=pl.lit("paid"), valid_from=pl.col("arrival_date"), event=pl.lit("payout.paid")),
        ]
    )


def payout_entries(payouts: pl.DataFrame) -> pl.DataFrame:
    """The balance transactions of the payouts themselves."""
    return payouts.select(
        pl.col("entry_id").alias("id"),
        "created",
        ((pl.col("created") // DAY + 1) * DAY).alias("available_on"),
        (-pl.col("amount")).alias("amount"),
        pl.lit(0, pl.Int64).alias("fee"),
        pl.col("id").alias("source"),
        pl.lit("payout").alias("type"),
        pl.lit("payout").alias("category"),
        "_account",
    )
