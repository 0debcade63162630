"""What planted parts of the world, fraud and privacy cases, have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.world.marketplace import Supply
from demo.world.randomness import Ints
from demo.world.spec import DAY


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What a part adds to the world: drafts of bookings, versions of rows by table, and the truth about it."""

    drafts: pl.DataFrame
    versions: dict[str, pl.DataFrame]
    truth: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where a part plays: the people, ordinary providers and customers to meet, and the clock."""

    rng: np.random.Generator
    people: pl.DataFrame
    supply: Supply
    now: int

    def providers(self, count: int) -> tuple[Ints, pl.Series]:
        """Ordinary providers and a price (NOK) for a job of theirs."""
        slot = self.rng.integers(0, len(self.supply.provider), count)
        return self.supply.provider[slot], pl.Series(np.round(self.supply.price_nok[slot] * 2))

    def customers(self, count: int) -> Ints:
        """Ordinary customers."""
        weights = self.people["customer_weight"].to_numpy()
        return self.rng.choice(np.flatnonzero(weights > 0), count).astype(np.int64)

    def categories(self, count: int) -> Ints:
        """Categories, any but the seasonal ones."""
        return self.rng.choice(np.array([1, 2, 5, 6, 8, 9]), count).astype(np.int64)

    def ago(self, low: float, high: float, count: int) -> Ints:
        """Moments between `low` and `high` days before now."""
        return (self.now - (low + (high - low) * self.rng.random(count)) * DAY).astype(np.int64)
