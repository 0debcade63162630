"""Is anybody left? Every column of every table that can hold a pseudonym is asked, in the warehouse and in the copies."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pseudonymisation.erasure.predicate import cases_named, erased_in
from storage import LeiiError, Workspace, attached

OLDER_COPY = "an older copy that a reader still has open"

NAMING_TYPES = ("UUID", "VARCHAR", "BLOB", "JSON")
"""What stands in the type of a column that can name somebody."""


@dataclass(frozen=True, kw_only=True)
class Survivor:
    """A column, as schema.table.column, that still names somebody: not whom, but in which cases."""

    place: str
    cases: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What was looked at in one file. `unread`: why it could not be read, which leaves every case unverified."""

    layer: str
    purpose: str
    tables: int = 0
    columns: int = 0
    survivors: tuple[Survivor, ...] = ()
    unread: str | None = None


def scan_file(con: duckdb.DuckDBPyConnection, path: Path, key: bytes, layer: str, purpose: str) -> Scan:
    """Ask every column of a file for the people in temp table `erased`. Texts are searched inside too."""
    try:
        return _scan_file(con, path, key, layer, purpose)
    except (LeiiError, duckdb.Error) as error:
        reason = str(error) if isinstance(error, LeiiError) else f"it cannot be read ({type(error).__name__})"
        return Scan(layer=layer, purpose=purpose, unread=reason)


def _scan_file(con: duckdb.DuckDBPyConnection, path: Path, key: bytes, layer: str, purpose: str) -> Scan:
    with attached(con, path, "scanned", key, read_only=True):
        columns = con.execute(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = 'scanned' AND NOT internal ORDER BY 1, 2, 3"
        ).fetchall()
        views = {(row[0], row[1]) for row in con.execute(_VIEWS).fetchall()}
        stored: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for schema, table, column, type_ in columns:
            if (schema, table) not in views:
                stored.setdefault((schema, table), []).append((column, type_))
        survivors = [place for table, named in stored.items() for place in _survivors_in(con, table, named)]
    count = sum(len(named) for named in stored.values())
    return Scan(layer=layer, purpose=purpose, tables=len(stored), columns=count, survivors=tuple(survivors))


def _survivors_in(
    con: duckdb.DuckDBPyConnection, table: tuple[str, str], columns: list[tuple[str, str]]
) -> list[Survivor]:
    relation = f'scanned."{table[0]}"."{table[1]}"'
    if con.execute(f"SELECT 1 FROM {relation} LIMIT 1").fetchone() is None:
        return []  # it names nobody, and need not be asked column by column
    texts = [one for one in columns if one[1] != "UUID" and any(name in one[1] for name in NAMING_TYPES)]
    left = _left_in(con, relation, [one for one in columns if one[1] == "UUID"])
    found = {
        column: frozenset(row[0] for row in con.execute(cases_named(relation, f'"{column}"', type_)).fetchall())
        for column, type_ in (*left, *texts)
    }
    named = {column for column, _ in left} | {column for column, cases in found.items() if cases}
    return [
        Survivor(place=f"{table[0]}.{table[1]}.{column}", cases=found[column])
        for column, _ in columns
        if column in named
    ]


def _left_in(con: duckdb.DuckDBPyConnection, relation: str, columns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of these columns in which somebody is left, all in one reading of the table."""
    if not columns:
        return []
    quoted = [(f'"{column}"', type_) for column, type_ in columns]
    found = ", ".join(f"coalesce(bool_or({erased_in(column, type_)}), FALSE)" for column, type_ in quoted)
    answer = con.execute(f"SELECT {found} FROM {relation}").fetchone() or ()
    return [one for one, is_left in zip(columns, answer, strict=True) if is_left]


def scan_purpose(con: duckdb.DuckDBPyConnection, workspace: Workspace, purpose: str) -> list[Scan]:
    """The purpose's warehouse and every version of its published copy, for the people in temp table `erased`."""
    warehouse = workspace.home.warehouse_file(purpose)
    scans = []
    if warehouse.exists():
        scans.append(
            scan_file(con, warehouse, workspace.keyring.purpose_key(purpose, "warehouse"), "warehouse", purpose)
        )
    key = workspace.keyring.purpose_key(purpose, "published")
    folder = workspace.home.published_folder(purpose)
    newest = os.path.realpath(folder / "current.duckdb")
    for copy in _versions(folder):
        layer = "published" if os.path.realpath(copy) == newest else OLDER_COPY
        scans.append(scan_file(con, copy, key, layer, purpose))
    return scans


def obstacles(scans: Iterable[Scan], cases: Sequence[str]) -> dict[str, list[str]]:
    """Why cases cannot go on, by case: `layer/purpose: ` and the column that still names the person, or what was not read."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for scan in scans:
        if scan.unread is not None:
            for case in cases:
                found[case].append(f"{scan.layer}/{scan.purpose}: {scan.unread}")
        for survivor in scan.survivors:
            for case in survivor.cases.intersection(cases) or cases:  # nobody known whom it names: nobody is certified
                found[case].append(f"{scan.layer}/{scan.purpose}: {survivor.place}")
    return dict(found)


_VIEWS = "SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = 'scanned' AND NOT internal"


def _versions(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.duckdb") if not path.is_symlink()) if folder.exists() else []
