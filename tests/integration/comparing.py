"""Two LEII_HOMEs table by table and row by row, and one before and after an erasure."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from pseudonymisation.loading_sql import outputs_of
from pseudonymisation.policy.model import Policy, Table
from storage import Home, Workspace, attached

Columns = dict[str, list[tuple[str, str]]]
"""Name and type of a table's columns, by schema.table."""


EDITIONS = {
    "marts.agg_market_published",
    "marts.agg_market_published_all",
    "marts.agg_market_season",
    "marts.fct_forecast",
}
"""Anonymous statistics that stand once they are published (R19): a copy made from nothing has other ones."""


def differences(left: Workspace, right: Workspace, policy: Policy) -> list[str]:
    """One sentence for each table of a warehouse or a published copy that differs; numbers of batches are left out."""
    found = []
    for purpose in policy.purposes:
        for layer in ("warehouse", "published"):
            with _both(left, right.home, purpose, layer) as con:
                tables, others = tables_of(con, "one"), tables_of(con, "other")
                found += [f"{layer}/{purpose}: {name} is in one only" for name in sorted(set(tables) ^ set(others))]
                common = sorted((set(tables) & set(others)) - (EDITIONS if layer == "published" else set()))
                selects = {name: _selects(name, tables[name]) for name in common}
                for name in _differing(con, selects):
                    found += [f"{layer}/{purpose}: {name} {text}" for text in _difference(con, *selects[name])]
    return found


def tables_of(con: duckdb.DuckDBPyConnection, database: str) -> Columns:
    """The stored tables but for the pipeline's own, without the numbers of batches."""
    rows = con.execute(
        "SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns() "
        "JOIN duckdb_tables() USING (database_name, schema_name, table_name) WHERE database_name = ? "
        "AND schema_name || '.' || table_name <> 'main.about' AND NOT starts_with(table_name, '_') "
        "AND column_name <> '_batch_id' ORDER BY 1, column_index",
        [database],
    ).fetchall()
    tables: Columns = {}
    for table, column, type_ in rows:
        tables.setdefault(table, []).append((column, type_))
    return tables


def warehouse_before(workspace: Workspace, policy: Policy, kept: Path) -> None:
    """Keep the warehouses as they are now in the folder `kept`, for `changed_for_others`."""
    kept.mkdir(parents=True, exist_ok=True)
    for purpose in policy.purposes:
        file = workspace.home.warehouse_file(purpose)
        assert not file.with_name(file.name + ".wal").exists()
        (kept / file.name).write_bytes(file.read_bytes())


def changed_for_others(
    workspace: Workspace, policy: Policy, purpose: str, kept: Path, erased: Collection[str]
) -> dict[str, int]:
    """How many rows of the purpose's tables, by table, changed, came or went since `warehouse_before`, of those that do not
    name one of the `erased` (pseudonyms and ids of flags). Of models neither those count that bear the key of a source's
    row that does, such as a booking's. Tables without a change are left out."""
    with _before_and_after(workspace, purpose, kept) as con:
        con.execute("CREATE TEMP TABLE touched (name VARCHAR)")
        con.executemany("INSERT INTO touched VALUES (?)", [(one,) for one in erased])
        tables = tables_of(con, "one")
        sources = {name for name in tables if name.startswith("src.")}
        for table in policy.tables_of(purpose):
            _add_keys(con, table, purpose, ["_row_key"])
        found = _changes(con, {name: columns for name, columns in tables.items() if name in sources})
        for table in policy.tables_of(purpose):
            _add_keys(con, table, purpose, _record_keys(table, purpose))
        found |= _changes(con, {name: columns for name, columns in tables.items() if name not in sources})
    return found


def _record_keys(table: Table, purpose: str) -> list[str]:
    """The columns by which other rows point at a row of the table."""
    people = set(table.subject_outputs(purpose).values())
    names = [
        output.name
        for column, treatment in table.outputs(purpose)
        if column.path in table.key
        for output in outputs_of(table, column, treatment)
        if output.type == "UUID"
    ]
    return [] if people.intersection(names) else names


def _add_keys(con: duckdb.DuckDBPyConnection, table: Table, purpose: str, keys: list[str]) -> None:
    """Add these keys of the rows that name an erased person."""
    people = table.subject_outputs(purpose).values()
    for key in keys if people else []:
        con.execute(
            f"INSERT INTO touched SELECT CAST({key} AS VARCHAR) FROM one.src.{table.stored_name} "
            f"WHERE {' OR '.join(f'CAST({name} AS VARCHAR) IN (SELECT name FROM touched)' for name in people)}"
        )


def _changes(con: duckdb.DuckDBPyConnection, tables: Columns) -> dict[str, int]:
    selects = {name: _selects(name, columns, _untouched(columns)) for name, columns in tables.items()}
    return {name: sum(len(rows) for rows in _both_ways(con, *selects[name])) for name in _differing(con, selects)}


def _untouched(columns: list[tuple[str, str]]) -> str:
    keys = [f'CAST("{name}" AS VARCHAR)' for name, type_ in columns if type_ in ("UUID", "VARCHAR")]
    return " AND ".join(f"({key} IS NULL OR {key} NOT IN (SELECT name FROM touched))" for key in keys) or "TRUE"


def _selects(table: str, columns: list[tuple[str, str]], condition: str = "TRUE") -> tuple[str, str]:
    names = ", ".join(f'"{name}"' for name, _ in columns)
    one, other = (f"SELECT {names} FROM {database}.{table} WHERE {condition}" for database in ("one", "other"))
    return one, other


def _differing(con: duckdb.DuckDBPyConnection, selects: Mapping[str, tuple[str, str]]) -> list[str]:
    """The tables whose two selections are not the same rows, by their number and the sum of their hashes."""
    return [name for name, (one, other) in selects.items() if _digest(con, one) != _digest(con, other)]


def _digest(con: duckdb.DuckDBPyConnection, select: str) -> tuple[Any, ...] | None:
    return con.execute(f"SELECT count(*), sum(hash(row)) FROM ({select}) AS row").fetchone()


def _both_ways(
    con: duckdb.DuckDBPyConnection, one: str, other: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of each selection that are not in the other."""

    def rows(left: str, right: str) -> list[dict[str, Any]]:
        found = con.execute(f"{left} EXCEPT ALL {right} ORDER BY ALL")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    return rows(one, other), rows(other, one)


def _difference(con: duckdb.DuckDBPyConnection, one: str, other: str) -> Iterator[str]:
    for rows, place in zip(_both_ways(con, one, other), ("one", "other"), strict=True):
        if rows:
            yield f"has {len(rows)} rows in the {place} only, the first of them {rows[0]}"


@contextmanager
def _both(left: Workspace, right: Home, purpose: str, layer: str) -> Iterator[duckdb.DuckDBPyConnection]:
    key = left.keyring.purpose_key(purpose, layer)

    def file(home: Home) -> Path:
        newest = home.published_folder(purpose) / "current.duckdb"
        return home.warehouse_file(purpose) if layer == "warehouse" else newest.resolve()

    with (
        left.connect() as con,
        attached(con, file(left.home), "one", key, read_only=True),
        attached(con, file(right), "other", key, read_only=True),
    ):
        yield con


@contextmanager
def _before_and_after(workspace: Workspace, purpose: str, kept: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    key, file = workspace.keyring.purpose_key(purpose, "warehouse"), workspace.home.warehouse_file(purpose)
    with (
        workspace.connect() as con,
        attached(con, kept / file.name, "one", key, read_only=True),
        attached(con, file, "other", key, read_only=True),
    ):
        yield con
