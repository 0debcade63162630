"""What is measured: a month's customers by cell, each in a bounded number of cells."""

from dataclasses import dataclass
from datetime import date

import duckdb

from pseudonymisation.policy.private_counts import PrivateCount

CONTRIBUTIONS = "warehouse.intermediate.int_market_trends__contribution"
ALL = "all"
SEPARATOR = "|"

_CONTRIBUTIONS = """
    SELECT customer_id, category_id, municipality, provider_id
    FROM (
        SELECT customer_id, category_id, {municipality} AS municipality,
               arg_min(provider_id, md5(concat_ws('|', customer_id, provider_id, category_id, {municipality}))) AS provider_id
        FROM {contributions}
        WHERE kind = $kind AND month_start = $month AND customer_id IS NOT NULL AND category_id IS NOT NULL
        GROUP BY customer_id, category_id, {municipality}
    )
    QUALIFY row_number() OVER (
        PARTITION BY customer_id ORDER BY md5(concat_ws('|', $name, $month, customer_id, category_id, municipality))
    ) <= $most_cells
"""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """By cell (`category|municipality`): customers, and the providers who have one of these customers' bookings each.

    Exact: these leave the process with noise only.
    """

    customers: dict[str, int]
    providers: dict[str, int]


def bounded_contributions(count: PrivateCount, contributions: str) -> str:
    """SQL of who is counted where: a row a customer and cell, with one of the providers there.

    In which cells somebody with more than `most_cells_per_person` is counted follows from a hash of the customer's
    pseudonym, month and cell, and from nobody else's rows. Its parameters are those of `parameters`.
    """
    municipality = "municipality" if count.by_municipality else f"'{ALL}'"
    return _CONTRIBUTIONS.format(municipality=municipality, contributions=contributions)


def parameters(count: PrivateCount, month: date) -> dict[str, object]:
    return {"kind": count.of, "month": month, "name": count.name, "most_cells": count.most_cells_per_person}


def count_month(
    con: duckdb.DuckDBPyConnection, count: PrivateCount, month: date, contributions: str = CONTRIBUTIONS
) -> Counted:
    """Count a month in the warehouse, which is attached as `warehouse`."""
    rows = con.execute(
        f"SELECT category_id || '{SEPARATOR}' || municipality, count(*), count(DISTINCT provider_id) "
        f"FROM ({bounded_contributions(count, contributions)}) GROUP BY ALL",
        parameters(count, month),
    ).fetchall()
    return Counted(
        customers={cell: customers for cell, customers, _ in rows},
        providers={cell: providers for cell, _, providers in rows},
    )
