"""No withheld cell of a table with totals can be recovered; the attack that tries does succeed on a careless table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publishing.suppression import Bools, Floats, Table, needs, withheld_cells
from tests.publishing.attack import intervals

LEAST_WIDTH, SHARE = 3.0, 0.15


def with_totals(inner: Floats) -> Floats:
    rows = np.vstack([inner, inner.sum(axis=0)])
    return np.hstack([rows, rows.sum(axis=1, keepdims=True)])


def random_table(seed: int, rows: int, columns: int) -> Table:
    """Small and great cells as in a market: some places busy, most of them not; whatever is small is sensitive."""
    random = np.random.default_rng(seed)
    busy = random.pareto(1.0, columns) + 0.2
    inner = random.poisson(np.outer(random.pareto(1.5, rows) + 0.3, busy) * 2).astype(np.float64)
    figure = with_totals(inner)
    is_present = figure > 0
    is_sensitive = is_present & ((figure < 10) | (random.random(figure.shape) < 0.03))
    up, down = needs(figure, least_width=LEAST_WIDTH, protected_share=SHARE)
    return Table(figure=figure, is_present=is_present, is_sensitive=is_sensitive, up=up, down=down)


def recovered(table: Table, withheld: Bools) -> list[tuple[int, int]]:
    """The sensitive cells that an attacker knows better than he may."""
    found = intervals(table.figure, withheld, table.is_sensitive)
    return [
        cell
        for cell, interval in found.items()
        if interval.most < table.figure[cell] + table.up[cell] - 1e-6
        or interval.least > table.figure[cell] - table.down[cell] + 1e-6
        or interval.most - interval.least < LEAST_WIDTH - 1e-6
    ]


@pytest.mark.parametrize("seed", range(12))
def test_no_sensitive_cell_is_known_better_than_the_p_percent_rule_allows(seed: int) -> None:
    table = random_table(seed, 3 + seed % 5, 4 + seed)
    withheld = withheld_cells(table)
    assert recovered(table, withheld) == []
    assert not (withheld & ~table.is_present).any()


@pytest.mark.parametrize("seed", range(12))
def test_no_withheld_cell_at_all_can_be_solved_for(seed: int) -> None:
    table = random_table(seed, 3 + seed % 5, 4 + seed)
    withheld = withheld_cells(table)
    exact = [
        cell for cell, known in intervals(table.figure, withheld, withheld).items() if known.most - known.least < 1e-6
    ]
    assert exact == []


def test_the_attack_succeeds_where_only_sensitive_cells_are_withheld() -> None:
    worlds = [random_table(seed, 3 + seed % 5, 4 + seed) for seed in range(12)]
    broken = [table for table in worlds if recovered(table, table.is_sensitive)]
    assert len(broken) >= 6


@settings(max_examples=40)
@given(data=st.data())
def test_any_table_with_any_sensitive_cells_is_protected(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    cells = st.lists(st.integers(0, 30), min_size=rows * columns, max_size=rows * columns)
    inner = np.array(data.draw(cells), dtype=np.float64).reshape(rows, columns)
    figure = with_totals(inner)
    is_present = np.ones(figure.shape, dtype=np.bool_)
    chosen = data.draw(st.lists(st.booleans(), min_size=figure.size, max_size=figure.size))
    up, down = needs(figure, least_width=LEAST_WIDTH, protected_share=SHARE)
    table = Table(
        figure=figure, is_present=is_present, is_sensitive=np.array(chosen).reshape(figure.shape), up=up, down=down
    )
    withheld = withheld_cells(table)
    assert withheld.all() or recovered(table, withheld) == []


def test_a_single_small_cell_takes_the_cheapest_circle_with_it() -> None:
    inner = np.array([[4.0, 40.0, 400.0], [50.0, 20.0, 500.0], [60.0, 600.0, 6000.0]])
    figure = with_totals(inner)
    up, down = needs(figure, least_width=LEAST_WIDTH, protected_share=SHARE)
    table = Table(figure=figure, is_present=figure > 0, is_sensitive=figure == 4.0, up=up, down=down)
    assert sorted(zip(*(axis.tolist() for axis in np.nonzero(withheld_cells(table))), strict=True)) == [
        (0, 0), (0, 1), (1, 0), (1, 1),
    ]  # fmt: skip


def test_nothing_is_withheld_of_a_table_without_sensitive_cells() -> None:
    figure = with_totals(np.full((3, 3), 20.0))
    nothing = np.zeros(figure.shape, dtype=np.bool_)
    up, down = needs(figure, least_width=LEAST_WIDTH, protected_share=SHARE)
    table = Table(figure=figure, is_present=~nothing, is_sensitive=nothing, up=up, down=down)
    assert not withheld_cells(table).any()


def test_needs_are_a_share_either_way_and_a_width_in_all() -> None:
    up, down = needs(np.array([0.0, 1.0, 2.0, 100.0]), least_width=3.0, protected_share=0.15)
    assert up.tolist() == pytest.approx([3.0, 2.0, 2.0, 15.0])
    assert down.tolist() == pytest.approx([0.0, 1.0, 1.0, 15.0])
