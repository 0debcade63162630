"""Sweep one purpose's source tables: what is about erased people alone goes, what others need is detached from them,
and what the law holds is first moved to the held zone. One transaction a purpose; running it twice changes nothing.
"""

import duckdb

from pseudonymisation.compaction import create_mark, note_compaction_due
from pseudonymisation.erasure.held import hold_rows
from pseudonymisation.erasure.predicate import erased_by, names_sql
from pseudonymisation.loading_sql import rule_of, stored_columns
from pseudonymisation.policy.model import Policy, Table
from pseudonymisation.row_rules import RowRule, cleared_by, row_goes, row_is_touched

_EFFECT_COLUMNS = "case_id UUID, table_name VARCHAR, rows_deleted BIGINT, rows_detached BIGINT, rows_held BIGINT"


def resolve_pseudonyms(con: duckdb.DuckDBPyConnection, purpose: str) -> None:
    """Write the pseudonyms that this purpose knows the erased people by into the vault, until their certificate.

    The session has the vault attached for writing and is prepared for the purpose.
    """
    con.execute(
        f"""
        INSERT INTO vault.erasing_pseudonym
        WITH named AS ({names_sql("vault.erasing_alias")})
        SELECT case_id, ?, pseudonym FROM named
        WHERE NOT EXISTS (FROM vault.erasing_pseudonym AS known
            WHERE known.case_id = named.case_id AND known.purpose = ? AND known.pseudonym = named.pseudonym)
        """,
        [purpose, purpose],
    )


def count_effects(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str) -> None:
    """Make temp table `effect`: what the sweep of this purpose will do to the people in temp table `erased`.

    `purpose` and `held` are attached for writing. Rows that the law holds are copied to the held zone here, before
    anything is deleted. What is touched is found here once, for `sweep_purpose` to use.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE effect ({_EFFECT_COLUMNS})")
    tables = _tables(policy, purpose)
    if policy.purposes[purpose].held_by_law is not None:
        hold_rows(con, policy, purpose, tables)
        con.execute(
            "INSERT INTO effect SELECT case_id, table_name, 0, 0, count(DISTINCT row_key) FROM hold GROUP BY ALL"
        )
    for table in tables:
        _find_touched(con, table, purpose)
        _count_effect(con, table, rule_of(table, purpose))


def sweep_purpose(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str, batch_id: int) -> None:
    """Apply every table's rule to what `count_effects` found, in one transaction.

    Changed rows get `batch_id`, so that incremental models see them.
    """
    create_mark(con)
    con.execute("BEGIN")
    for table in _tables(policy, purpose):
        _sweep_table(con, table, purpose, batch_id)
    note_compaction_due(con)
    con.execute("COMMIT")


def _tables(policy: Policy, purpose: str) -> list[Table]:
    return [table for table in policy.tables_of(purpose) if table.subject_outputs(purpose)]


def _touched(table: Table) -> str:
    return f"touched_{table.stored_name}"


def _find_touched(con: duckdb.DuckDBPyConnection, table: Table, purpose: str) -> None:
    rule, erased = rule_of(table, purpose), erased_by(dict(stored_columns(table, purpose)))
    goes, touched = row_goes(rule, erased), row_is_touched(rule, erased)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {_touched(table)} AS SELECT _row_key, {', '.join(rule.subjects)}, {goes} AS _goes "
        f"FROM purpose.src.{table.stored_name} WHERE {touched}"
    )


def _sweep_table(con: duckdb.DuckDBPyConnection, table: Table, purpose: str, batch_id: int) -> None:
    if con.execute(f"SELECT 1 FROM {_touched(table)} LIMIT 1").fetchone() is not None:
        _sweep_touched(con, table, purpose, batch_id)
    con.execute(f"DROP TABLE {_touched(table)}")


def _sweep_touched(con: duckdb.DuckDBPyConnection, table: Table, purpose: str, batch_id: int) -> None:
    rule, erased = rule_of(table, purpose), erased_by(dict(stored_columns(table, purpose)))
    target = f"purpose.src.{table.stored_name}"
    con.execute(f"DELETE FROM {target} WHERE _row_key IN (SELECT _row_key FROM {_touched(table)} WHERE _goes)")
    changes = [
        f'"{name}" = CASE WHEN {" OR ".join(erased(subject) for subject in clearing)} THEN NULL ELSE "{name}" END'
        for name, _ in stored_columns(table, purpose)
        if (clearing := cleared_by(rule, name))
    ]
    con.execute(
        f"UPDATE {target} SET {', '.join(changes)}, _batch_id = {batch_id} "
        f"WHERE _row_key IN (SELECT _row_key FROM {_touched(table)} WHERE NOT _goes)"
    )


def _count_effect(con: duckdb.DuckDBPyConnection, table: Table, rule: RowRule) -> None:
    named = " UNION ".join(
        f"SELECT erased.case_id, touched._row_key, touched._goes FROM {_touched(table)} AS touched "
        f"JOIN erased ON erased.pseudonym = CAST(touched.{subject} AS VARCHAR)"
        for subject in rule.subjects
    )
    con.execute(f"""
        INSERT INTO effect
        SELECT case_id, '{table.stored_name}', count(*) FILTER (WHERE _goes), count(*) FILTER (WHERE NOT _goes), 0
        FROM ({named}) GROUP BY case_id
    """)
