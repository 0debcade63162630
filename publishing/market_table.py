"""Secondary suppression of the market's published tables: category × municipality with all totals, a table a month and figure."""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from publishing.suppression import Bools, Floats, Table, needs, withheld_cells

FIGURES = (
    "requests",
    "bookings",
    "completed_bookings",
    "cancelled_bookings",
    "searches",
    "customers",
    "providers",
    "turnover_nok",
)
"""Customers and providers are counted once in a total and so are no sums of their parts. They are guarded as if they were:
that is the most that a total can tell of them."""

P_PERCENT = 15
LEAST_WIDTH = 3
"""Requests, bookings, people, or jobs at the month's mean price, that the interval of a withheld cell is wide at least.
3 is what Statistics Norway takes for its smallest cell."""


def withheld_relation(con: duckdb.DuckDBPyConnection, cells: Any, rests: Any) -> pa.Table:
    """From int_market_trends__cell and int_market_trends__rest: a row a cell, with `is_<figure>_withheld` for each figure.

    A cell is sensitive by its own reason; a total also if the withheld cells beneath it are too few people together, since
    whoever subtracts the published ones has those.
    """
    figures = ", ".join(f"cells.{name}" for name in FIGURES)
    rest_figures = ", ".join(f"coalesce(rest.{name}, 0) AS rest_{name}" for name in FIGURES)
    found = con.sql(
        f"""
        WITH rest AS (
            SELECT category_id, municipality, month_start, bool_or(is_sensitive) AS is_sensitive,
                {", ".join(f"max({name}) AS {name}" for name in FIGURES)}
            FROM rests GROUP BY ALL
        )
        SELECT cells.category_id, cells.municipality, cells.month_start, {figures}, {rest_figures},
            cells.suppression_reason IS NOT NULL AS is_primary, coalesce(rest.is_sensitive, FALSE) AS is_rest_sensitive,
            dense_rank() OVER (ORDER BY cells.month_start) - 1 AS month,
            dense_rank() OVER (PARTITION BY cells.month_start ORDER BY cells.category_id NULLS LAST) - 1 AS row_number,
            dense_rank() OVER (
                PARTITION BY cells.month_start ORDER BY cells.is_total, cells.municipality
            ) - 1 AS column_number
        FROM cells LEFT JOIN rest ON cells.category_id IS NOT DISTINCT FROM rest.category_id
            AND cells.municipality = rest.municipality AND cells.month_start = rest.month_start
        ORDER BY month, row_number, column_number
        """
    ).to_arrow_table()
    hidden = np.zeros((len(FIGURES), found.num_rows), dtype=np.bool_)
    number = {
        name: found.column(name).to_numpy().astype(np.float64)
        for name in found.column_names
        if name not in ("category_id", "municipality", "month_start")
    }
    starts = (
        np.flatnonzero(np.r_[True, np.diff(number["month"]) > 0]) if found.num_rows else np.zeros(0, dtype=np.int64)
    )
    for first, last in zip(starts, [*starts[1:], found.num_rows], strict=True):
        month = slice(int(first), int(last))
        hidden[:, month] = _of_month({name: values[month] for name, values in number.items()})
    columns = {name: found.column(name) for name in ("category_id", "municipality", "month_start")}
    flags = {f"is_{name}_withheld": pa.array(hidden[i], pa.bool_()) for i, name in enumerate(FIGURES)}
    return pa.table(columns | flags)


def _of_month(number: dict[str, Floats]) -> Bools:
    """A row a figure: whether each cell of the month is withheld."""
    row, column = number["row_number"].astype(np.int64), number["column_number"].astype(np.int64)
    shape = int(row.max()) + 1, int(column.max()) + 1

    def laid_out(values: Floats) -> Floats:
        matrix = np.zeros(shape)
        matrix[row, column] = values
        return matrix

    is_present = laid_out(np.ones(len(row))) > 0
    is_primary, is_rest_sensitive = laid_out(number["is_primary"]) > 0, laid_out(number["is_rest_sensitive"]) > 0
    mean_price = number["turnover_nok"].max() / max(number["completed_bookings"].max(), 1)
    hidden = []
    for name in FIGURES:
        figure = laid_out(number[name])
        magnitude = np.where(is_primary, figure, laid_out(number[f"rest_{name}"]))
        width = LEAST_WIDTH * (mean_price if name == "turnover_nok" else 1)
        up, down = needs(magnitude, least_width=width, protected_share=P_PERCENT / 100)
        table = Table(
            figure=figure, is_present=is_present, is_sensitive=is_primary | is_rest_sensitive, up=up, down=down
        )
        hidden.append(withheld_cells(table)[row, column])
    return np.array(hidden)
