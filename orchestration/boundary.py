"""The check at the border: what a purpose has just been given must be what the policy gives it, and look like it.

It does not trust the treatments: it reads the stored rows and looks for what no treated value looks like.
"""

from dataclasses import dataclass

from pseudonymisation.loading import open_purpose
from pseudonymisation.loading_sql import stored_columns
from pseudonymisation.policy.model import Policy, Table
from storage import Workspace

RAW_PATTERNS = {
    "e-mail": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}",
    "phone": r"(^|[^0-9a-zA-Z-])(\+|00)?(47)? ?[2-9][0-9]{7}($|[^0-9a-zA-Z-])",
    "11 digits": r"(^|[^0-9a-zA-Z])[0-9]{6} ?[0-9]{5}($|[^0-9a-zA-Z])",
}


@dataclass(frozen=True, kw_only=True)
class BoundaryCheck:
    """What was found in one table of a purpose. `suspicious`: rows with a raw-looking value, by column."""

    table: str
    rows: int
    unexpected_columns: tuple[str, ...]
    suspicious: dict[str, int]

    @property
    def passed(self) -> bool:
        return not self.unexpected_columns and not any(self.suspicious.values())


def check_boundary(workspace: Workspace, policy: Policy, purpose: str, *, since_batch: int = 0) -> list[BoundaryCheck]:
    """Check every source table of the purpose; values are read in the rows changed by `since_batch` or later."""
    with workspace.connect() as con, open_purpose(con, workspace, purpose):
        found = con.execute(
            "SELECT table_name, column_name FROM duckdb_columns() "
            "WHERE database_name = 'purpose' AND schema_name = 'src' AND table_name NOT LIKE '\\_%' ESCAPE '\\'"
        ).fetchall()
        counts = {}
        for table in policy.tables_of(purpose):
            there = {column for name, column in found if name == table.stored_name}
            if there:
                counts[table.stored_name] = con.execute(_count_sql(table, purpose, there), [since_batch]).fetchone()
    checks = []
    for table in policy.tables_of(purpose):
        there = {column for name, column in found if name == table.stored_name}
        known = {name for name, _ in stored_columns(table, purpose)}
        rows, *suspicious = counts.get(table.stored_name) or (0,)
        names = [name for name in checked_columns(table, purpose) if name in there]
        checks.append(
            BoundaryCheck(
                table=table.stored_name,
                rows=int(rows),
                unexpected_columns=tuple(sorted(there - known)),
                suspicious={name: int(count) for name, count in zip(names, suspicious, strict=True) if count},
            )
        )
    unknown_tables = {name for name, _ in found} - {table.stored_name for table in policy.tables_of(purpose)}
    checks.extend(
        BoundaryCheck(table=name, rows=0, unexpected_columns=("the whole table",), suspicious={})
        for name in sorted(unknown_tables)
    )
    return checks


def checked_columns(table: Table, purpose: str) -> list[str]:
    """The text columns that must not hold a raw identifier: all but the personal ones that the policy keeps as they are."""
    kept = {
        treatment.output
        for column, treatment in table.outputs(purpose)
        if treatment.name == "keep" and column.category.startswith("user.") and not column.values
    }
    return [name for name, type_ in stored_columns(table, purpose) if type_.startswith("VARCHAR") and name not in kept]


def _count_sql(table: Table, purpose: str, there: set[str]) -> str:
    pattern = "|".join(f"({one})" for one in RAW_PATTERNS.values())
    counts = "".join(
        f""", count(*) FILTER (WHERE regexp_matches(CAST("{name}" AS VARCHAR), '{pattern}'))"""
        for name in checked_columns(table, purpose)
        if name in there
    )
    return f"SELECT count(*){counts} FROM purpose.src.{table.stored_name} WHERE _batch_id >= ?"
