"""No cell of too few people can be worked out from an answer and all that may be asked for besides."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from publishing.metrics.withholding import ALL, Cell, withheld_cells

LIMIT = 3


def with_totals(cells: dict[tuple[int, int], int]) -> dict[Cell, int]:
    """People by cell and in every total, nobody being in two cells."""
    people: dict[Cell, int] = {}
    for (row, column), count in cells.items():
        for total in product((row, ALL), (column, ALL)):
            people[total] = people.get(total, 0) + count
    return people


def worked_out(people: dict[Cell, int], hidden: set[Cell]) -> set[Cell]:
    """The withheld cells that every solution of the sums agrees on, given what is published. By linear algebra."""
    unknown = sorted(hidden, key=repr)
    place = {cell: i for i, cell in enumerate(unknown)}
    sums: dict[tuple[int, object], np.ndarray] = {}
    for cell in people:
        for side in (0, 1):
            line = sums.setdefault((side, cell[side]), np.zeros(len(unknown)))
            if cell in place:
                line[place[cell]] = -1.0 if cell[1 - side] is ALL else 1.0
    matrix = np.array(list(sums.values()))
    rank = np.linalg.matrix_rank(matrix)
    units = np.eye(len(unknown))
    return {cell for cell in unknown if np.linalg.matrix_rank(np.vstack([matrix, units[place[cell]]])) == rank}


TABLES = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(0, 12), min_size=1, max_size=25
).map(with_totals)


@settings(max_examples=200)
@given(TABLES)
def test_no_small_cell_of_a_table_can_be_worked_out(people: dict[Cell, int]) -> None:
    hidden = withheld_cells(people, LIMIT)
    small = {cell for cell, count in people.items() if count < LIMIT}
    assert small <= hidden
    if any(ALL not in cell and cell not in hidden for cell in people):
        assert worked_out(people, hidden) & small == set()


@settings(max_examples=100)
@given(TABLES)
def test_a_total_is_withheld_within_a_table_if_and_only_if_it_is_by_itself(people: dict[Cell, int]) -> None:
    """Whoever asks by one dimension has the totals of every table with it."""
    hidden = withheld_cells(people, LIMIT)
    for side in (0, 1):
        alone = {cell: count for cell, count in people.items() if cell[1 - side] is ALL}
        assert withheld_cells(alone, LIMIT) == {cell for cell in hidden if cell in alone}


def test_one_small_cell_takes_the_smallest_of_the_others_with_it() -> None:
    people: dict[Cell, int] = {("a", ALL): 2, ("b", ALL): 5, ("c", ALL): 9, (ALL, ALL): 16}
    assert withheld_cells(people, LIMIT) == {("a", ALL), ("b", ALL)}


def test_nothing_is_withheld_where_everybody_is_many() -> None:
    assert withheld_cells(with_totals({(0, 0): 3, (0, 1): 4, (1, 0): 5}), LIMIT) == set()


def test_small_cells_together_do_not_hide_each_other() -> None:
    """1 + 1 leaves 2 by subtraction, which is too few as well: a third one goes."""
    people: dict[Cell, int] = {("a", ALL): 1, ("b", ALL): 1, ("c", ALL): 9, ("d", ALL): 8, (ALL, ALL): 19}
    assert withheld_cells(people, LIMIT) == {("a", ALL), ("b", ALL), ("d", ALL)}
