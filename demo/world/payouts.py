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


def make_payouts(unpaid: pl.DataFrame, now: int, bank_of: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Payouts of `unpaid` entries (`_account`, `net`, `available_on`) until `now`, and the entries that stay unpaid.

    `bank_of` has `_account` and `destination` (the external account) of the connected accounts. Payouts come with
    `id`, `_account`, `amount`, `created`, `destination`. What a negative balance leaves over is one entry of its own.
    """
    platform = pl.col("_account").is_null()
    after = pl.col("available_on") - _AT
    due = (
        pl.when(platform).then(-(-after // DAY) * DAY).otherwise(-(-(after - _MONDAY) // (7 * DAY)) * 7 * DAY + _MONDAY)
    )
    entries = unpaid.with_columns(payout_at=due + _AT)
    ready = entries.filter(pl.col("payout_at") <= now)
    waiting = entries.filter(pl.col("payout_at") > now).select("_account", "net", "available_on")
    by_day = (
        ready.with_columns(owner=pl.col("_account").fill_null(""))
        .group_by("owner", "payout_at")
        .agg(pl.col("net").sum())
        .sort("owner", "payout_at")
    )
    running = by_day.with_columns(total=pl.col("net").cum_sum().over("owner"))
    best = pl.col("total").cum_max().over("owner").clip(0)
    paid_so_far = running.with_columns(best=best).with_columns(
        amount=pl.col("best") - pl.col("best").shift(1).over("owner").fill_null(0)
    )
    carried = (
        paid_so_far.group_by("owner", maintain_order=True)
        .agg(net=pl.col("total").last() - pl.col("best").last(), available_on=pl.col("payout_at").last())
        .filter(pl.col("net") != 0)
        .select(_owner(), "net", "available_on")
    )
    payouts = paid_so_far.filter(pl.col("amount") > 0).select(_owner(), "amount", created="payout_at")
    payouts = payouts.join(bank_of, on="_account", how="left", maintain_order="left").with_columns(
        destination=pl.coalesce("destination", pl.lit("ba_1PlatformOfLeii00000000"))
    )
    return _with_ids(payouts), pl.concat([waiting, carried.select(waiting.columns)])


def _owner() -> pl.Expr:
    return pl.when(pl.col("owner") != "").then("owner").alias("_account")


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
