"""A day on Stripe's side: objects made and changed, payouts, a customer deleted, and the events that tell of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from demo.world.chapter import Chapter
from demo.world.daily import Day, joined, seconds
from demo.world.output import read_table, write_stripe_clock
from demo.world.payments import balance_versions, paid_out_versions
from demo.world.payouts import make_payouts, payout_entries, payout_versions
from demo.world.spec import STRIPE_EVENT_HISTORY
from demo.world.state import State
from demo.world.stripe_files import deleted_customer, newest_objects, rendered_lines
from demo.world.stripe_merge import merge
from demo.world.stripe_people import customer_objects
from demo.world.stripe_templates import OBJECT_TYPES
from demo.world.tables import split_at, stack


@dataclass(frozen=True, kw_only=True)
class StripeDay:
    """The state with Stripe's part moved on, and how many objects there are by type."""

    state: State
    counts: dict[str, int]


def write_stripe_day(
    world: Path,
    day: Day,
    state: State,
    news: dict[str, pl.DataFrame],
    chapter: Chapter,
    accounts: pl.DataFrame,
    leaver: str | None,
    ids: dict[str, int],
) -> StripeDay:
    """Brings the files to the end of the day. `accounts`: the app's accounts at its beginning; `ids` is moved on."""
    known = state.payment_methods["id"].implode()
    own = dict(chapter.objects)
    own["payment_method"] = own["payment_method"].filter(~pl.col("id").is_in(known))
    own["balance_transaction"] = balance_versions(chapter.entries)
    objects = joined([state.objects, news, own])
    entries = stack([state.entries, chapter.entries])
    payouts, paid, unpaid = _payouts(world, day, state, objects["bank_account"], entries)
    objects["payout"] = stack([objects["payout"], payout_versions(payouts)])
    objects["balance_transaction"] = stack(
        [objects["balance_transaction"], balance_versions(payout_entries(payouts)), paid_out_versions(paid)]
    )
    deleted = _departure(day, accounts, leaver)
    objects["customer"] = stack([objects["customer"], deleted])
    due, waiting = {}, {}
    for kind, frame in objects.items():
        due[kind], waiting[kind] = split_at(frame, day.end)
    if leaver is not None:
        waiting["customer"] = waiting["customer"].filter(pl.col("account_id") != leaver)
    newest = newest_objects(due, day.end, day.start, ids["event"])
    ids["event"] += newest.events.height
    lines = {kind: rendered_lines(kind, shown) for kind, shown in newest.objects.items()} | {"event": newest.events}
    lines["customer"] = _mark_deleted(lines["customer"], deleted["id"])
    counts = _write(world, day, lines)
    methods = pl.concat([state.payment_methods, own["payment_method"].select("id")])
    moved = replace(
        state,
        objects=waiting,
        entries=entries.filter(pl.col("created") > day.end),
        unpaid=unpaid,
        payment_methods=methods,
    )
    return StripeDay(state=moved, counts=counts)


def _payouts(
    world: Path, day: Day, state: State, new_banks: pl.DataFrame, entries: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    made = entries.filter(pl.col("created") <= day.end)
    index = read_table(world / "state", "index.bank_account")
    assert index is not None
    changed = (
        new_banks.filter(pl.col("valid_from") <= day.end)
        .sort("valid_from")
        .select(_account="merge_key", destination="id")
    )
    banks = pl.concat([index.select(_account="key", destination="id"), changed])
    banks = banks.unique("_account", keep="last", maintain_order=True)
    return make_payouts(stack([state.unpaid, made]), day.end, banks)


def _departure(day: Day, accounts: pl.DataFrame, leaver: str | None) -> pl.DataFrame:
    """The customer of an account that is deleted goes with it."""
    row = seconds("account", accounts).filter((pl.col("account_id") == pl.lit(leaver, pl.String)).fill_null(False))
    row = row.with_columns(valid_from=pl.lit(day.end - 60, pl.Int64))
    return customer_objects(row).with_columns(
        event=pl.lit("customer.deleted"), valid_from=pl.lit(day.end - 60, pl.Int64)
    )


def _mark_deleted(lines: pl.DataFrame, deleted: pl.Series) -> pl.DataFrame:
    is_deleted = pl.col("id").is_in(deleted.implode())
    return lines.with_columns(line=pl.when(is_deleted).then(deleted_customer()).otherwise("line"))


def _write(world: Path, day: Day, lines: dict[str, pl.DataFrame]) -> dict[str, int]:
    counts = {}
    for kind in OBJECT_TYPES:
        oldest = day.end - STRIPE_EVENT_HISTORY if kind == "event" else None
        if lines[kind].height:
            counts[f"stripe.{kind}"] = merge(world / "stripe", world / "state", kind, lines[kind], forget_before=oldest)
    write_stripe_clock(world, day.end)
    return counts
