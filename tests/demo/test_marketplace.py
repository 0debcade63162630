"""What customers of the made-up world choose by: there is something for a ranking to learn, and it is plausible."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from demo.world.marketplace import appeal
from demo.world.randomness import generator, pair_uniform
from demo.world.spec import HOUR

PAIRS = 1_000


def better(**second: float) -> float:
    """How often the first of two providers is worth more, who differ in nothing but what is said of the second."""
    usual = {"quality": 0.7, "price_nok": 500.0, "minutes": 30.0, "north": 0.0}
    columns = {name: np.tile([usual[name], second.get(name, usual[name])], PAIRS) for name in usual}
    count = 2 * PAIRS
    people = pl.DataFrame({"latitude": 59.9 + columns["north"], "longitude": np.full(count, 10.7)})
    requests = pl.DataFrame(
        {"customer": np.arange(PAIRS) + 10**6, "latitude": np.full(PAIRS, 59.9), "longitude": np.full(PAIRS, 10.7)}
    )
    answers = pl.DataFrame(
        {
            "request": np.repeat(np.arange(PAIRS), 2),
            "provider": np.arange(count),
            "rank_position": np.ones(count, dtype=np.int64),
            "price_nok": columns["price_nok"],
            "quality": columns["quality"],
            "shown_at": np.zeros(count, dtype=np.int64),
            "responded_at": (columns["minutes"] * HOUR / 60).astype(np.int64),
        }
    )
    worth = appeal(generator(1, "test"), people, requests, answers).to_numpy().reshape(PAIRS, 2)
    return float((worth[:, 0] > worth[:, 1]).mean())


def test_two_of_a_kind_are_taken_as_often() -> None:
    assert better() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("second", [{"quality": 0.4}, {"price_nok": 700.0}, {"minutes": 600.0}, {"north": 0.2}])
def test_the_worse_the_dearer_the_slower_and_the_farther_are_taken_less_often(second: dict[str, float]) -> None:
    assert 0.6 < better(**second) < 0.98


def test_a_customers_liking_of_a_provider_lasts() -> None:
    customer, provider = np.repeat(np.arange(50), 40), np.tile(np.arange(40), 50)
    liking = pair_uniform(customer, provider)
    assert (liking == pair_uniform(customer, provider)).all()
    assert len(np.unique(liking)) == len(liking)
    assert liking.mean() == pytest.approx(0.5, abs=0.05)
