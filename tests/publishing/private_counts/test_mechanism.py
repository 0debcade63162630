"""The noise is what is claimed, delta covers what is told of a cell at its floor, and beneath the floor nothing is told."""

import math
import subprocess
import sys
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudonymisation.policy.private_counts import Cost
from publishing.private_counts.mechanism import Mechanism, _cost_of, _measurement, mechanism_for, noisy_counts

FALSE_ALARM = 1e-7


def cost(epsilon: str, delta: str) -> Cost:
    return Cost(epsilon=Decimal(epsilon), delta=Decimal(delta))


def tail(scale: float, least: int) -> float:
    """P(X >= least) of discrete Laplace noise, for least >= 0: q^least / (1 + q) with q = exp(-1 / scale)."""
    return math.exp(-least / scale) / (1 + math.exp(-1 / scale))


def deviation(draws: int) -> float:
    """By how much an observed distribution function is off anywhere at most, but for FALSE_ALARM (Massart, 1990)."""
    return math.sqrt(math.log(2 / FALSE_ALARM) / (2 * draws))


def test_the_noise_is_discrete_laplace_of_the_scale_that_epsilon_asks_for() -> None:
    mechanism = mechanism_for(cost("1", "0.000001"), most_cells=2, least=10)
    draws, true = 60_000, 1_000_000
    told = noisy_counts(mechanism, {str(cell): true for cell in range(draws)})
    assert len(told) == draws
    noise = Counter(count - true for count in told.values())
    below = 0
    for value in range(-60, 61):
        below += noise[value]
        expected = 1 - tail(2.0, value + 1) if value >= 0 else tail(2.0, -value)
        assert abs(below / draws - expected) <= deviation(draws), value
    assert abs(noise[0] / draws - math.tanh(1 / 4)) <= 2 * deviation(draws)


@pytest.mark.parametrize("epsilon", ["0.5", "1", "2"])
def test_a_cell_at_its_floor_is_told_no_more_often_than_delta_allows(epsilon: str) -> None:
    """Removing one person takes it away for certain, so how often it is told is what delta has to cover."""
    mechanism = mechanism_for(cost(epsilon, "0.2"), most_cells=1, least=10)
    draws = 20_000
    seen = len(noisy_counts(mechanism, {str(cell): 10 for cell in range(draws)})) / draws
    claimed = _cost_of(mechanism.scale, mechanism.threshold - 9, 1)[1]
    assert claimed <= 0.2
    assert abs(seen - claimed) <= deviation(draws)
    assert claimed == pytest.approx(tail(mechanism.scale, mechanism.threshold - 10))


def test_opendps_own_delta_leaves_out_the_counts_at_the_threshold() -> None:
    """Why `_cost_of` asks for the threshold below. If this fails, OpenDP has changed, and `_cost_of` asks for too much."""
    claimed = _measurement(2.0, 4).map((1, 1, 1))[1]
    assert claimed == pytest.approx(tail(2.0, 4))
    told = _measurement(2.0, 4)({str(cell): 1 for cell in range(20_000)})
    assert min(told.values()) == 4
    assert abs(len(told) / 20_000 - tail(2.0, 3)) <= deviation(20_000) < tail(2.0, 3) - claimed


@given(
    epsilon=st.decimals("0.01", "10", places=2), digits=st.integers(4, 10), most_cells=st.integers(1, 20),
    least=st.integers(1, 50),
)  # fmt: skip
@settings(max_examples=40)
def test_a_mechanism_costs_no_more_than_it_was_asked_for(
    epsilon: Decimal, digits: int, most_cells: int, least: int
) -> None:
    asked = Cost(epsilon=epsilon, delta=Decimal(1).scaleb(-digits))
    mechanism = mechanism_for(asked, most_cells=most_cells, least=least)
    passed = mechanism.threshold - (least - 1)
    assert most_cells / mechanism.scale <= float(epsilon) * (1 + 1e-12)
    for found in (
        _cost_of(mechanism.scale, passed, most_cells),
        (most_cells / mechanism.scale, 1 - (1 - tail(mechanism.scale, passed - 1)) ** most_cells),
    ):
        assert found[0] <= float(epsilon) * (1 + 1e-12)
        assert found[1] <= float(asked.delta) * (1 + 1e-6)


@given(counts=st.dictionaries(st.integers(0, 30).map(str), st.integers(1, 40)), least=st.integers(1, 20))
@settings(max_examples=100)
def test_no_cell_beneath_the_floor_is_told_nor_any_noisy_count_beneath_the_threshold(
    counts: dict[str, int], least: int
) -> None:
    mechanism = Mechanism(cost=cost("1", "1"), most_cells=1, least=least, scale=5.0, threshold=least + 1)
    told = noisy_counts(mechanism, counts)
    assert all(counts[cell] >= least for cell in told)
    assert all(count >= mechanism.threshold for count in told.values())


def test_opendp_is_not_loaded_by_what_publishes() -> None:
    program = "import sys, publishing.copies; sys.exit('opendp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
