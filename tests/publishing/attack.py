"""What somebody who has a published table with totals can work out of its withheld cells, by linear programming."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog  # type: ignore[import-untyped]
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from publishing.suppression import Bools, Floats


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The least and the most that a withheld cell can be."""

    least: float
    most: float


def intervals(figure: Floats, is_withheld: Bools, wanted: Bools) -> dict[tuple[int, int], Interval]:
    """What is possible for each wanted cell. Only published figures are looked at, and where there is nothing at all (a
    cell that is not withheld and holds 0)."""
    names = {cell: number for number, cell in enumerate(_cells(is_withheld))}
    matrix, right = _equations(figure, is_withheld, names)
    found = {}
    for cell in _cells(wanted):
        aim = np.zeros(len(names))
        aim[names[cell]] = 1.0
        ends = []
        for sign in (1.0, -1.0):
            done = linprog(sign * aim, A_eq=matrix, b_eq=right, bounds=(0, None), method="highs")
            assert done.status in (0, 3), done.message
            ends.append(sign * done.fun if done.status == 0 else np.inf)
        found[cell] = Interval(least=ends[0], most=ends[1])
    return found


def _cells(chosen: Bools) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for row, column in np.argwhere(chosen)]


def _equations(
    figure: Floats, is_withheld: Bools, names: dict[tuple[int, int], int]
) -> tuple[Any, npt.NDArray[np.float64]]:
    """Every line of the table: its cells together are its total."""
    rows, columns = figure.shape
    lines = [([(i, j) for j in range(columns - 1)], (i, columns - 1)) for i in range(rows)]
    lines += [([(i, j) for i in range(rows - 1)], (rows - 1, j)) for j in range(columns)]
    matrix, right = np.zeros((len(lines), len(names))), np.zeros(len(lines))
    for number, (cells, total) in enumerate(lines):
        for cell, sign in [*((cell, 1.0) for cell in cells), (total, -1.0)]:
            if is_withheld[cell]:
                matrix[number, names[cell]] += sign
            else:
                right[number] -= sign * figure[cell]
    return csr_matrix(matrix), right
