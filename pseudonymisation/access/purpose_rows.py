"""What a purpose keeps about the person: the rows that an erasure would find, by the same predicate, and what it would do."""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa

from pseudonymisation.access.document import OTHER_PARTY, YOU, Row, RowTable, Value
from pseudonymisation.access.own_data import NAMING_KINDS, owners, plain
from pseudonymisation.erasure.held import find_rows_to_hold
from pseudonymisation.erasure.predicate import erased_by, erased_in, names_sql
from pseudonymisation.erasure.verify import NAMING_TYPES
from pseudonymisation.loading_sql import outputs_of, rule_of, stored_columns
from pseudonymisation.policy.model import Policy, Table
from pseudonymisation.retention import event_column
from pseudonymisation.row_rules import row_goes, row_is_touched

PARTIES = ("customer_id", "provider_id")
"""The two sides of a job: a computed row that names both is about both."""

_OWNER = "account_id"
"""Whom a computed row is about, where it is about one person."""

_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|flag_[0-9a-f]{32}")
_BOOKKEEPING = ("_row_key", "_batch_id", "_goes")

Found = list[dict[str, Any]]


def tables_with_people(policy: Policy, purpose: str) -> list[Table]:
    return [table for table in policy.tables_of(purpose) if table.subject_outputs(purpose)]


def stored_rows(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str) -> list[RowTable]:
    """The source tables' rows that name the person. The purpose is attached as `purpose`, the person in `erased`."""
    tables = tables_with_people(policy, purpose)
    held: dict[str, Any] = {}
    if policy.purposes[purpose].held_by_law is not None:
        find_rows_to_hold(con, policy, purpose, tables)
        held = dict(con.execute("SELECT CAST(row_key AS VARCHAR), held_until FROM hold").fetchall())
    own = own_names(con)
    found = [(table, _touched_rows(con, table, purpose)) for table in tables]
    return [
        RowTable(
            name=table.stored_name,
            rows=[
                Row(
                    fields=own_outputs(table, purpose, row, own),
                    on_erasure="deleted" if row["_goes"] else "detached",
                    held_until=held.get(row["_row_key"]),
                )
                for row in rows
            ],
        )
        for table, rows in found
        if rows
    ]


def own_names(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """What the purpose calls the person."""
    return frozenset(row[0] for row in con.execute("SELECT pseudonym FROM erased").fetchall())


def own_outputs(table: Table, purpose: str, row: dict[str, Any], own: frozenset[str]) -> dict[str, Value]:
    """The fields of a purpose's row that are the person's; whose a field is, the policy says by `about`."""
    subjects = table.subject_outputs(purpose)
    is_named = any(row.get(subjects.get(path, "")) in own for path in owners(table))
    fields: dict[str, Value] = {}
    for column, treatment in table.outputs(purpose):
        owner = row.get(subjects.get(column.about or "", ""))
        is_theirs = column.about is None or (is_named if owner is None else owner in own)
        if column.identifier not in NAMING_KINDS and not is_theirs:
            continue
        for output in outputs_of(table, column, treatment):
            value = row.get(output.name)
            if value is None:
                continue
            if column.identifier in NAMING_KINDS:
                fields[output.name] = YOU if value in own else OTHER_PARTY
            else:
                fields[output.name] = plain(value)
    return fields


def computed_rows(
    con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str, database: str, *, leave_out: Sequence[str] = ()
) -> list[RowTable]:
    """Rows of every table that was made of the source tables and names the person, in an attached database.

    `leave_out`: schemas that are not looked at. The warehouse is attached as `purpose` whatever is looked at, and the
    vault is attached. A row about somebody else that mentions the person shows the mention and nothing more.
    """
    tables = {name: _named_rows(con, database, name, columns) for name, columns in _tables(con, database, leave_out)}
    tables = {name: rows for name, rows in tables.items() if rows}
    own = own_names(con)
    texts = {text for rows in tables.values() for row in rows for value in row.values() for text in _texts(value)}
    others = _others_names(con, {name for text in texts for name in _NAME.findall(text)} - own)
    foreign = _others_texts(con, policy, purpose, texts)
    return [
        RowTable(
            name=".".join(name),
            rows=[Row(fields=_own_computed(row, own, others, foreign), on_erasure="recomputed") for row in rows],
        )
        for name, rows in tables.items()
    ]


def _touched_rows(con: duckdb.DuckDBPyConnection, table: Table, purpose: str) -> Found:
    rule, named = rule_of(table, purpose), erased_by(dict(stored_columns(table, purpose)))
    order = event_column(table, purpose) or "_row_key"
    return _dicts(
        con.execute(
            f"SELECT *, {row_goes(rule, named)} AS _goes FROM purpose.src.{table.stored_name} "
            f'WHERE {row_is_touched(rule, named)} ORDER BY "{order}" DESC, _row_key'
        )
    )


def _tables(
    con: duckdb.DuckDBPyConnection, database: str, leave_out: Sequence[str]
) -> list[tuple[tuple[str, str], list[tuple[str, str]]]]:
    rows = con.execute(
        """
        SELECT schema_name, table_name, list({'name': column_name, 'type': data_type} ORDER BY column_index)
        FROM duckdb_columns() JOIN duckdb_tables() USING (database_name, schema_name, table_name)
        WHERE database_name = ? AND schema_name NOT IN (SELECT unnest(?::VARCHAR[])) GROUP BY ALL ORDER BY ALL
        """,
        [database, list(leave_out)],
    ).fetchall()
    return [((row[0], row[1]), [(one["name"], one["type"]) for one in row[2]]) for row in rows]


def _named_rows(
    con: duckdb.DuckDBPyConnection, database: str, table: tuple[str, str], columns: list[tuple[str, str]]
) -> Found:
    asked = [erased_in(f'"{name}"', type_) for name, type_ in columns if any(word in type_ for word in NAMING_TYPES)]
    if not asked:
        return []
    return _dicts(con.execute(f'SELECT * FROM {database}."{table[0]}"."{table[1]}" WHERE {" OR ".join(asked)}'))


def _own_computed(
    row: dict[str, Any], own: frozenset[str], others: frozenset[str], foreign: frozenset[str]
) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for name, value in row.items():
        if value is None or name in _BOOKKEEPING:
            continue
        if isinstance(value, list):
            fields[name] = [_without_names(str(item), own, others, foreign) for item in value]
        else:
            fields[name] = _without_names(value, own, others, foreign) if isinstance(value, str) else plain(value)
    about_others = {name for name, value in fields.items() if value == OTHER_PARTY}
    if about_others - set(PARTIES) and fields.get(_OWNER) != YOU:
        return {name: value for name, value in fields.items() if isinstance(value, str) and YOU in value}
    sides = {name.removesuffix("id") for name in about_others}
    return {name: value for name, value in fields.items() if name in about_others or not name.startswith(tuple(sides))}


def _without_names(text: str, own: frozenset[str], others: frozenset[str], foreign: frozenset[str]) -> str:
    def word(found: re.Match[str]) -> str:
        name = found.group(0)
        return YOU if name in own else OTHER_PARTY if name in others else name

    return OTHER_PARTY if text in foreign else _NAME.sub(word, text)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, list) else []


def _others_names(con: duckdb.DuckDBPyConnection, names: Iterable[str]) -> frozenset[str]:
    """Those of these pseudonyms and ids of flags that are somebody's."""
    con.register("seen_name", pa.table({"name": pa.array(names, pa.string())}))
    everybody = names_sql("(SELECT NULL::UUID AS case_id, subject_id FROM vault.subject)")
    rows = con.execute(f"SELECT name FROM seen_name WHERE name IN (SELECT pseudonym FROM ({everybody}))").fetchall()
    con.unregister("seen_name")
    return frozenset(row[0] for row in rows)


def _others_texts(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str, texts: Iterable[str]) -> frozenset[str]:
    """Those of these texts that the purpose keeps as they are (a name, an address) about others and not about the person."""
    con.register("seen_text", pa.table({"text": pa.array(texts, pa.string())}))
    selects = []
    for table in tables_with_people(policy, purpose):
        subjects, types = table.subject_outputs(purpose), dict(stored_columns(table, purpose))
        for column, treatment in table.outputs(purpose):
            if treatment.name == "keep" and column.type == "text" and not column.values and column.about in subjects:
                owner = subjects[column.about]
                selects.append(
                    f'SELECT "{treatment.output}" AS text, {erased_in(owner, types[owner])} AS is_own '
                    f"FROM purpose.src.{table.stored_name}"
                )
    rows: list[tuple[str]] = []
    if selects:
        rows = con.execute(
            f"SELECT text FROM ({' UNION ALL '.join(selects)}) WHERE text IN (SELECT text FROM seen_text) "
            "GROUP BY text HAVING NOT bool_or(is_own)"
        ).fetchall()
    con.unregister("seen_text")
    return frozenset(row[0] for row in rows)


def _dicts(result: duckdb.DuckDBPyConnection) -> Found:
    """Rows by column name, every UUID as text."""
    names = [one[0] for one in result.description or ()]
    return [{name: _readable(value) for name, value in zip(names, row, strict=True)} for row in result.fetchall()]


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return str(value) if isinstance(value, UUID) else value
