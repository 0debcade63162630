"""When a purpose's file must be written anew, because bytes of what was corrected or deleted are still in it.

DuckDB leaves the bytes of a replaced row in the file. A load that changes something in a person's own record, or removes
a row, says so in the purpose's file, and the build that follows ends by writing that file anew. What changes as jobs go
on (a booking's state) does not: its old bytes go along with the next.
"""

import duckdb

from pseudonymisation.loading_sql import BOOKKEEPING, stored_columns
from pseudonymisation.policy.model import Table
from storage import Workspace, attached, compact_copy, count

_MARK = "purpose.src._compaction_due"


def create_mark(con: duckdb.DuckDBPyConnection) -> None:
    """The table that says so, in the attached purpose."""
    con.execute(f"CREATE TABLE IF NOT EXISTS {_MARK} (is_due BOOLEAN NOT NULL)")


def note_compaction_due(con: duckdb.DuckDBPyConnection) -> None:
    """To be called in the transaction that replaces or deletes."""
    con.execute(f"INSERT INTO {_MARK} VALUES (TRUE)")


def is_compaction_due(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether something waits, or nobody knows, as in a file that has not been loaded into since there is such a mark."""
    there = "database_name = 'purpose' AND schema_name = 'src' AND table_name = '_compaction_due'"
    if not count(con, f"SELECT count(*) FROM duckdb_tables() WHERE {there}"):
        return True
    return count(con, f"SELECT count(*) FROM {_MARK}") > 0


def compact_if_due(workspace: Workspace, purpose: str) -> bool:
    """Write the purpose's file anew if that is due. It must not be attached. A crash in between does it again."""
    file, key = workspace.home.warehouse_file(purpose), workspace.keyring.purpose_key(purpose, "warehouse")
    with workspace.connect() as con:
        with attached(con, file, "purpose", key):
            create_mark(con)
            if not is_compaction_due(con):
                return False
        compact_copy(con, file, key, file, key)
        with attached(con, file, "purpose", key):
            con.execute(f"DELETE FROM {_MARK}")
    return True


def corrected_rows(con: duckdb.DuckDBPyConnection, table: Table, purpose: str) -> int:
    """How many people's own records temp table `staged` is about to replace by something else. The purpose is attached."""
    if not set(table.key) <= set(table.subjects):
        return 0
    changed_at = table.columns[table.updated_at].treatments.get(purpose) if table.updated_at else None
    names = [name for name in own_columns(table, purpose) if changed_at is None or name != changed_at.output]
    old, new = (", ".join(f'{alias}."{name}"' for name in names) for alias in ("old", "new"))
    return count(
        con,
        f"SELECT count(*) FROM purpose.src.{table.stored_name} AS old JOIN staged AS new USING (_row_key) "
        f"WHERE ({old}) IS DISTINCT FROM ({new})",
    )


def own_columns(table: Table, purpose: str) -> list[str]:
    """The columns of a purpose's table that hold what the source says."""
    bookkeeping = {name for name, _ in BOOKKEEPING}
    return [name for name, _ in stored_columns(table, purpose) if name not in bookkeeping]
