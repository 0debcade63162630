"""Retention (R18): a row goes from a purpose when what it is about is longer ago than the purpose may keep it.

Counted from the table's `event_at` as the purpose has it; a coarsened time counts from the beginning of its unit, so that
nothing stays too long. A table without one holds what is so now (an account, an offer) and follows its source.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from pseudonymisation.policy.model import Policy, Table
from storage import Workspace, attached, count


@dataclass(frozen=True, kw_only=True)
class OldestRow:
    """The oldest row of one table of one purpose. `oldest` and `limit` are None for a table that follows its source."""

    purpose: str
    table: str
    rows: int
    oldest: datetime | None
    limit: datetime | None
    retention_days: int

    @property
    def is_kept_too_long(self) -> bool:
        return self.oldest is not None and self.limit is not None and self.oldest < self.limit


def retention_limit(policy: Policy, purpose: str, now: datetime) -> datetime:
    """The moment before which the purpose keeps nothing."""
    return now - timedelta(days=policy.purposes[purpose].retention_days)


def event_column(table: Table, purpose: str) -> str | None:
    """The purpose's column that retention counts from; None for a table that follows its source."""
    return table.columns[table.event_at].treatments[purpose].output if table.event_at is not None else None


def remove_expired(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str, now: datetime) -> dict[str, int]:
    """Delete what is past its time from the purpose's source tables; gives the rows removed, by table.

    The purpose is attached for writing. Its models follow in the same run, as they do for every row that goes.
    """
    limit = retention_limit(policy, purpose, now)
    removed = {}
    for table in policy.tables_of(purpose):
        column = event_column(table, purpose)
        if column is None:
            continue
        sql = f'DELETE FROM purpose.src.{table.stored_name} WHERE CAST("{column}" AS TIMESTAMPTZ) < ?'
        removed[table.stored_name] = count(con, sql, [limit])
    return removed


def oldest_rows(workspace: Workspace, policy: Policy) -> list[OldestRow]:
    """Every source table of every purpose that has been built, with its oldest row and its limit."""
    found = []
    with workspace.connect() as con:
        for purpose in policy.purposes:
            file = workspace.home.warehouse_file(purpose)
            if not file.exists():
                continue
            key = workspace.keyring.purpose_key(purpose, "warehouse")
            with attached(con, file, "purpose", key, read_only=True):
                found += [_oldest_row(con, workspace, policy, purpose, table) for table in policy.tables_of(purpose)]
    return found


def _oldest_row(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy, purpose: str, table: Table
) -> OldestRow:
    column = event_column(table, purpose)
    oldest = f'CAST(min("{column}") AS TIMESTAMPTZ)' if column else "CAST(NULL AS TIMESTAMPTZ)"
    row = con.execute(f"SELECT count(*), {oldest} FROM purpose.src.{table.stored_name}").fetchone()
    assert row is not None
    return OldestRow(
        purpose=purpose,
        table=table.stored_name,
        rows=int(row[0]),
        oldest=row[1],
        limit=retention_limit(policy, purpose, workspace.now) if column else None,
        retention_days=policy.purposes[purpose].retention_days,
    )
