"""Take landed batches into a purpose's own database: pseudonymised, each batch exactly once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ingestion.landing import Batch, Landing
from pseudonymisation.compaction import corrected_rows, create_mark, note_compaction_due, own_columns
from pseudonymisation.identity import apply_identity_changes, forget_merged
from pseudonymisation.loading_sql import (
    create_table_sql,
    row_key_sql,
    stored_columns,
    subject_map_sql,
    subjects_of,
    treated_rows_sql,
)
from pseudonymisation.own_tables import create_own_tables
from pseudonymisation.policy.model import Policy, Table
from pseudonymisation.raw_rows import raw_relation
from pseudonymisation.registries.lookups import check_values
from pseudonymisation.retention import remove_expired
from pseudonymisation.session import prepare_session
from pseudonymisation.stripe_tombstones import (
    belongings_of_deleted,
    has_tombstones,
    mentions_tombstones,
    note_tombstones,
)
from pseudonymisation.vault import note_purge_due, notice_vanished, open_vault, register_batch
from storage import LeiiError, Workspace, attached, count

VAULT_TAKER = "vault"


@dataclass(frozen=True, kw_only=True)
class TableLoad:
    """What one pass did to one table of a purpose, in rows. `expired`: past the purpose's retention."""

    loaded: int = 0
    deleted: int = 0
    expired: int = 0
    refused_erased: int = 0
    refused_unmapped: int = 0

    def plus(self, other: "TableLoad") -> "TableLoad":
        return TableLoad(
            loaded=self.loaded + other.loaded,
            deleted=self.deleted + other.deleted,
            expired=self.expired + other.expired,
            refused_erased=self.refused_erased + other.refused_erased,
            refused_unmapped=self.refused_unmapped + other.refused_unmapped,
        )


@dataclass(frozen=True, kw_only=True)
class PurposeLoad:
    """What one pass did to one purpose; `tables` by stored name."""

    purpose: str
    batches: int
    tables: dict[str, TableLoad] = field(default_factory=dict)


def takers(policy: Policy) -> list[str]:
    """Everybody who has to take a batch before it leaves landing: the vault, then every purpose."""
    return [VAULT_TAKER, *policy.purposes]


def register_people(workspace: Workspace, landing: Landing, policy: Policy) -> int:
    """Let the vault learn who is in the landed batches; gives the number of people seen for the first time.

    The app database's batches come first, since an account is what the other sources' identifiers belong to.
    """
    order = {"app_db": 0, "stripe": 1, "events": 2}
    batches = sorted(landing.pending(VAULT_TAKER), key=lambda batch: (order[batch.source], batch.batch_id))
    created = 0
    with workspace.connect() as con:
        prepare_session(con, workspace)
        with open_vault(con, workspace):
            _forget_merged(con, workspace, landing, policy)
            for batch in batches:
                if (batch.source, batch.table) not in policy.tables:
                    continue
                con.execute("BEGIN")
                relation = landing.relation_sql(con, batch)
                if batch.kind == "rows":
                    created += register_batch(con, policy, batch, relation, workspace.now)
                    if batch.source == "stripe":
                        note_tombstones(con, policy.table(batch.source, batch.table), relation)
                if (batch.source, batch.table) == ("app_db", "account"):
                    notice_vanished(con, workspace, relation, batch.kind)
                con.execute("COMMIT")
            _note_newest(con, "vault.taken_batch", batches)
            _forget_others(con, "vault.taken_batch")
    landing.mark_taken(VAULT_TAKER, [batch.batch_id for batch in batches])
    return created


def _forget_merged(con: duckdb.DuckDBPyConnection, workspace: Workspace, landing: Landing, policy: Policy) -> None:
    reached = landing.reached()
    con.execute("BEGIN")
    if forget_merged(con, min(reached.get(purpose, -1) for purpose in policy.purposes)):
        note_purge_due(con, workspace)
    con.execute("COMMIT")


@contextmanager
def open_purpose(con: duckdb.DuckDBPyConnection, workspace: Workspace, purpose: str) -> Iterator[None]:
    """Attach the purpose's database for writing as `purpose`, with the schema `src`."""
    key = workspace.keyring.purpose_key(purpose, "warehouse")
    with attached(con, workspace.home.warehouse_file(purpose), "purpose", key):
        con.execute("CREATE SCHEMA IF NOT EXISTS purpose.src")
        con.execute("CREATE TABLE IF NOT EXISTS purpose.src._taken_batch (batch_id BIGINT NOT NULL)")
        create_mark(con)
        create_own_tables(con, purpose)
        yield


def load_purpose(workspace: Workspace, landing: Landing, policy: Policy, purpose: str) -> PurposeLoad:
    """Take every batch that this purpose has not taken, in order. A crash in between repeats nothing and loses nothing."""
    registered = {batch.batch_id for batch in landing.pending(VAULT_TAKER)}
    batches = [batch for batch in landing.pending(purpose) if batch.batch_id not in registered]
    done: defaultdict[str, TableLoad] = defaultdict(TableLoad)
    with workspace.connect() as con:
        prepare_session(con, workspace, purpose)
        with open_vault(con, workspace, read_only=True), open_purpose(con, workspace, purpose):
            create_tables(con, policy, purpose)
            taken = {row[0] for row in con.execute("SELECT batch_id FROM purpose.src._taken_batch").fetchall()}
            for batch in batches:
                table_ = policy.tables.get((batch.source, batch.table))
                if table_ is None or purpose not in table_.purposes or batch.batch_id in taken:
                    continue
                result = take_batch(con, landing, policy, table_, purpose, batch)
                done[table_.stored_name] = done[table_.stored_name].plus(result)
            apply_identity_changes(con, policy, purpose, [batch.batch_id for batch in batches])
            con.execute("BEGIN")
            for name, expired in remove_expired(con, policy, purpose, workspace.now).items():
                done[name] = done[name].plus(TableLoad(expired=expired))
                if expired:
                    note_compaction_due(con)
            con.execute("COMMIT")
            _note_newest(con, "purpose.src._taken_batch", batches)
            landing.mark_taken(purpose, [batch.batch_id for batch in batches])
            _forget_others(con, "purpose.src._taken_batch")  # only now: landing says it from here on
    return PurposeLoad(purpose=purpose, batches=len(batches), tables=dict(done))


def takers_behind(workspace: Workspace, landing: Landing, policy: Policy) -> list[str]:
    """Those whose file is not there, or older than what landing has noted that they took: a backup was put in its place.

    What came since is missing in it, and what has been erased or deleted since is there again.
    """
    key = workspace.keyring.purpose_key
    files = {VAULT_TAKER: (workspace.home.vault_file, workspace.keyring.zone_key("vault"), "main.taken_batch")}
    for purpose in policy.purposes:
        files[purpose] = (workspace.home.warehouse_file(purpose), key(purpose, "warehouse"), "src._taken_batch")
    noted = landing.reached()
    with workspace.connect() as con:
        return [taker for taker, file in files.items() if taker in noted and _newest_taken(con, *file) < noted[taker]]


def _newest_taken(con: duckdb.DuckDBPyConnection, path: Path, key: bytes, table: str) -> int:
    """The newest batch that the file itself remembers; -1 for none."""
    if not path.exists():
        return -1
    with attached(con, path, "looked_at", key, read_only=True):
        there = "database_name = 'looked_at' AND schema_name || '.' || table_name = ?"
        if not count(con, f"SELECT count(*) FROM duckdb_tables() WHERE {there}", [table]):
            return -1
        return count(con, f"SELECT coalesce(max(batch_id), -1) FROM looked_at.{table}")


def _note_newest(con: duckdb.DuckDBPyConnection, table: str, batches: Sequence[Batch]) -> None:
    """Let the file remember the newest of these batches, before landing notes that they were taken."""
    if batches:
        con.execute(f"INSERT INTO {table} VALUES (?)", [max(batch.batch_id for batch in batches)])


def _forget_others(con: duckdb.DuckDBPyConnection, table: str) -> None:
    con.execute(f"DELETE FROM {table} WHERE batch_id < (SELECT max(batch_id) FROM {table})")


def create_tables(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str) -> None:
    """Make the purpose's tables, or refuse a file in which one has other columns than the policy gives."""
    found = con.execute(
        "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
        "WHERE database_name = 'purpose' AND schema_name = 'src' GROUP BY table_name"
    ).fetchall()
    there: dict[str, list[str]] = dict(found)
    for table in policy.tables_of(purpose):
        wanted = [name for name, _ in stored_columns(table, purpose)]
        if table.stored_name not in there:
            con.execute(create_table_sql(table, purpose))
        elif there[table.stored_name] != wanted:
            raise LeiiError(
                f"{purpose}: src.{table.stored_name} has other columns than the policy gives; "
                f"run `leii run --rebuild {purpose}` to build the purpose anew"
            )


def take_batch(
    con: duckdb.DuckDBPyConnection, landing: Landing, policy: Policy, table: Table, purpose: str, batch: Batch
) -> TableLoad:
    """Take one batch into the purpose's table, in one transaction that also says that it was taken.

    The session is prepared for the purpose, with the vault and the purpose attached.
    """
    con.execute("BEGIN")
    try:
        relation = landing.relation_sql(con, batch)
        if batch.kind in ("keys", "deleted"):
            keeps = policy.purposes[purpose].held_by_law is not None
            result = TableLoad() if keeps else _delete_gone(con, table, relation, batch.kind)
        else:
            result = _upsert(con, table, purpose, relation, batch.batch_id)
            if table.source == "stripe" and mentions_tombstones(con, relation):
                result = result.plus(_delete_belongings(con, policy, table, purpose, relation))
        con.execute("INSERT INTO purpose.src._taken_batch VALUES (?)", [batch.batch_id])
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    return result


def _upsert(con: duckdb.DuckDBPyConnection, table: Table, purpose: str, relation: str, batch_id: int) -> TableLoad:
    if subjects_of(table, purpose):
        con.execute(subject_map_sql(table, purpose, relation))
    check_values(con, table, purpose, relation)
    newest = "" if table.source == "app_db" else "QUALIFY row_number() OVER (PARTITION BY _row_key ORDER BY 1) = 1"
    minds_tombstones = table.source == "stripe" and has_tombstones(con)
    treated = treated_rows_sql(table, purpose, relation, batch_id, minds_tombstones=minds_tombstones)
    con.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {treated} {newest}")
    target = f"purpose.src.{table.stored_name}"
    if table.source == "events":
        _leave_what_is_known(con, table, purpose)
    corrected = corrected_rows(con, table, purpose)
    deleted = count(con, f"DELETE FROM {target} WHERE _row_key IN (SELECT _row_key FROM staged)")
    if table.source == "stripe":
        gone = count(con, _delete_deleted_sql(table, relation, target))
        corrected, deleted = corrected + gone, deleted + gone
    if corrected:
        note_compaction_due(con)
    loaded = count(con, f"INSERT INTO {target} SELECT * EXCLUDE (_refusal) FROM staged WHERE _refusal IS NULL")
    refusals = dict(
        con.execute("SELECT _refusal, count(*) FROM staged WHERE _refusal IS NOT NULL GROUP BY 1").fetchall()
    )
    con.execute("DROP TABLE staged")
    return TableLoad(
        loaded=loaded,
        deleted=deleted,
        refused_erased=refusals.get("erased", 0),
        refused_unmapped=refusals.get("unmapped", 0),
    )


def _leave_what_is_known(con: duckdb.DuckDBPyConnection, table: Table, purpose: str) -> None:
    """Take out of temp table `staged` what is stored like that: a file that was delivered again, or has grown, is no news."""
    columns = own_columns(table, purpose)
    new, stored = (", ".join(f'{alias}."{name}"' for name in columns) for alias in ("staged", "stored"))
    con.execute(
        "DELETE FROM staged WHERE _refusal IS NULL AND _row_key IN ("
        f"SELECT staged._row_key FROM staged JOIN purpose.src.{table.stored_name} AS stored USING (_row_key) "
        f"WHERE ({new}) IS NOT DISTINCT FROM ({stored}))"
    )


def _delete_deleted_sql(table: Table, relation: str, target: str) -> str:
    raw = raw_relation(table, relation, table.key)
    return (
        f"DELETE FROM {target} WHERE _row_key IN "
        f'(SELECT {row_key_sql(table)} FROM ({raw}) WHERE coalesce("landed.deleted", FALSE))'
    )


def _delete_belongings(
    con: duckdb.DuckDBPyConnection, policy: Policy, table: Table, purpose: str, relation: str
) -> TableLoad:
    """Stripe has deleted or redacted something of this batch: carry it on to what belonged to it, and to the file's bytes."""
    note_compaction_due(con)
    owned = [other for other in policy.tables_of(purpose) if other.source == "stripe"]
    deletes = [sql for other in owned for sql in belongings_of_deleted(table, other, purpose, relation)]
    return TableLoad(deleted=sum(count(con, sql) for sql in deletes))


def _delete_gone(con: duckdb.DuckDBPyConnection, table: Table, relation: str, kind: str) -> TableLoad:
    """Of kind "keys", whatever is not among them is gone; of kind "deleted", they are."""
    named = f"SELECT {row_key_sql(table)} FROM {relation}"
    gone = "NOT IN" if kind == "keys" else "IN"
    deleted = count(con, f"DELETE FROM purpose.src.{table.stored_name} WHERE _row_key {gone} ({named})")
    if deleted:
        note_compaction_due(con)
    return TableLoad(deleted=deleted)
