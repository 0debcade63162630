"""Orphans: rows about somebody whom the vault does not know, as a warehouse has them that was put back from a backup.

A pseudonym that no secret in the vault gives is nobody's any more: its person has been erased since, or came after the
vault's own backup and has another one now. Nobody could ever be asked about such rows, so they are swept as an erasure
sweeps them, with the same predicate and rules; what the law holds of them is held.
"""

from collections.abc import Iterator

import duckdb

from ingestion.landing import open_landing
from pseudonymisation.erasure.held import hold_banned, open_held
from pseudonymisation.erasure.sweep import count_effects, sweep_purpose
from pseudonymisation.loading import create_tables, open_purpose
from pseudonymisation.policy.model import FLAG_KIND, FLAGS, Policy
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import open_vault
from storage import LeiiError, Workspace, count


def require_vault(workspace: Workspace, policy: Policy) -> None:
    """Raise LeiiError if warehouses are there without the vault, which alone tells whose their rows are."""
    home = workspace.home
    there = [purpose for purpose in policy.purposes if home.warehouse_file(purpose).exists()]
    if there and not home.vault_file.exists():
        raise LeiiError(
            f"there are warehouses ({', '.join(there)}) and no vault: whose their rows are is not known, who was erased is "
            "not known, and nobody in them could be erased. Put the newest backup of the vault back, or move warehouse/ and "
            "published/ away and run again: everything is then read from the sources, but accounting lacks what only it had"
        )


def note_restored(workspace: Workspace) -> None:
    """Let the next sweep look for orphans, once everything has been read."""
    with workspace.connect() as con, open_vault(con, workspace):
        con.execute("DELETE FROM vault.restored")
        con.execute("INSERT INTO vault.restored VALUES (?)", [workspace.now])


def sweep_orphans(con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy) -> int:
    """Sweep every purpose of orphans if something was restored; gives their number, by purpose added up.

    The vault is attached for writing. A crash in between does it again.
    """
    if not count(con, "SELECT count(*) FROM vault.restored"):
        return 0
    found = sum(_sweep(con, workspace, policy, purpose) for purpose in policy.purposes)
    con.execute("DELETE FROM vault.restored")
    return found


def _sweep(con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy, purpose: str) -> int:
    if not workspace.home.warehouse_file(purpose).exists():
        return 0
    prepare_session(con, workspace, purpose)
    with open_purpose(con, workspace, purpose), open_held(con, workspace):
        create_tables(con, policy, purpose)
        orphans = _find_orphans(con, policy, purpose)
        if orphans:
            with open_landing(workspace) as landing:
                batch_id = landing.reserve_batch_id()
            if purpose == FLAGS:
                hold_banned(con, workspace, purpose)
            count_effects(con, policy, purpose)
            sweep_purpose(con, policy, purpose, batch_id)
    return orphans


def _find_orphans(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str) -> int:
    """Make temp table `erased` of the orphans, as `load_erased` makes it of the erased; gives how many."""
    people = " UNION ".join(_named(policy, purpose, flags=False)) or "SELECT CAST(NULL AS UUID) AS name WHERE FALSE"
    flags = " UNION ".join(_named(policy, purpose, flags=True)) or "SELECT CAST(NULL AS VARCHAR) AS name WHERE FALSE"
    con.execute("CREATE OR REPLACE TEMP TABLE living AS SELECT purpose_hmac(secret) AS person FROM vault.subject")
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE orphan AS
        SELECT name AS person FROM ({people}) WHERE name IS NOT NULL AND name NOT IN (SELECT person FROM living)
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE erased AS
        WITH flag AS (
            SELECT fraud_flag_id(person) AS name FROM orphan
            UNION
            SELECT name FROM ({flags})
            WHERE name IS NOT NULL AND name NOT IN (SELECT fraud_flag_id(person) FROM living)
        )
        SELECT uuid() AS case_id, CAST(person AS VARCHAR) AS pseudonym, person FROM orphan
        UNION ALL SELECT uuid(), name, NULL FROM flag
    """)
    return count(con, "SELECT count(*) FROM orphan")


def _named(policy: Policy, purpose: str, *, flags: bool) -> Iterator[str]:
    """SQL for the names in every column of the purpose's tables that names a person, or a flag about one."""
    for table in policy.tables_of(purpose):
        for path, output in table.subject_outputs(purpose).items():
            if (table.columns[path].identifier == FLAG_KIND) == flags:
                yield f"SELECT {output} AS name FROM purpose.src.{table.stored_name}"
