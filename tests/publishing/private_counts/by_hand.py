"""A market's warehouse by hand, as far as noisy counts read it, and counts to be released from it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from pseudonymisation.policy.private_counts import Cost, PrivateCount, PrivateCounts
from storage import Workspace
from tests.publishing.conftest import in_warehouse, manifest_of

PURPOSE = "market_trends"
OCTOBER = date(2026, 10, 1)
COST = Cost(epsilon=Decimal(2), delta=Decimal("0.0001"))

REQUESTING = PrivateCount(
    name="customers_requesting", what="by category", of="request", by_municipality=False, cost=COST, most_cells_per_person=2
)  # fmt: skip
BOOKING = replace(
    REQUESTING, name="customers_booking", what="by category and municipality", of="booking", by_municipality=True
)

CONTRIBUTIONS = (
    "(kind VARCHAR, customer_id UUID, provider_id UUID, category_id BIGINT, municipality VARCHAR, month_start DATE)"
)


def wanted(
    *counts: PrivateCount, releases: int = 100, first_month: date = OCTOBER, budget: Cost | None = None
) -> PrivateCounts:
    """These counts (both if none is named), with a budget that `releases` of them fit into."""
    budget = budget or Cost(epsilon=COST.epsilon * releases, delta=COST.delta * releases)
    chosen = counts or (REQUESTING, BOOKING)
    return PrivateCounts(
        first_month=first_month, budget_per_year=budget, counts={count.name: count for count in chosen}
    )


def fill(workspace: Workspace, *cells: tuple[int, str, str, int, int]) -> None:
    """Make the warehouse anew. A cell: category, municipality, month, customers (who also book), providers.

    The customers of one cell are in no other.
    """
    rows = [
        f"SELECT kind, md5('{category}{place}' || n)::UUID, "
        f"CASE WHEN kind = 'booking' THEN md5('provider' || (n % {providers}))::UUID END, {category}, '{place}', DATE '{month}' "
        f"FROM range({customers}) AS numbers (n), (VALUES ('request'), ('booking')) AS kinds (kind)"
        for category, place, month, customers, providers in cells
    ]
    in_warehouse(
        workspace,
        PURPOSE,
        "CREATE SCHEMA IF NOT EXISTS w.intermediate",
        "CREATE OR REPLACE TABLE w.marts.agg AS SELECT 1 AS one",
        f"CREATE OR REPLACE TABLE w.intermediate.int_market_trends__contribution {CONTRIBUTIONS}",
        *(f"INSERT INTO w.intermediate.int_market_trends__contribution {row}" for row in rows),
    )


def manifest_in(folder: Path) -> Path:
    return manifest_of(folder, (PURPOSE, "marts", "agg", "public"))


def edition_of(month: int) -> datetime:
    """The day on which the edition of a month of 2026 is due."""
    return datetime(2026, month + 1, 10, 6, tzinfo=UTC)
