"""Parquet files that open only with a zone's key, as landing and quarantine keep them."""

import base64
from pathlib import Path

import duckdb

from storage import Workspace


def give_key(workspace: Workspace, con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Let this connection read and write the files of a zone ("landing" or "quarantine")."""
    key = base64.b64encode(workspace.keyring.zone_key(zone)).decode()
    con.execute(f"PRAGMA add_parquet_key('leii_{zone}', '{key}')")


def write_encrypted(con: duckdb.DuckDBPyConnection, zone: str, query: str, path: Path) -> int:
    """Stream the rows of a query into a new file; returns how many."""
    counted = con.execute(
        f"COPY ({query}) TO '{_quoted(path)}' "
        f"(FORMAT parquet, COMPRESSION snappy, ENCRYPTION_CONFIG {{footer_key: 'leii_{zone}'}})"
    ).fetchone()
    return int(counted[0]) if counted else 0


def read_encrypted(zone: str, *paths: Path) -> str:
    """What to select from, in a connection that has the zone's key."""
    names = ", ".join(f"'{_quoted(path)}'" for path in paths)
    return f"read_parquet([{names}], encryption_config={{footer_key: 'leii_{zone}'}})"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
