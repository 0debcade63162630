"""Models in use that were fitted while an erased person's data were still there.

Such a model has no row, pseudonym or value of anybody's, only points by range of a value; it is replaced by one that was
fitted without the person, or goes without one, on a day that is known. A certificate says so rather than pass it over.
"""

import duckdb

from pseudonymisation.own_tables import FRAUD_MODEL
from storage import Workspace, attached, count

_PURPOSE = "fraud"


def fitted_models(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> list[dict[str, str]]:
    """Each as the certificate has it: purpose, when it was fitted, and when it is gone at the latest.

    A model that was trained in this very pass was fitted after the sweep.
    """
    file = workspace.home.warehouse_file(_PURPOSE)
    if not file.exists():
        return []
    key = workspace.keyring.purpose_key(_PURPOSE, "warehouse")
    there = f"database_name = 'fitted' AND schema_name = 'src' AND table_name = '{FRAUD_MODEL}'"
    with attached(con, file, "fitted", key, read_only=True):
        if not count(con, f"SELECT count(*) FROM duckdb_tables() WHERE {there}"):
            return []
        rows = con.execute(
            f"SELECT trained_at, expires_at FROM fitted.src.{FRAUD_MODEL} WHERE state = 'in_use' AND trained_at < ?",
            [workspace.now],
        ).fetchall()
    return [{"purpose": _PURPOSE, "fitted_at": at.isoformat(), "gone_by": by.isoformat()} for at, by in rows]
