"""Planted fraud that shows in payments: cards tried out, an account emptied at one go, stolen money cashed through a provider."""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world.cast import members
from demo.world.planted import Stage
from demo.world.randomness import frame_of, stripe_ids, text_series
from demo.world.spec import DAY, HOUR
from demo.world.tables import stack


def payment_fraud(stage: Stage) -> pl.DataFrame:
    """Drafts of the bookings of all three kinds."""
    return stack([_card_testing(stage), _bust_out(stage), _cash_out(stage)])


def _repeated(people: pl.DataFrame, times: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Each person so many times in a row, and which time each row is."""
    row = np.repeat(np.arange(people.height), times)
    return people[row], np.tile(np.arange(times), people.height)


def _stolen(stage: Stage, count: int) -> pl.Series:
    """Fingerprints of cards that are nobody's in this world."""
    keys = stage.rng.integers(0, 2**62, count)
    return text_series([one[2:18] for one in stripe_ids("", keys, salt="stolen")])


def _warned(stage: Stage, paid_at: pl.Series, share: float) -> pl.Series:
    """When the card's issuer warned, for so many of the payments."""
    after = stage.rng.integers(1, 9, len(paid_at)) * DAY
    return (paid_at + pl.Series(after)).set(pl.Series(stage.rng.random(len(paid_at)) >= share), None)


def _card_testing(stage: Stage) -> pl.DataFrame:
    """Five small payments within four days, each with another stolen card; of some the issuer warns."""
    thieves, time = _repeated(members(stage.people, "card_testing"), 5)
    count = thieves.height
    first = np.repeat(stage.ago(15, 40, count // 5), 5) if count else stage.ago(15, 40, 0)
    provider, _ = stage.providers(count)
    paid_at = pl.Series(first + time * 18 * HOUR + 5 * HOUR)
    return frame_of(
        {
            "customer": thieves["person"],
            "provider": provider,
            "category_id": stage.categories(count),
            "price_nok": np.round(stage.rng.uniform(150, 500, count)),
            "booked_at": paid_at - 5 * HOUR,
            "starts_at": paid_at - 3 * HOUR,
            "fate": ["paid"] * count,
            "method": ["card"] * count,
            "other_card": _stolen(stage, count),
            "declines": stage.rng.integers(0, 2, count),
            "completed_at": paid_at - HOUR,
            "paid_at": paid_at,
            "warned_at": _warned(stage, paid_at, 0.3),
            "part": ["card_testing"] * count,
        }
    )


def _bust_out(stage: Stage) -> pl.DataFrame:
    """Four small jobs in a month to earn trust, then one ten times as dear; of two in three the issuer warns."""
    customers, time = _repeated(members(stage.people, "bust_out"), 5)
    count = customers.height
    last = np.repeat(stage.ago(12, 40, count // 5), 5) if count else stage.ago(12, 40, 0)
    is_last = time == 4
    provider, _ = stage.providers(count)
    paid_at = pl.Series(last - (4 - time) * 6 * DAY)
    warned = _warned(stage, paid_at, 0.65).set(pl.Series(~is_last), None)
    return frame_of(
        {
            "customer": customers["person"],
            "provider": provider,
            "category_id": stage.categories(count),
            "price_nok": np.round(stage.rng.uniform(400, 700, count) * np.where(is_last, 10, 1)),
            "booked_at": paid_at - DAY,
            "starts_at": paid_at - 6 * HOUR,
            "fate": ["paid"] * count,
            "method": ["card"] * count,
            "completed_at": paid_at - HOUR,
            "paid_at": paid_at,
            "warned_at": warned,
            "part": ["bust_out"] * count,
        }
    )


def _cash_out(stage: Stage) -> pl.DataFrame:
    """A provider whose jobs are done minutes after they were booked, and paid with stolen cards by three who are in on it."""
    thieves, _ = _repeated(members(stage.people, "cash_out", "thief"), 2)
    groups = members(stage.people, "cash_out", "provider").with_columns(
        provider="person", week=pl.Series(stage.ago(25, 45, members(stage.people, "cash_out", "provider").height))
    )
    rows = thieves.join(groups.select("cast_group", "provider", "week"), on="cast_group", maintain_order="left")
    count = rows.height
    booked_at = rows["week"] + pl.Series(stage.rng.integers(0, 5 * DAY, count))
    done_at = booked_at + pl.Series(stage.rng.integers(8 * 60, 25 * 60, count))
    paid_at = done_at + 600
    return frame_of(
        {
            "customer": rows["person"],
            "provider": rows["provider"],
            "category_id": stage.categories(count),
            "price_nok": np.round(stage.rng.uniform(1_500, 4_000, count)),
            "booked_at": booked_at,
            "starts_at": booked_at + 300,
            "fate": ["paid"] * count,
            "method": ["card"] * count,
            "other_card": _stolen(stage, count),
            "completed_at": done_at,
            "paid_at": paid_at,
            "warned_at": _warned(stage, paid_at, 0.6),
            "part": ["cash_out"] * count,
        }
    )
