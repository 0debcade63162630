"""Which cells of an answer are withheld: those of too few people, and as many others as hide them from subtraction.

An answer by two dimensions is a table whose totals are the answers by one of them, which anybody may ask for too. So what is
withheld of a total follows from the answer by that one dimension alone, and what is withheld within the table hides both.
A withheld cell can be worked out from the sums of the lines exactly if its arc is a bridge of the graph whose nodes are the
lines and whose arcs are the withheld cells (Cox, Network Models for Complementary Cell Suppression, JASA 90, 1995).
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Final, TypeAlias

Cell: TypeAlias = tuple[Hashable, Hashable]
"""The values of the first and the second dimension; ALL for a total, and for a dimension that was not asked for."""


class _All:
    def __repr__(self) -> str:
        return "ALL"


ALL: Final = _All()


def withheld_cells(people: Mapping[Cell, int], limit: int) -> set[Cell]:
    """The cells to withhold, totals included. `people`: each cell and total -> how many there are at least behind it."""
    hidden = {cell for cell, count in people.items() if count < limit}
    small = frozenset(hidden)
    for side in (0, 1):
        line = [cell for cell in people if cell[side] is not ALL and cell[1 - side] is ALL]
        _hide_in_line(line, (ALL, ALL), hidden, people, small)
    inner = [cell for cell in people if ALL not in cell]
    lines = _lines(inner)
    while True:
        before = len(hidden)
        for total, line in lines.items():
            _hide_in_line(line, total, hidden, people, small)
        if len(hidden) == before and not _hide_beside_bridges(inner, lines, hidden, people, small):
            return hidden


def _lines(inner: Iterable[Cell]) -> dict[Cell, list[Cell]]:
    """Each total of a row or a column, and the cells that it is the total of."""
    lines: dict[Cell, list[Cell]] = defaultdict(list)
    for one, other in inner:
        lines[one, ALL].append((one, other))
        lines[ALL, other].append((one, other))
    return lines


def _hide_in_line(
    line: list[Cell], total: Cell, hidden: set[Cell], people: Mapping[Cell, int], small: frozenset[Cell]
) -> None:
    """What is withheld of a line shall be two of it at least, and one of them of people enough by itself."""
    while True:
        withheld = [cell for cell in line if cell in hidden]
        together = len(withheld) + (total in hidden)
        shown = [cell for cell in line if cell not in hidden]
        is_hidden = together >= 2 and any(cell not in small for cell in withheld)
        if together == 0 or is_hidden or not shown:
            return
        hidden.add(_smallest(shown, people))


def _hide_beside_bridges(
    inner: list[Cell],
    lines: Mapping[Cell, list[Cell]],
    hidden: set[Cell],
    people: Mapping[Cell, int],
    small: frozenset[Cell],
) -> bool:
    """Withhold one more cell of each line of a small cell that could be worked out; all, if that is not enough."""
    known = _bridges(hidden) & small
    shown = [cell for cell in inner if cell not in hidden]
    if not known or not shown:
        return False
    for one, other in known:
        for total in ((one, ALL), (ALL, other)):
            beside = [cell for cell in lines.get(total, []) if cell not in hidden]
            if beside:
                hidden.add(_smallest(beside, people))
    if all(cell not in hidden for cell in shown):
        hidden.update(shown)
    return True


def _smallest(cells: Iterable[Cell], people: Mapping[Cell, int]) -> Cell:
    return min(cells, key=lambda cell: (people[cell], repr(cell)))


def _bridges(cells: Iterable[Cell]) -> set[Cell]:
    """The arcs that lie on no circle: a spanning tree is grown, and each arc outside of it marks its circle."""
    arcs: dict[Hashable, list[tuple[Hashable, Cell]]] = defaultdict(list)
    for cell in cells:
        row, column = ("row", cell[0]), ("column", cell[1])
        arcs[row].append((column, cell))
        arcs[column].append((row, cell))
    up: dict[Hashable, tuple[Hashable, Cell] | None] = {}
    order: list[Hashable] = []
    for root in arcs:
        if root in up:
            continue
        up[root] = None
        waiting = [root]
        while waiting:
            node = waiting.pop()
            order.append(node)
            for other, cell in arcs[node]:
                if other not in up:
                    up[other] = (node, cell)
                    waiting.append(other)
    tree = {step[1] for step in up.values() if step is not None}
    marks: dict[Hashable, int] = defaultdict(int)
    outside = {cell for ends in arcs.values() for _, cell in ends} - tree
    for number, cell in enumerate(outside):
        marks["row", cell[0]] ^= 1 << number
        marks["column", cell[1]] ^= 1 << number
    found = set()
    for node in reversed(order):
        step = up[node]
        if step is None:
            continue
        if marks[node] == 0:
            found.add(step[1])
        marks[step[0]] ^= marks[node]
    return found
