"""The policy as a page: who gets what of the personal data, how treated, and why."""

from collections.abc import Sequence
from typing import Any

from pseudonymisation.policy.model import Policy, Purpose, Table, Treatment


def policy_as_json(policy: Policy, purposes: Sequence[str]) -> dict[str, Any]:
    """Purposes with their basis and readers, and for each the columns that it gets."""
    return {name: {**_purpose(policy.purposes[name]), "tables": _tables(policy, name)} for name in purposes}


def print_policy(console: Any, policy: Policy, purposes: Sequence[str]) -> None:
    """The same for a person; and what nobody gets."""
    from rich.table import Table as Grid

    for name in purposes:
        purpose = policy.purposes[name]
        console.print(f"\n[bold]{name}[/bold]: {purpose.title}. {purpose.what_for}")
        console.print(f"  basis: GDPR art. {purpose.basis_article}: {purpose.basis_reason}")
        console.print(f"  promises {', '.join(purpose.promises)}; data use {purpose.data_use}")
        console.print(f"  readers: {', '.join(purpose.readers)}; kept {purpose.retention_days} days")
        if purpose.held_by_law:
            console.print(f"  held by law: {purpose.held_by_law.statute}")
        grid = Grid("source table", "column", "category", "gets", box=None, pad_edge=False, header_style="bold")
        for table in policy.tables_of(name):
            for position, (column, treatment) in enumerate(table.outputs(name)):
                first = f"{table.source}.{table.name}" if position == 0 else ""
                grid.add_row(first, column.path, column.category, treated(treatment))
        console.print(grid)
    unused = nobody_gets(policy)
    console.print(f"\n[bold]Nobody gets[/bold] {sum(len(names) for names in unused.values())} classified columns:")
    for title, names in unused.items():
        console.print(f"  {title}: {', '.join(names)}")


def treated(treatment: Treatment) -> str:
    """A treatment in words: its name, its parameter, and the column that it becomes."""
    parameter = "" if treatment.parameter is None else f" {treatment.parameter}"
    return f"{treatment.name}{parameter} → {treatment.output}"


def nobody_gets(policy: Policy) -> dict[str, list[str]]:
    """Columns that are classified and go nowhere, by table."""
    found = {
        f"{table.source}.{table.name}": [column.path for column in table.columns.values() if not column.treatments]
        for table in policy.tables.values()
    }
    return {title: names for title, names in found.items() if names}


def _purpose(purpose: Purpose) -> dict[str, Any]:
    return {
        "title": purpose.title,
        "what_for": purpose.what_for,
        "promises": list(purpose.promises),
        "lawful_basis": {"article": purpose.basis_article, "why": purpose.basis_reason},
        "data_use": purpose.data_use,
        "readers": list(purpose.readers),
        "retention_days": purpose.retention_days,
        "disclosure": {"min_customers": purpose.min_customers, "min_providers": purpose.min_providers},
        "held_by_law": purpose.held_by_law.statute if purpose.held_by_law else None,
    }


def _tables(policy: Policy, purpose: str) -> dict[str, dict[str, Any]]:
    return {f"{table.source}.{table.name}": _columns(table, purpose) for table in policy.tables_of(purpose)}


def _columns(table: Table, purpose: str) -> dict[str, Any]:
    return {
        column.path: {
            "category": column.category,
            "treatment": treatment.name,
            "parameter": treatment.parameter,
            "becomes": treatment.output,
        }
        for column, treatment in table.outputs(purpose)
    }
