"""Correction (R21): whether what a person corrected in the app has reached every purpose, and the old value is gone."""

from dataclasses import dataclass

import duckdb

from pseudonymisation.access.app_rows import read_app_rows
from pseudonymisation.access.person import find_person, resolve_person
from pseudonymisation.compaction import is_compaction_due, own_columns
from pseudonymisation.loading_sql import subject_map_sql, treated_rows_sql
from pseudonymisation.policy.model import Policy, Table
from pseudonymisation.registries.lookups import check_values
from pseudonymisation.retention import event_column, retention_limit
from pseudonymisation.session import prepare_session
from pseudonymisation.treatments import organisation_outputs
from pseudonymisation.vault import open_vault
from storage import Workspace, attached


@dataclass(frozen=True, kw_only=True)
class PurposeStanding:
    """How one purpose stands with one person's rows of the app: equal to what the policy makes of them now, other, or not
    there. `is_purged`: no replaced row's bytes wait in its file for being written anew. `is_published`: the copy that
    readers open was made after the last change of that file."""

    purpose: str
    right: int
    stale: int
    missing: int
    is_purged: bool
    is_published: bool

    @property
    def is_right(self) -> bool:
        return self.is_purged and self.is_published and not self.stale and not self.missing


def corrections_standing(workspace: Workspace, policy: Policy, dsn: str, account_id: str) -> list[PurposeStanding]:
    """Whether each purpose holds what the app has of this account now. Raises LeiiError if a file cannot be read."""
    with workspace.connect() as con, open_vault(con, workspace, read_only=True):
        resolve_person(con, workspace, account_id)
        app = read_app_rows(con, policy, dsn, find_person(con, policy, dsn, account_id))
        standing = []
        for purpose in policy.purposes:
            prepare_session(con, workspace, purpose)
            key = workspace.keyring.purpose_key(purpose, "warehouse")
            with attached(con, workspace.home.warehouse_file(purpose), "purpose", key, read_only=True):
                counts = [0, 0, 0]
                for name, rows in app.tables.items():
                    table = policy.table("app_db", name)
                    if purpose in table.purposes:
                        con.register("app_row", rows)
                        counts = [
                            a + b for a, b in zip(counts, _compare(con, workspace, policy, table, purpose), strict=True)
                        ]
                        con.unregister("app_row")
                is_purged = not is_compaction_due(con)
            right, stale, missing = counts
            standing.append(
                PurposeStanding(
                    purpose=purpose,
                    right=right,
                    stale=stale,
                    missing=missing,
                    is_purged=is_purged,
                    is_published=_is_published(workspace, purpose),
                )
            )
    return standing


def _compare(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy, table: Table, purpose: str
) -> tuple[int, int, int]:
    """Rows of `app_row` that the purpose holds as they are, otherwise, and not at all."""
    con.execute(subject_map_sql(table, purpose, "app_row"))
    check_values(con, table, purpose, "app_row")
    fresh = f"SELECT * FROM ({treated_rows_sql(table, purpose, 'app_row', 0)}) WHERE _refusal IS NULL"
    parameters = []
    dated = event_column(table, purpose)
    if dated is not None:
        fresh += f' AND CAST("{dated}" AS TIMESTAMPTZ) >= ?'
        parameters.append(retention_limit(policy, purpose, workspace.now))
    old, new = (
        ", ".join(f'{alias}."{name}"' for name in _stated_columns(table, purpose)) for alias in ("kept", "fresh")
    )
    row = con.execute(
        f"""
        SELECT
            count(*) FILTER (WHERE kept._row_key IS NOT NULL AND ({old}) IS NOT DISTINCT FROM ({new})),
            count(*) FILTER (WHERE kept._row_key IS NOT NULL AND ({old}) IS DISTINCT FROM ({new})),
            count(*) FILTER (WHERE kept._row_key IS NULL)
        FROM ({fresh}) AS fresh LEFT JOIN purpose.src.{table.stored_name} AS kept ON kept._row_key = fresh._row_key
        """,
        parameters,
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def _stated_columns(table: Table, purpose: str) -> list[str]:
    """What rests on the source alone: a register's answer ages, and goes, without the person having corrected anything."""
    answered = {output.name for output in organisation_outputs("NULL")}
    answered |= {one.output for _, one in table.outputs(purpose) if one.name == "registered_name"}
    return [name for name in own_columns(table, purpose) if name not in answered]


def _is_published(workspace: Workspace, purpose: str) -> bool:
    """By the files' times: whatever was written into the warehouse since the copy was made is not in the copy."""
    home = workspace.home
    changed = home.warehouse_file(purpose).stat().st_mtime_ns
    folder = home.published_folder(purpose)
    copies = [path for path in folder.glob("*.duckdb") if not path.is_symlink()] if folder.is_dir() else []
    return bool(copies) and all(path.stat().st_mtime_ns >= changed for path in copies)
