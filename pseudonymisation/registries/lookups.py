"""What the treatments `validate` and `registered_name` look up, as temporary tables and macros of a session."""

from datetime import date

import duckdb
import pyarrow as pa

from pseudonymisation.policy.model import Table
from pseudonymisation.raw_rows import raw_relation, raw_value
from pseudonymisation.registries.answers import load_answers
from pseudonymisation.registries.validity import validities
from storage import Workspace

_IN_SQL = "postal_code"
"""The kind that is checked by the session's own table of places."""

_MACROS = (
    "CREATE OR REPLACE TEMP TABLE checked_value (kind VARCHAR, value VARCHAR, validity VARCHAR)",
    """CREATE OR REPLACE TEMP MACRO validity_of(of_kind, stated) AS
        (SELECT any_value(known.validity) FROM checked_value AS known WHERE known.kind = of_kind AND known.value = stated)""",
    "CREATE OR REPLACE TEMP MACRO plain_org_number(number) AS nullif(regexp_replace(number, '[^0-9]', '', 'g'), '')",
    "CREATE OR REPLACE TEMP MACRO organisation_key(number) AS registry_hmac(encode(plain_org_number(number)))",
    """CREATE OR REPLACE TEMP MACRO organisation_name_key(number, name) AS
        registry_hmac(encode(plain_org_number(number) || chr(31) || lower(trim(name))))""",
    """CREATE OR REPLACE TEMP MACRO organisation(number) AS
        (SELECT arg_max({'outcome': known.outcome, 'is_deregistered': known.is_deregistered,
                         'is_bankrupt': known.is_bankrupt, 'is_winding_up': known.is_winding_up}, known.asked_at)
         FROM organisation_answer AS known WHERE known.org_key = organisation_key(number))""",
    """CREATE OR REPLACE TEMP MACRO name_is_as_registered(number, name) AS
        (SELECT arg_max({'agrees': known.name_agrees}, known.asked_at).agrees
         FROM organisation_answer AS known WHERE known.name_key = organisation_name_key(number, name))""",
)


def create_lookups(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """Make the macros, with Enhetsregisteret's answers as they are kept, and no value checked yet. `registry_hmac` is there."""
    con.execute("SET VARIABLE accepts_synthetic_ids = ?", [workspace.accepts_synthetic_ids])
    con.execute("SET VARIABLE day_of_check = ?::DATE", [workspace.now.date()])
    load_answers(con, workspace)
    for statement in _MACROS:
        con.execute(statement)


def check_values(con: duckdb.DuckDBPyConnection, table: Table, purpose: str, relation: str) -> None:
    """Check every distinct value of these rows once, for `validity_of`. The session is prepared for the purpose."""
    checked = [
        (column.identifier or column.path, column.path)
        for column, treatment in table.outputs(purpose)
        if treatment.name == "validate"
    ]
    if not checked:
        return
    raw = raw_relation(table, relation, [path for _, path in checked])
    stated = " UNION ".join(
        f"SELECT DISTINCT '{kind}' AS kind, {raw_value(table, path)} AS value FROM raw WHERE trim({raw_value(table, path)}) <> ''"
        for kind, path in checked
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE stated_value AS WITH raw AS ({raw}) {stated}")
    con.register("judged_value", _judged(con))
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE checked_value AS
        FROM judged_value
        UNION ALL
        SELECT kind, value, CASE
            WHEN municipality_of(trim(value)) IS NOT NULL THEN 'valid'
            WHEN regexp_full_match(trim(value), '[0-9]{{4}}') THEN 'unknown'
            ELSE 'invalid' END
        FROM stated_value WHERE kind = '{_IN_SQL}'
    """)
    con.unregister("judged_value")
    con.execute("DROP TABLE stated_value")


def _judged(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """(kind, value, validity) of the stated values that a library judges."""
    accepts_synthetic, on = _rules(con)
    pieces = []
    for (kind,) in con.execute(f"SELECT DISTINCT kind FROM stated_value WHERE kind <> '{_IN_SQL}'").fetchall():
        values = con.execute("SELECT value FROM stated_value WHERE kind = ?", [kind]).to_arrow_table()["value"]
        words = validities(kind, values.to_pylist(), accepts_synthetic=accepts_synthetic, on=on)
        pieces.append(pa.table({"kind": pa.array([kind] * len(words)), "value": values, "validity": pa.array(words)}))
    empty = pa.table({name: pa.array([], pa.string()) for name in ("kind", "value", "validity")})
    return pa.concat_tables([empty, *pieces])


def _rules(con: duckdb.DuckDBPyConnection) -> tuple[bool, date]:
    row = con.execute("SELECT getvariable('accepts_synthetic_ids'), getvariable('day_of_check')").fetchone()
    assert row is not None
    return bool(row[0]), row[1]
