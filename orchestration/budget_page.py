"""`leii status --budget`: what the releases of noisy counts have cost of each year's privacy budget, and what is left."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from orchestration.settings import Settings
from pseudonymisation.policy.private_counts import load_private_counts
from publishing.private_counts.ledger import read_ledger, spent_about


def read_budget(settings: Settings) -> dict[str, Any]:
    """What `leii status --budget` shows, as plain data. Raises LeiiError if the ledger cannot be believed."""
    ledger, policy = read_ledger(settings.place()), load_private_counts()
    budget = policy.budget_per_year
    years = sorted({one.month.year for one in ledger} | {settings.moment().year})
    spent = {year: spent_about(ledger, year) for year in years}
    return {
        "is_on": settings.private_counts == "on",
        "budget_per_year": {"epsilon": float(budget.epsilon), "delta": float(budget.delta)},
        "years": [
            {
                "year": year,
                "releases": sum(one.month.year == year for one in ledger),
                "epsilon_spent": float(spent[year].epsilon),
                "delta_spent": float(spent[year].delta),
                "epsilon_left": float(max(Decimal(0), budget.epsilon - spent[year].epsilon)),
                "delta_left": float(max(Decimal(0), budget.delta - spent[year].delta)),
            }
            for year in years
        ],
        "counts": [
            {
                "name": one.name,
                "what": one.what,
                "epsilon": float(one.cost.epsilon),
                "delta": float(one.cost.delta),
                "newest_month": max(
                    (spent.month.isoformat() for spent in ledger if spent.count == one.name), default=None
                ),
            }
            for one in policy.counts.values()
        ],
    }


def print_budget(console: Any, found: Mapping[str, Any]) -> None:
    """The same for a person."""
    from rich.table import Table

    budget = found["budget_per_year"]
    state = "on" if found["is_on"] else "off (LEII_PRIVATE_COUNTS)"
    console.print(
        f"noisy counts are {state}; a year's months may cost epsilon {budget['epsilon']:g}, delta {budget['delta']:g}"
    )
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("months of", "releases", "epsilon spent", "left", "delta spent", "left"):
        grid.add_column(name, no_wrap=True, justify="right")
    for one in found["years"]:
        figures = (one[name] for name in ("epsilon_spent", "epsilon_left", "delta_spent", "delta_left"))
        grid.add_row(str(one["year"]), str(one["releases"]), *(f"{figure:g}" for figure in figures))
    console.print(grid)
    for one in found["counts"]:
        newest = one["newest_month"][:7] if one["newest_month"] else "none yet"
        console.print(
            f"{one['name']}: epsilon {one['epsilon']:g}, delta {one['delta']:g} a month; newest: {newest}. {one['what']}"
        )
