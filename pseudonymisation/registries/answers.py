"""Enhetsregisteret's answers as they are kept: encrypted, under keyed hashes, without any name, and for a set time.

One row for each provider who states an organisation number: (account_hash, org_key, name_key, outcome, is_deregistered,
is_bankrupt, is_winding_up, name_agrees, asked_at). It is a cache: whoever loses it asks again. The file is written anew
whenever it changes, so that nothing of a row that went stays in it.
"""

from datetime import timedelta
from pathlib import Path

import duckdb

from ingestion.encrypted_parquet import give_key, read_encrypted, write_encrypted
from storage import Workspace, count, replace_durably
from storage.durable import fsync_folder

KEPT_FOR = timedelta(days=30)
"""An answer that could not be renewed for so long counts as none."""

COLUMNS = {
    "account_hash": "UUID",
    "org_key": "UUID",
    "name_key": "UUID",
    "outcome": "VARCHAR",
    "is_deregistered": "BOOLEAN",
    "is_bankrupt": "BOOLEAN",
    "is_winding_up": "BOOLEAN",
    "name_agrees": "BOOLEAN",
    "asked_at": "TIMESTAMPTZ",
}
_ZONE = "landing"


def load_answers(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """Temp table `organisation_answer`: the answers that are young enough; none if the file's key has been rotated."""
    columns = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE organisation_answer ({columns})")
    file = workspace.home.registry_answers
    if not file.exists():
        return
    give_key(workspace, con, _ZONE)
    try:
        con.execute(
            f"INSERT INTO organisation_answer SELECT {', '.join(COLUMNS)} FROM {read_encrypted(_ZONE, file)} "
            "WHERE asked_at > ?",
            [workspace.now - KEPT_FOR],
        )
    except duckdb.Error:
        con.execute("DELETE FROM organisation_answer")


def save_answers(con: duckdb.DuckDBPyConnection, workspace: Workspace, query: str) -> int:
    """Keep the rows of a query in place of all that was kept; returns how many."""
    file = workspace.home.registry_answers
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = _unfinished(file)
    give_key(workspace, con, _ZONE)
    try:
        kept = write_encrypted(con, _ZONE, f"SELECT {', '.join(COLUMNS)} FROM ({query})", temporary)
        replace_durably(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    return kept


def forget_answers(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> int:
    """Remove what is kept about people who are tombstoned, and what is past its time; returns how many rows.

    A file that cannot be read goes as a whole, uncounted: whose its rows are cannot be told. The session has the vault
    attached.
    """
    file = workspace.home.registry_answers
    _unfinished(file).unlink(missing_ok=True)
    if not file.exists():
        return 0
    load_answers(con, workspace)
    con.execute("DELETE FROM organisation_answer WHERE account_hash IN (SELECT alias_hash FROM vault.tombstone)")
    try:
        kept = count(con, f"SELECT count(*) FROM {read_encrypted(_ZONE, file)}")
    except duckdb.Error:
        remove_answers(workspace)
        return 0
    gone = kept - count(con, "SELECT count(*) FROM organisation_answer")
    if gone:
        save_answers(con, workspace, "FROM organisation_answer")
    return gone


def remove_answers(workspace: Workspace) -> None:
    """Remove all that is kept: under another key nobody could tell any more whose it is. The next run asks again."""
    file = workspace.home.registry_answers
    for path in (file, _unfinished(file)):
        path.unlink(missing_ok=True)
    if file.parent.is_dir():
        fsync_folder(file.parent)


def _unfinished(file: Path) -> Path:
    """What a killed run leaves of a file that it was writing."""
    return file.with_suffix(".tmp")
