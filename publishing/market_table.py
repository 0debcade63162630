"""Secondary suppression of the market's published tables: category × municipality with all totals, a table a month and figure."""

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from publishing import suppression
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

RULES = b"".join(Path(str(module)).read_bytes() for module in (__file__, suppression.__file__))
"""What decides besides the figures: a month that was worked out by other rules is worked out anew."""

KEY = ("category_id", "municipality", "month_start")


def withheld_relation(con: duckdb.DuckDBPyConnection, cells: Any, rests: Any, *, stood: str | None = None) -> pa.Table:
    """From int_market_trends__cell and int_market_trends__rest: a row a cell, with `is_<figure>_withheld` for each figure.

    A cell is sensitive by its own reason; a total also if the withheld cells beneath it are too few people together, since
    whoever subtracts the published ones has those. `stood`: the table that this gave last time, if there is one. A month of
    which no figure has changed since stays as it is there; `figures_digest` tells.
    """
    flags = [f"is_{name}_withheld" for name in FIGURES]
    before = _stood(con, cells, stood)  # noqa: F841  # DuckDB finds it by its name
    of_before = ", ".join(f"stood.{name} AS before_{name}" for name in (*flags, "figures_digest"))
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
            {of_before},
            dense_rank() OVER (ORDER BY cells.month_start) - 1 AS month,
            dense_rank() OVER (PARTITION BY cells.month_start ORDER BY cells.category_id NULLS LAST) - 1 AS row_number,
            dense_rank() OVER (
                PARTITION BY cells.month_start ORDER BY cells.is_total, cells.municipality
            ) - 1 AS column_number
        FROM cells LEFT JOIN rest ON cells.category_id IS NOT DISTINCT FROM rest.category_id
            AND cells.municipality = rest.municipality AND cells.month_start = rest.month_start
        LEFT JOIN before AS stood ON cells.category_id IS NOT DISTINCT FROM stood.category_id
            AND cells.municipality = stood.municipality AND cells.month_start = stood.month_start
        ORDER BY month, row_number, column_number
        """
    ).to_arrow_table()
    known = found.column("before_figures_digest").fill_null(0).to_numpy()
    hidden = np.array([found.column(f"before_{name}").fill_null(False).to_numpy() for name in flags])
    digest = np.zeros(found.num_rows, dtype=np.uint64)
    number = {
        name: found.column(name).to_numpy().astype(np.float64)
        for name in found.column_names
        if name not in KEY and not name.startswith("before_")
    }
    starts = np.flatnonzero(np.diff(number["month"], prepend=-1) > 0)
    for first, last in pairwise([*starts, found.num_rows]):
        month = slice(int(first), int(last))
        of_month = {name: values[month] for name, values in number.items() if name != "month"}
        digest[month] = _digest(of_month)
        if (known[month] != digest[month]).any():
            hidden[:, month] = _of_month(of_month)
    columns = {name: found.column(name) for name in KEY}
    withheld = {name: pa.array(hidden[i], pa.bool_()) for i, name in enumerate(flags)}
    return pa.table(columns | withheld | {"figures_digest": pa.array(digest)})


def _stood(con: duckdb.DuckDBPyConnection, cells: Any, table: str | None) -> duckdb.DuckDBPyRelation:
    """What this gave last time; no rows if there is nothing, or something of another form."""
    flags = ", ".join(f"NULL::BOOLEAN AS is_{name}_withheld" for name in FIGURES)
    nothing = con.sql(f"SELECT {', '.join(KEY)}, {flags}, NULL::UBIGINT AS figures_digest FROM cells LIMIT 0")
    try:
        relation = con.table(table) if table else nothing
    except duckdb.CatalogException:
        return nothing
    return relation if relation.columns == nothing.columns else nothing


def _digest(of_month: dict[str, Floats]) -> np.uint64:
    """Of all that a month's flags follow from."""
    hashed = hashlib.blake2b(RULES, digest_size=8)
    for name, values in of_month.items():
        hashed.update(name.encode() + values.tobytes())
    return np.uint64(int.from_bytes(hashed.digest(), "little"))


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
