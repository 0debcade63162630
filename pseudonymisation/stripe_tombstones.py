"""What Stripe has deleted or redacted for good: no older payload brings it back, and every purpose loses it.

The vault keeps a keyed hash for each such object, with the path of the redacted field, or no path if the whole object is
deleted. Only Stripe's own word counts: an object that this key can merely not reach is no tombstone. A deleted
customer takes along what belongs to that customer alone.
"""

import duckdb

from ingestion.stripe_shapes import REDACTED
from pseudonymisation.policy.model import SUBJECT_KINDS, Table
from pseudonymisation.raw_rows import json_path, raw_value, used_paths

_DELETED = "SELECT object_hash FROM vault.stripe_tombstone WHERE path IS NULL"


def note_tombstones(con: duckdb.DuckDBPyConnection, table: Table, relation: str) -> None:
    """Remember what a landed batch says is deleted or redacted. The vault is attached for writing."""
    paths = sorted({path for purpose in table.purposes for path in used_paths(table, purpose)} - set(table.key))
    inside = [path for path in paths if not table.columns[path].beside_object]
    key = f"json_extract_string(object, '{json_path(table.key[0])}')"
    names = ", ".join(f"'{path}'" for path in inside)
    places = ", ".join(f"'{json_path(path)}'" for path in inside)
    con.execute(f"""
        INSERT INTO vault.stripe_tombstone
        WITH marked AS (
            SELECT {key} AS id, CAST(NULL AS VARCHAR) AS path, 'true' AS value FROM {relation}
            WHERE deleted AND json_extract_string(object, '$.deleted') = 'true'
            UNION ALL
            SELECT {key}, unnest(CAST([{names}] AS VARCHAR[])),
                unnest(json_extract_string(object, CAST([{places}] AS VARCHAR[])))
            FROM {relation} WHERE contains(object, '{REDACTED}')
        ),
        found AS (
            SELECT DISTINCT {_object_hash(table, "id")} AS object_hash, path FROM marked
            WHERE path IS NULL OR value = '{REDACTED}'
        )
        SELECT object_hash, path FROM found
        WHERE NOT EXISTS (
            FROM vault.stripe_tombstone AS known
            WHERE known.object_hash = found.object_hash AND known.path IS NOT DISTINCT FROM found.path
        )
    """)


def has_tombstones(con: duckdb.DuckDBPyConnection) -> bool:
    return con.execute("SELECT count(*) > 0 FROM vault.stripe_tombstone").fetchone() == (True,)


def without_tombstoned(table: Table, purpose: str, raw: str) -> str:
    """The rows of `raw_relation` without what is deleted, and with null where a field was once redacted."""
    key = table.key[0]
    gone = [f"coalesce({_object_hash(table, raw_value(table, key))} IN ({_DELETED}), FALSE)"]
    gone += [
        f"coalesce(alias_hash('{kind}', {raw_value(table, path)}) IN ({_DELETED}), FALSE)"
        for path, kind in _owners(table, purpose)
        if path != key
    ]
    cleared = ", ".join(
        f"""CASE WHEN NOT coalesce(list_contains(redacted.paths, '{path}'), FALSE) THEN "{path}" END AS "{path}\""""
        for path in used_paths(table, purpose)
        if path != key and not table.columns[path].beside_object
    )
    replaced = f" REPLACE ({cleared})" if cleared else ""
    return f"""
        SELECT raw_row.*{replaced} FROM ({raw}) AS raw_row
        LEFT JOIN (
            SELECT object_hash, list(path) AS paths FROM vault.stripe_tombstone WHERE path IS NOT NULL GROUP BY object_hash
        ) AS redacted ON redacted.object_hash = {_object_hash(table, f'"{key}"')}
        WHERE NOT ({" OR ".join(gone)})
    """


def mentions_tombstones(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Whether a batch deletes or redacts anything, so that old values are left in the file's bytes."""
    sql = f"SELECT count(*) > 0 FROM {relation} WHERE deleted OR contains(object, '{REDACTED}')"
    return con.execute(sql).fetchone() == (True,)


def belongings_of_deleted(table: Table, owned: Table, purpose: str, relation: str) -> list[str]:
    """DELETEs, in the purpose, of another table's rows that belong to people whom a batch of `table` says are deleted.

    A person of whom Stripe still has another customer or account is left out: that one's rows look the same here.
    """
    kind = table.columns[table.key[0]].identifier
    if kind not in SUBJECT_KINDS or owned.name == table.name:
        return []
    outputs = owned.subject_outputs(purpose)
    return [
        f"""
        DELETE FROM purpose.src.{owned.stored_name} WHERE "{outputs[path]}" IN (
            SELECT purpose_hmac(any_value(subject.secret))
            FROM vault.alias AS alias JOIN vault.subject AS subject ON subject.subject_id = alias.subject_id
            WHERE alias.kind = '{kind}' AND alias.subject_id IN (
                SELECT subject_id FROM vault.alias WHERE alias_hash IN (
                    SELECT alias_hash('{kind}', id) FROM {relation} WHERE deleted
                )
            )
            GROUP BY alias.subject_id HAVING bool_and(alias.alias_hash IN ({_DELETED}))
        )
        """
        for path, owner in _owners(owned, purpose)
        if owner == kind
    ]


def _owners(table: Table, purpose: str) -> list[tuple[str, str]]:
    """The columns of Stripe's that say whose alone a row is, with their kind."""
    given = table.subject_outputs(purpose)
    return [
        (path, str(table.columns[path].identifier))
        for path, rule in table.subjects.items()
        if rule == "delete"
        and path in given
        and table.columns[path].identifier in ("stripe_customer", "stripe_account")
    ]


def _object_hash(table: Table, value: str) -> str:
    kind = table.columns[table.key[0]].identifier or table.name
    return f"alias_hash('{kind}', {value})"
