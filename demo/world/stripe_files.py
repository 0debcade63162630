"""Stripe's side of the world in JSON lines, one file a type, and the events that tell of changes."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from demo.world.payments import ids_of
from demo.world.shapes import SHAPES, changed, raw, rendered, text
from demo.world.spec import STRIPE_EVENT_HISTORY
from demo.world.stripe_templates import API_VERSION, WRITERS

# Objects of connected accounts: their lines name the account. Their events do too, so that they are listed under it.
_STEERING = ("_account", "_payout")  # whose object it is; on a balance transaction, the payout that paid it out
_EVENTS_OF_CONNECTED = ("payout.created", "payout.paid")


@dataclass(frozen=True, kw_only=True)
class StripeNews:
    """Objects by type, not rendered yet (`key`: what a newer line replaces an older one by), and rendered events."""

    objects: dict[str, pl.DataFrame]
    events: pl.DataFrame


def newest_objects(objects: dict[str, pl.DataFrame], now: int, since: int, first_event: int) -> StripeNews:
    """The newest version of each object, and an event for every version since `since` (at most 30 days back)."""
    shown: dict[str, pl.DataFrame] = {}
    told: list[pl.DataFrame] = []
    for kind in sorted(objects):
        versions = _with_columns(objects[kind]).filter(pl.col("valid_from") <= now)
        recent = versions.filter(
            pl.col("event").is_not_null() & (pl.col("valid_from") > max(since, now - STRIPE_EVENT_HISTORY))
        )
        newest = versions.sort("key", "valid_from", maintain_order=True).unique("key", keep="last", maintain_order=True)
        shown[kind] = ordered(kind, newest)
        if recent.height:
            thing = WRITERS[kind](recent).alias("object")
            told.append(recent.select("valid_from", "event", "id", "_account").with_columns(thing))
    return StripeNews(objects=shown, events=_events(told, first_event))


def _with_columns(versions: pl.DataFrame) -> pl.DataFrame:
    """The versions with `key`, and with the columns that steer the double of Stripe's API where they lack them."""
    missing = [pl.lit(None, pl.String).alias(name) for name in _STEERING if name not in versions.columns]
    key = "merge_key" if "merge_key" in versions.columns else "id"
    return versions.with_columns(pl.col(key).alias("key"), *missing)


def rendered_lines(kind: str, shown: pl.DataFrame) -> pl.DataFrame:
    """`key`, `created`, `id` and `line` of objects that `newest_objects` gave; a part of them will do."""
    keys = [
        pl.when(pl.col(name).is_not_null())
        .then(pl.concat_str([pl.lit(f'"{name}":"'), pl.col(name), pl.lit('",')]))
        .otherwise(pl.lit(""))
        for name in _STEERING
    ]
    prefix = pl.concat_str([pl.lit("{"), *keys])
    return (
        shown.select("key", "created", "id", *_STEERING)
        .with_columns(WRITERS[kind](shown).alias("line"))
        .select("key", "created", "id", line=pl.concat_str([prefix, pl.col("line").str.slice(1)]))
    )


def _events(told: list[pl.DataFrame], first_event: int) -> pl.DataFrame:
    schema = {"key": pl.String, "created": pl.Int64, "id": pl.String, "line": pl.String}
    if not told:
        return pl.DataFrame(schema=schema)
    frame = pl.concat(told).sort("valid_from", "event", "id", maintain_order=True)
    numbers = pl.int_range(first_event, first_event + frame.height, eager=True)
    frame = frame.with_columns(ids_of("evt", numbers).alias("event_id"))
    template = changed(
        SHAPES["event"],
        {
            "api_version": API_VERSION,
            "created": raw("valid_from"),
            "data": {"object": raw("object")},
            "id": text("event_id"),
            "type": text("event"),
        },
    )
    belongs = pl.col("event").is_in(_EVENTS_OF_CONNECTED) & pl.col("_account").is_not_null()
    account = (
        pl.when(belongs)
        .then(pl.concat_str([pl.lit('{"_account":"'), pl.col("_account"), pl.lit('",')]))
        .otherwise(pl.lit("{"))
    )
    return frame.select(
        pl.col("event_id").alias("key"),
        pl.col("valid_from").alias("created"),
        pl.col("event_id").alias("id"),
        pl.concat_str([account, rendered(template).str.slice(1)]).alias("line"),
    )


def departed_customers(count: int, start: int, end: int) -> pl.DataFrame:
    """Lines of customers who left before the world begins to tell: of accounts that the app no longer has."""
    keys = pl.int_range(1, count + 1, eager=True)
    return pl.DataFrame({"id": ids_of("cus", keys, salt="departed")}).select(
        pl.col("id").alias("key"),
        (start + (end - start) * keys // (count + 1)).alias("created"),
        "id",
        deleted_customer().alias("line"),
    )


def deleted_customer() -> pl.Expr:
    """What is left of a customer who has been deleted, by `id`."""
    return pl.concat_str([pl.lit('{"id":"'), pl.col("id"), pl.lit('","object":"customer","deleted":true}')])


def ordered(kind: str, lines: pl.DataFrame) -> pl.DataFrame:
    """Lines in the order of their file: by when the object was made; persons by id."""
    return lines.sort(["id"] if kind == "person" else ["created", "id"], maintain_order=True)
