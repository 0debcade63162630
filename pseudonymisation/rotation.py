"""Key rotation: a name of the keyring gets a new root, every file that the old one opened is moved, the old one is destroyed.

**Why stored values are keyed once more instead of computed anew.** A pseudonym, a record's key, an alias hash or a
tombstone is an HMAC of something that is no longer here: landing is empty, erased people's secrets and ids are gone, and
the books keep rows that the app has deleted. Building a purpose anew from its sources would lose those rows, and a
tombstone could not be built anew at all. So each stored value v becomes HMAC(new key, v), in one pass over the file, and
from then on a raw value is keyed under the old key and then under the new one. Every row, every join and every tombstone
stays, no source is read, and a row that comes again finds itself.

**Why the old root is then worth nothing.** The files are under keys of the new root. Of the old root, which is destroyed,
only the derived HMAC key stays in the keyring, as an inner layer; what is stored is the outer layer's, so that from the old
keyring alone neither a file is opened nor any stored value computed. What the old keyring does open is a copy of the files from
before: such backups have to go with it.

**Why a crash loses nothing.** The keyring holds both roots, written before the first file and until the last; each file is
replaced in one step, and tells by the key that opens it whether it has been moved. `move_files` can be called again.
"""

from collections.abc import Callable, Sequence

import duckdb

from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine
from pseudonymisation.access.exports import rename_exports
from pseudonymisation.erasure.certificate import hand_over
from pseudonymisation.policy.model import FLAG_KIND, Policy
from pseudonymisation.registries.answers import remove_answers
from pseudonymisation.session import prepare_session, set_next_layer
from pseudonymisation.vault import open_vault
from storage import KeyRing, LeiiError, Workspace, compact_copy, count, filled_copy, opens

SOURCES_WITH_KEYED_CURSORS = ("app_db", "events")
"""What was read of these is remembered as digests under landing's key."""

_RANDOM_IDS = ("subject_id", "old_subject_id", "case_id")
"""The vault's UUIDs that no key made."""

# A JSON value that is a UUID and nothing else, with its quotes; a quote within a text is escaped.
_KEYED_IN_JSON = r':("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")[,}]'
_CONTENT_REKEYED = f"""list_reduce(
    list_distinct(regexp_extract_all(content, '{_KEYED_IN_JSON}', 1)),
    (text, keyed) -> replace(text, keyed, '"' || CAST(next_layer(CAST(trim(keyed, '"') AS UUID)) AS VARCHAR) || '"'),
    content)"""


def names_to_rotate(keyring: KeyRing, name: str) -> tuple[str, ...]:
    """The names that get a new root with this one. Raises LeiiError for a name that the keyring does not have.

    The held zone holds rows under a purpose's pseudonyms, and is written anew with it.
    """
    if name not in keyring.secrets:
        raise LeiiError(f"no key {name!r}: the keyring has {', '.join(sorted(keyring.secrets))}")
    return (name, "held") if name.startswith("purpose:") else (name,)


def require_rotatable(workspace: Workspace, name: str) -> None:
    """Raise LeiiError if the name cannot be rotated now. Nobody may write to LEII_HOME meanwhile."""
    if name == "landing":
        _require_empty_landing(workspace)
    if name.startswith("purpose:") and workspace.home.vault_file.exists():
        with workspace.connect() as con, open_vault(con, workspace):
            under_way = count(con, "SELECT count(*) FROM vault.erasure WHERE state <> 'certified'")
        if under_way:
            raise LeiiError(
                f"{under_way} erasures are under way, which look for people by the pseudonyms of today: "
                "run `leii run` until they are certified, then rotate"
            )


def move_files(workspace: Workspace, policy: Policy) -> None:
    """Move every file, but published copies, from the keyring's roots to its pending ones; what is moved already stays.

    Nobody may have LEII_HOME open for writing. Raises LeiiError for a file that neither key opens.
    """
    after = workspace.keyring.after_rotation()
    pending = workspace.keyring.pending
    purposes = [name.removeprefix("purpose:") for name in pending if name.startswith("purpose:")]
    for purpose in purposes:
        _move_warehouse(workspace, policy, purpose, after)
    if "held" in pending:
        _move_held(workspace, after, purposes)
    if "notices" in pending:
        _move_notices(workspace, after)
    if "vault" in pending:
        _move_vault(workspace, after)
    if "vault" in pending or "landing" in pending:
        remove_answers(workspace)
    if "quarantine" in pending:
        Quarantine(workspace).move_to(after)
    if "landing" in pending:
        _require_empty_landing(workspace)
        with open_landing(workspace) as landing:
            for source in SOURCES_WITH_KEYED_CURSORS:
                landing.reset_cursors(source)
    if "certificate" in pending:
        hand_over(workspace, after)


def _move_warehouse(workspace: Workspace, policy: Policy, purpose: str, after: KeyRing) -> None:
    """Only the source tables: the models are made of them, and are built anew."""
    file = workspace.home.warehouse_file(purpose)
    old, new = workspace.keyring.purpose_key(purpose, "warehouse"), after.purpose_key(purpose, "warehouse")
    flags = {
        (table.stored_name, treatment.output)
        for table in policy.tables_of(purpose)
        for column, treatment in table.outputs(purpose)
        if column.identifier == FLAG_KIND
    }

    def rekeyed(table: str, column: str, type_: str) -> str:
        if (table, column) in flags:
            return f'coalesce((SELECT new_id FROM renamed_flag WHERE old_id = "{column}"), "{column}")'
        return _next_layer_of(f"{purpose}: src.{table}", column, type_)

    with workspace.connect() as con:
        if not file.exists() or opens(con, file, new):
            return
        prepare_session(con, workspace, purpose)
        set_next_layer(con, after.pseudonym_keys(purpose)[-1])
        if flags:
            _name_flags(con, workspace)
        filled_copy(con, file, old, file, new, lambda: _copy_tables(con, "src", rekeyed))


def _name_flags(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """Make temp table `renamed_flag` (old_id, new_id): what the purpose calls the flags of all whom the vault knows."""
    with open_vault(con, workspace):
        con.execute("""
            CREATE OR REPLACE TEMP TABLE renamed_flag AS
            SELECT fraud_flag_id(pseudonym) AS old_id, fraud_flag_id(next_layer(pseudonym)) AS new_id
            FROM (SELECT purpose_hmac(secret) AS pseudonym FROM vault.subject)
        """)


def _move_vault(workspace: Workspace, after: KeyRing) -> None:
    file, old, new = workspace.home.vault_file, workspace.keyring.zone_key("vault"), after.zone_key("vault")

    def rekeyed(table: str, column: str, type_: str) -> str:
        return f'"{column}"' if column in _RANDOM_IDS else _next_layer_of(f"vault: {table}", column, type_)

    with workspace.connect() as con:
        if not file.exists() or opens(con, file, new):
            return
        set_next_layer(con, after.alias_keys()[-1])
        with open_vault(con, workspace):
            sql = "SELECT CAST(alias_hash AS VARCHAR), CAST(next_layer(alias_hash) AS VARCHAR) FROM vault.alias WHERE kind = 'account'"
            rename_exports(workspace, after, lambda: dict(con.execute(sql).fetchall()))
        filled_copy(con, file, old, file, new, lambda: _copy_tables(con, "main", rekeyed))


def _move_held(workspace: Workspace, after: KeyRing, purposes: Sequence[str]) -> None:
    """Rows of other purposes stay as they are, but for the file's key."""
    file, old, new = workspace.home.held_file, workspace.keyring.zone_key("held"), after.zone_key("held")
    if len(purposes) > 1:
        raise LeiiError(f"the keys of {', '.join(purposes)} cannot be rotated at once")

    def rekeyed(table: str, column: str, type_: str) -> str:
        keyed = _CONTENT_REKEYED if column == "content" else _next_layer_of(f"held: {table}", column, type_)
        if keyed == f'"{column}"':
            return keyed
        return f"CASE WHEN purpose = '{purposes[0]}' THEN {keyed} ELSE \"{column}\" END"

    with workspace.connect() as con:
        if not file.exists() or opens(con, file, new):
            return
        if not purposes:
            compact_copy(con, file, old, file, new)
            return
        set_next_layer(con, after.pseudonym_keys(purposes[0])[-1])
        filled_copy(con, file, old, file, new, lambda: _copy_tables(con, "main", rekeyed))


def _move_notices(workspace: Workspace, after: KeyRing) -> None:
    """Nothing in it is keyed: a person is the vault's random subject, a case a random id."""
    file, old, new = workspace.home.notices_file, workspace.keyring.zone_key("notices"), after.zone_key("notices")
    with workspace.connect() as con:
        if file.exists() and not opens(con, file, new):
            compact_copy(con, file, old, file, new)


def _next_layer_of(place: str, column: str, type_: str) -> str:
    """Every UUID is keyed. Raises LeiiError for a type that may hold some within it."""
    if type_ == "UUID":
        return f'next_layer("{column}")'
    if "UUID" in type_:
        raise LeiiError(f"{place}.{column} is of type {type_}, in which nothing can be keyed anew: nothing was rotated")
    return f'"{column}"'


def _copy_tables(con: duckdb.DuckDBPyConnection, schema: str, rekeyed: Callable[[str, str, str], str]) -> None:
    """Copy a schema's tables from `copy_source` to `copy_target`, each column as `rekeyed(table, column, type)` says."""
    tables = con.execute(
        "SELECT table_name, sql FROM duckdb_tables() WHERE database_name = 'copy_source' AND schema_name = ? ORDER BY 1",
        [schema],
    ).fetchall()
    con.execute(f"CREATE SCHEMA IF NOT EXISTS copy_target.{schema}")
    for table, definition in tables:
        con.execute("USE copy_target")
        con.execute(definition)
        con.execute("USE memory")
        columns = con.execute(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = 'copy_source' AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [schema, table],
        ).fetchall()
        selected = ", ".join(rekeyed(table, name, type_) for name, type_ in columns)
        con.execute(f'INSERT INTO copy_target.{schema}."{table}" SELECT {selected} FROM copy_source.{schema}."{table}"')


def _require_empty_landing(workspace: Workspace) -> None:
    with open_landing(workspace):  # which removes what a killed run left
        waiting = len(list(workspace.home.landing.glob("*.parquet")))
    if waiting:
        raise LeiiError(
            f"{waiting} batches wait in landing under its key: run `leii run` until it is empty, then rotate"
        )
