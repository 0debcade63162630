"""`leii status --retention`: the oldest row of every table against its limit, and what the law holds until when (R18)."""

from collections.abc import Mapping
from typing import Any

from orchestration.settings import Settings
from pseudonymisation.erasure.held import held_until
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.retention import OldestRow, oldest_rows
from storage import LeiiError, Workspace


def read_retention(settings: Settings) -> dict[str, Any]:
    """What `leii status --retention` shows, as plain data. Raises LeiiError before the first run, or while one writes."""
    home = settings.place()
    workspace = Workspace(home=home, keyring=settings.keys(), now=settings.moment())
    tables = oldest_rows(workspace, load_policy())
    if not tables:
        raise LeiiError(f"nothing is in {home.root} yet: run `leii run` (or `leii demo`) first")
    return {
        "now": workspace.now.isoformat(),
        "tables": [_table(one) for one in tables],
        "kept_too_long": sum(one.is_kept_too_long for one in tables),
        "held": [
            {"statute": one.statute, "rows": one.rows, "first_goes": str(one.first), "last_goes": str(one.last)}
            for one in held_until(workspace)
        ],
    }


def _table(one: OldestRow) -> dict[str, Any]:
    return {
        "purpose": one.purpose,
        "table": one.table,
        "rows": one.rows,
        "oldest": one.oldest.isoformat() if one.oldest else None,
        "limit": one.limit.isoformat() if one.limit else None,
        "retention_days": one.retention_days if one.limit else None,
        "kept_too_long": one.is_kept_too_long,
    }


def print_retention(console: Any, found: Mapping[str, Any]) -> None:
    """The same for a person."""
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("purpose", "table", "rows", "oldest", "limit"):
        grid.add_column(name, no_wrap=True, justify="right" if name == "rows" else "left")
    for one in found["tables"]:
        oldest = one["oldest"][:10] if one["oldest"] else "-"
        limit = one["limit"][:10] if one["limit"] else "follows its source"
        late = "  [red]too long[/red]" if one["kept_too_long"] else ""
        grid.add_row(one["purpose"], one["table"], f"{one['rows']:,}", oldest, f"{limit}{late}")
    console.print(grid)
    for one in found["held"]:
        console.print(
            f"held: {one['rows']:,} rows by {one['statute']}; the first go on {one['first_goes']}, "
            f"the last on {one['last_goes']}"
        )
    late = found["kept_too_long"]
    console.print(
        f"{late} tables hold a row past its limit: `leii run` removes it" if late else "nothing is past its limit"
    )
