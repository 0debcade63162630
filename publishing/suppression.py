"""Which further cells of a table with totals are withheld, so that no withheld cell can be worked out from the rest.

A withheld cell is known as an interval: all that it can be, given every published cell and total, and that nothing is
negative. Whoever withholds the sensitive cells alone often leaves that interval empty of anything but the truth. A table
of two dimensions with its totals is a network (Cox, Network Models for Complementary Cell Suppression, JASA 90, 1995):
rows and columns are nodes, cells are arcs, and a change that leaves every sum true is a flow round a circle. A cell can be
greater by u if u can flow from its one end back to its other through withheld cells only, where a cell that falls
carries no more than it holds. So each sensitive cell in turn is given such flows, up and down, along the paths that lose the
least; what a path passes is withheld. Each flow is itself the proof of the interval. More may be withheld than the
least possible, which is hard to find (Kelly, Golden and Assad, Networks 22, 1992); never less than is safe.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Cell = tuple[int, int]
Node = tuple[int, bool]
"""The number of a row (True) or of a column (False)."""

NOTHING = 1e-9
"""A capacity below this carries nothing."""

HOP = 1e-6
"""What it costs to pass a cell that is withheld already: the shorter of two free paths is taken."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows × columns of figures that are not negative; the last row and the last column are the totals.

    `is_present`: cells that there are; another one is known to be 0. `is_sensitive`: cells that must not be known.
    `up`, `down`: by how much more and less than its figure each sensitive cell has to be possible.
    """

    figure: Floats
    is_present: Bools
    is_sensitive: Bools
    up: Floats
    down: Floats

    @property
    def is_margin(self) -> Bools:
        """Totals, but not the total of totals."""
        margin = np.zeros(self.figure.shape, dtype=np.bool_)
        margin[-1, :-1] = margin[:-1, -1] = True
        return margin


def needs(magnitude: Floats, *, least_width: float, protected_share: float) -> tuple[Floats, Floats]:
    """How far up and down a sensitive cell has to be possible: by the share either way, and by `least_width` in all.

    With the share of the p % rule, nobody can tell the cell to within p % of its size, which is no narrower than what that
    rule asks of its greatest contributor (Hundepool et al., Statistical Disclosure Control, 2012, ch. 4.2).
    """
    down = np.minimum(magnitude, np.maximum(protected_share * magnitude, least_width / 3))
    return np.maximum(protected_share * magnitude, least_width - down), down


def withheld_cells(table: Table) -> Bools:
    """The sensitive cells and those withheld for their sake. Where a cell cannot be protected otherwise, all of them."""
    hidden = table.is_sensitive & table.is_present
    bare = hidden.copy()
    is_new = True
    while True:
        if is_new:
            bare &= ~_is_seen_protected(table, hidden)
        if not bare.any():
            return hidden
        row, column = np.unravel_index(int(np.where(bare, table.up, -1.0).argmax()), bare.shape)
        cell = int(row), int(column)
        alike = _alike(table, hidden, bare, cell)
        more = _hidden_with_routes(table, hidden, cell, is_over_total=alike is not None)
        if more is None:
            return table.is_present.copy()
        is_new = bool((more != hidden).any())
        hidden = more
        bare[cell] = False
        if alike is not None:
            bare &= ~alike


def _alike(table: Table, hidden: Bools, bare: Bools, cell: Cell) -> Bools | None:
    """The cells of its row, or column, that need the same of the rest of the table; None if there are no others.

    An empty cell whose column has a withheld total rises if its row can take from the row of totals: its column's total
    rises with it. What serves one such cell of a row so serves all of them, if none needs more.
    """
    is_empty = bare & (table.figure <= NOTHING)
    is_empty[-1] = is_empty[:, -1] = False
    if not is_empty[cell]:
        return None
    alike = np.zeros(bare.shape, dtype=np.bool_)
    if hidden[-1, cell[1]]:
        alike[cell[0]] = is_empty[cell[0]] & hidden[-1]
    elif hidden[cell[0], -1]:
        alike[:, cell[1]] = is_empty[:, cell[1]] & hidden[:, -1]
    return alike if alike.any() else None


def _capacities(table: Table) -> tuple[Floats, Floats]:
    """What can flow through each cell from its row to its column, and back.

    A cell of the inside counts for its row and against its column, and rises by a flow from row to column. A total
    lies the other way round; the total of totals as the inside. Rising has no limit, falling ends at 0.
    """
    no_limit = np.where(table.is_present, np.inf, 0.0)
    falling = np.where(table.is_present, table.figure, 0.0)
    return np.where(table.is_margin, falling, no_limit), np.where(table.is_margin, no_limit, falling)


def _hidden_with_routes(table: Table, hidden: Bools, cell: Cell, *, is_over_total: bool) -> Bools | None:
    """What is withheld once the cell can be as much greater and less as it needs; None if it cannot.

    `is_over_total`: an empty cell rises together with the withheld total of its column, or else of its row.
    """
    row, column = (cell[0], True), (cell[1], False)
    hidden = hidden.copy()
    for amount, is_rise in ((table.up[cell], True), (table.down[cell], False)):
        to_column, to_row = _capacities(table)
        to_column[cell] = to_row[cell] = 0.0
        network = _Network(to_column=to_column, to_row=to_row, hidden=hidden, cost=1 + np.log1p(table.figure))
        start, goal = (column, row) if is_rise != bool(table.is_margin[cell]) else (row, column)
        if is_over_total and is_rise:
            last_row, last_column = (size - 1 for size in table.figure.shape)
            start, goal = ((last_row, True), row) if hidden[-1, cell[1]] else (column, (last_column, False))
        if not _send(network, start, goal, float(amount)):
            return None
    return hidden


@dataclass(frozen=True, kw_only=True)
class _Network:
    """What can still flow, and which cells are withheld. All of it changes as flows are sent."""

    to_column: Floats
    to_row: Floats
    hidden: Bools
    cost: Floats


def _send(network: _Network, start: Node, goal: Node, amount: float) -> bool:
    """Send the amount from one row or column to another, withholding what it passes; false if there is no way.

    A published cell is taken only if it carries all that is left, unless there is no other way: fewer are lost.
    """
    left = amount
    while left > NOTHING:
        path = None
        for least in (left, NOTHING):
            usable = [
                (way > NOTHING) & (network.hidden | (way >= least)) for way in (network.to_column, network.to_row)
            ]
            cost = np.where(network.hidden, HOP, network.cost)
            path = _shortest(usable[0], usable[1], cost, start, goal)
            if path is not None:
                break
        if path is None:
            return False
        carried = min(
            left, *((network.to_column if forward else network.to_row)[row, column] for row, column, forward in path)
        )
        for row, column, forward in path:
            used, back = (network.to_column, network.to_row) if forward else (network.to_row, network.to_column)
            used[row, column] -= carried
            back[row, column] += carried
            network.hidden[row, column] = True
        left -= carried
    return True


def _shortest(
    to_column: Bools, to_row: Bools, cost: Floats, start: Node, goal: Node
) -> list[tuple[int, int, bool]] | None:
    """The cheapest path as (row, column, whether it goes from row to column); Bellman and Ford's, all arcs at once."""
    rows, columns = cost.shape
    row_cost, column_cost = np.full(rows, np.inf), np.full(columns, np.inf)
    (row_cost if start[1] else column_cost)[start[0]] = 0.0
    row_before, column_before = np.full(rows, -1), np.full(columns, -1)
    onward, backward = np.where(to_column, cost, np.inf), np.where(to_row, cost, np.inf)
    while True:
        by_row = row_cost[:, None] + onward
        best = by_row.argmin(axis=0)
        reached = by_row[best, np.arange(columns)]
        nearer_column = reached < column_cost
        column_cost[nearer_column], column_before[nearer_column] = reached[nearer_column], best[nearer_column]
        by_column = column_cost[None, :] + backward
        best = by_column.argmin(axis=1)
        reached = by_column[np.arange(rows), best]
        nearer_row = reached < row_cost
        row_cost[nearer_row], row_before[nearer_row] = reached[nearer_row], best[nearer_row]
        if not nearer_row.any() and not nearer_column.any():
            break
    if not np.isfinite((row_cost if goal[1] else column_cost)[goal[0]]):
        return None
    path, (node, in_row) = [], goal
    while (node, in_row) != start:
        before = int(row_before[node] if in_row else column_before[node])
        path.append((node, before, False) if in_row else (before, node, True))
        node, in_row = before, not in_row
    return path


def _is_seen_protected(table: Table, hidden: Bools) -> Bools:
    """Cells of which a look at the whole table shows that they are protected; there may be more.

    A circle of four withheld cells may be enough, or flows over all columns, or all rows, whose totals are withheld.
    """
    to_column, to_row = (np.where(hidden, way, 0.0) for way in _capacities(table))
    margin = table.is_margin
    back = _circles(to_row, to_column, np.where(margin, table.down, table.up), hidden)
    onward = _circles(to_column, to_row, np.where(margin, table.up, table.down), hidden)
    rise, fall = _over_withheld_totals(table.figure, hidden)
    rise_across, fall_across = _over_withheld_totals(table.figure.T, hidden.T)
    can_rise = np.where(margin, onward, back) | (np.maximum(rise, rise_across.T) >= table.up)
    can_fall = np.where(margin, back, onward) | (np.maximum(fall, fall_across.T) >= table.down)
    is_seen: Bools = can_rise & can_fall
    return is_seen


def _circles(there: Floats, across: Floats, needed: Floats, hidden: Bools) -> Bools:
    """Where three other cells, passed there, across and there, carry what is needed (taken up to a power of two)."""
    level = np.exp2(np.ceil(np.log2(np.maximum(needed, NOTHING))))
    enough = needed <= NOTHING
    for amount in np.unique(level[hidden & ~enough]):
        a, b = (there >= amount).astype(np.float64), (across >= amount).astype(np.float64)
        between = a @ b.T
        itself = (a * b).sum(axis=0)
        found = between @ a - between.diagonal()[:, None] * a - itself[None, :] * a + a * b * a
        enough |= (level == amount) & (found > 0.5)
    return enough


def _over_withheld_totals(figure: Floats, hidden: Bools) -> tuple[Floats, Floats]:
    """By how much each cell can at least rise and fall by what flows over the columns whose totals are withheld.

    There a row can take from other cells what they hold, and give as much as it likes. A column with a published total
    does so through its other withheld cells; one without through its total. The row of totals is not looked at
    but for the totals of the columns; 0 stands for what is not known.
    """
    rise, fall = np.zeros(figure.shape), np.zeros(figure.shape)
    inner_hidden, is_free = hidden[:-1, :-1], hidden[-1:, :-1]
    held = np.where(inner_hidden, figure[:-1, :-1], 0.0)
    taken = (held * is_free).sum(axis=1, keepdims=True) - held * is_free
    gives = (inner_hidden & is_free).sum(axis=1, keepdims=True) - (inner_hidden & is_free) > 0
    column_takes, column_gives = np.where(inner_hidden, taken, 0.0), np.where(gives, held, 0.0)
    takes_in_all, gives_in_all = column_takes.sum(axis=0, keepdims=True), column_gives.sum(axis=0, keepdims=True)
    rise[:-1, :-1] = np.minimum(np.where(is_free, np.inf, gives_in_all - column_gives), taken)
    fall[:-1, :-1] = np.where(gives, np.where(is_free, figure[-1:, :-1], takes_in_all - column_takes), 0.0)
    rise[-1, :-1], fall[-1, :-1] = takes_in_all[0], gives_in_all[0]
    return rise, fall
