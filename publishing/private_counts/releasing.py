"""Releases of noisy counts in market_trends' published copy: each month of each count once, paid for before it is drawn.

A release stands: it is taken over from the copy before, whatever happens to the warehouse behind it, also when no more
are made. If it is lost (a run that was killed, a published folder that is gone) it can be drawn anew, which costs again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from pseudonymisation.policy.model import Purpose
from pseudonymisation.policy.private_counts import Cost, PrivateCount, PrivateCounts
from publishing.private_counts.counting import SEPARATOR, Counted, count_month
from publishing.private_counts.ledger import LedgerError, Spending, read_ledger, spend, spent_about
from publishing.private_counts.mechanism import NAME, Mechanism, mechanism_for, noisy_counts
from storage import Workspace, attached, opens

PURPOSE = "market_trends"
COUNT, RELEASE = "private_count", "private_count_release"

EDITION_DAY = 10
"""A month's release is made on this day after it or later, as its edition is (dbt's `newest_edition_end`)."""

TABLES = {
    COUNT: "count_name VARCHAR, category_id BIGINT, municipality VARCHAR, customers BIGINT, epsilon DOUBLE, delta DOUBLE, "
    "mechanism VARCHAR, month_start DATE",
    RELEASE: "count_name VARCHAR, what VARCHAR, mechanism VARCHAR, ledger_entry BIGINT, epsilon DOUBLE, delta DOUBLE, "
    "noise_scale DOUBLE, threshold BIGINT, most_cells_per_person BIGINT, min_customers BIGINT, min_providers BIGINT, "
    "month_start DATE, released_at TIMESTAMPTZ",
}


@dataclass(frozen=True, kw_only=True)
class Filled:
    """Rows by table, of tables that there are; what a person has to know, each a sentence."""

    tables: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Due:
    """A release that is not there."""

    count: PrivateCount
    month: date


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """Everything that a release needs but its noise. `selecting`: what also demands enough providers of a cell."""

    due: _Due
    exact: Counted
    measuring: Mechanism
    selecting: Mechanism | None


def fill_private_counts(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, purpose: Purpose, wanted: PrivateCounts | None, current: Path
) -> Filled:
    """Put the releases that stand in `current` and those that are due into the copy that is being made.

    The warehouse is attached as `warehouse`, the new copy as `copy`. `wanted` is None where no release is to be made.
    What is missing for a release is said in a note, and the copy is made without it.
    """
    oldest = (workspace.now - timedelta(days=purpose.retention_days)).date()
    has_standing = _take_over(con, workspace, purpose, current, oldest)
    if wanted is None and not has_standing:
        return Filled(tables={}, notes=())
    if not has_standing:
        for name, columns in TABLES.items():
            con.execute(f"CREATE TABLE copy.marts.{name} ({columns})")
    notes = () if wanted is None else _release(con, workspace, purpose, wanted, oldest)
    return Filled(tables={name: _rows(con, name) for name in TABLES}, notes=notes)


def _take_over(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, purpose: Purpose, current: Path, oldest: date
) -> bool:
    """Whether there are releases, which are then in the copy.

    Cells that were told by a lower limit than today's are not told any longer; their release stays, so that it is not drawn
    anew.
    """
    key = workspace.keyring.purpose_key(purpose.name, "published")
    if not current.exists() or not opens(con, current.resolve(), key):
        return False
    with attached(con, current.resolve(), "standing", key, read_only=True):
        found = con.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'standing' AND table_name = ?", [RELEASE]
        ).fetchone()
        if found != (1,):
            return False
        con.execute(
            f"CREATE TABLE copy.marts.{RELEASE} AS SELECT * FROM standing.marts.{RELEASE} WHERE month_start >= ?",
            [oldest],
        )
        con.execute(
            f"CREATE TABLE copy.marts.{COUNT} AS SELECT told.* FROM standing.marts.{COUNT} AS told "
            f"SEMI JOIN (SELECT * FROM copy.marts.{RELEASE} WHERE min_customers >= ? AND coalesce(min_providers, ?) >= ?) "
            "USING (count_name, month_start)",
            [purpose.min_customers, purpose.min_providers, purpose.min_providers],
        )
    return True


def _release(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, purpose: Purpose, wanted: PrivateCounts, oldest: date
) -> tuple[str, ...]:
    """Make what is due and can be paid; returns what could not be, and why."""
    told = con.execute(f"SELECT ledger_entry, count_name, month_start FROM copy.marts.{RELEASE}").fetchall()
    try:
        ledger = read_ledger(workspace.home)
    except LedgerError as error:
        return _refused(str(error))
    if not set(told) <= {(one.entry, one.count, one.month) for one in ledger}:
        return _refused(
            f"{workspace.home.private_counts_ledger} lacks releases that are published, so what has been spent is not "
            "known: put it back from a backup that is not older than the published copy"
        )
    there = {(count, month) for _, count, month in told}
    due = [
        _Due(count=count, month=month)
        for month in _months(wanted.first_month, oldest, workspace)
        for count in wanted.counts.values()
        if (count.name, month) not in there
    ]
    paid, unpaid = _payable(due, ledger, wanted.budget_per_year)
    if paid:
        drawings = [_prepared(con, one, purpose) for one in paid]
        costs = [(one.count.name, one.month, one.count.cost) for one in paid]
        spendings = spend(workspace.home, ledger, costs, wanted.budget_per_year, workspace.now)
        for drawing, spending in zip(drawings, spendings, strict=True):
            _draw(con, drawing, spending, purpose)
    return tuple(
        f"{PURPOSE}: {one.count.name} of {one.month:%Y-%m} is not released: what is left of {one.month.year}'s privacy "
        "budget does not suffice (`leii status --budget`)"
        for one in unpaid
    )


def _months(first: date, oldest: date, workspace: Workspace) -> list[date]:
    """The first days of the months whose edition is due and of which everything is kept. They follow from the calendar alone."""
    ends = (workspace.now.astimezone(UTC) - timedelta(days=EDITION_DAY - 1)).date().replace(day=1)
    months, month = [], first
    while month < ends:
        if month >= oldest:
            months.append(month)
        month = (month + timedelta(days=31)).replace(day=1)
    return months


def _prepared(con: duckdb.DuckDBPyConnection, due: _Due, purpose: Purpose) -> _Drawing:
    """Behind a booking stands a provider as well: half the cost goes into seeing that there are enough of them in a cell."""
    has_providers = due.count.of == "booking"
    parts = Decimal(2 if has_providers else 1)
    part = Cost(epsilon=due.count.cost.epsilon / parts, delta=due.count.cost.delta / parts)
    most = due.count.most_cells_per_person
    return _Drawing(
        due=due,
        exact=count_month(con, due.count, due.month),
        measuring=mechanism_for(part, most_cells=most, least=purpose.min_customers),
        selecting=mechanism_for(part, most_cells=most, least=purpose.min_providers) if has_providers else None,
    )


def _payable(due: Sequence[_Due], ledger: Sequence[Spending], budget: Cost) -> tuple[list[_Due], list[_Due]]:
    """What each year's budget has room for, in this order, and the rest."""
    spent = {year: spent_about(ledger, year) for year in {one.month.year for one in due}}
    paid, unpaid = [], []
    for one in due:
        after = spent[one.month.year] + one.count.cost
        if after.fits(budget):
            spent[one.month.year] = after
            paid.append(one)
        else:
            unpaid.append(one)
    return paid, unpaid


def _draw(con: duckdb.DuckDBPyConnection, drawing: _Drawing, spending: Spending, purpose: Purpose) -> None:
    """Draw a release that has been paid for, and put it into the copy."""
    count, month, measuring = drawing.due.count, drawing.due.month, drawing.measuring
    noisy = noisy_counts(measuring, drawing.exact.customers)
    if drawing.selecting is not None:
        enough = noisy_counts(drawing.selecting, drawing.exact.providers)
        noisy = {cell: customers for cell, customers in noisy.items() if cell in enough}
    epsilon, delta = float(count.cost.epsilon), float(count.cost.delta)
    cells = [(*cell.split(SEPARATOR, 1), customers) for cell, customers in sorted(noisy.items())]
    if cells:
        con.executemany(
            f"INSERT INTO copy.marts.{COUNT} VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(count.name, category, place, people, epsilon, delta, NAME, month) for category, place, people in cells],
        )
    con.execute(
        f"INSERT INTO copy.marts.{RELEASE} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            count.name, count.what, NAME, spending.entry, epsilon, delta, measuring.scale, measuring.threshold,
            measuring.most_cells, purpose.min_customers, purpose.min_providers if drawing.selecting is not None else None,
            month, spending.spent_at,
        ],
    )  # fmt: skip


def _rows(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"SELECT count(*) FROM copy.marts.{table}").fetchone()
    return int(row[0]) if row else 0


def _refused(reason: str) -> tuple[str, ...]:
    return (f"{PURPOSE}: no noisy counts are released: {reason}",)
