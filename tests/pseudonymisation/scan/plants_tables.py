"""Plants in DuckDB, Parquet, Arrow and SQLite."""

import json
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.encrypted_parquet import give_key, write_encrypted
from ingestion.quarantine import Quarantine, QuarantinedRow
from storage import Workspace, attached
from tests.pseudonymisation.scan.planting import Plant, Write, digits, name, uuid_text, zero_digits

FILLING = "SELECT 'filling ' || i || repeat('.', 20) AS who FROM range(3000) AS filling(i)"


def matching(workspace: Workspace) -> bytes:
    return workspace.keyring.purpose_key("matching", "warehouse")


def _in_log(path: Path, value: str, workspace: Workspace) -> None:
    """A database whose newest rows are in the log beside it only, as after a kill."""
    other = path.with_suffix(".other")
    with workspace.connect() as con:
        con.execute("SET checkpoint_threshold = '1GB'")
        with attached(con, other, "d", matching(workspace)):
            con.execute("CREATE TABLE d.t (who VARCHAR)")
            con.execute("CHECKPOINT d")
            con.execute("INSERT INTO d.t VALUES (?)", [value])
            shutil.copy(other, path)
            shutil.copy(other.with_name(other.name + ".wal"), path.with_name(path.name + ".wal"))
    other.unlink()


COLUMNS: list[tuple[str, str, str, str, Callable[[int], str] | None]] = [
    ("text", "VARCHAR", "'{v}'", "", None),
    ("letters", "VARCHAR", "'{v}'", "", name),
    ("json", "JSON", "json_object('a', '{v}')", "", None),
    ("bytes", "BLOB", "'{v}'::BLOB", "", None),
    ("uuid", "UUID", "'{v}'", "", uuid_text),
    ("big", "BIGINT", "{v}", "", digits),
    ("huge", "HUGEINT", "{v}", "", digits),
    ("decimal", "DECIMAL(18, 2)", "{v}", "", digits),
    ("double", "DOUBLE", "{v}", "", digits),
    ("struct", "STRUCT(a VARCHAR, b STRUCT(c VARCHAR))", "{'a': 'x', 'b': {'c': '{v}'}}", ".b.c", None),
    ("list", "VARCHAR[]", "['x', '{v}']", "", None),
    ("array", "VARCHAR[2]", "['x', '{v}']", "", None),
    ("key", "MAP(VARCHAR, INTEGER)", "MAP {'{v}': 1}", ".key", None),
    ("value", "MAP(INTEGER, VARCHAR)", "MAP {1: '{v}'}", ".value", None),
    ("structs", "STRUCT(a UUID)[]", "[{'a': '{v}'}]", ".a", uuid_text),
    ("union", "UNION(a INTEGER, b VARCHAR)", "'{v}'::VARCHAR", ".b", None),
    ("numbers", "BIGINT[]", "[1, {v}]", "", digits),
]


def _column_plant(title: str, type_: str, expression: str, leaf: str, value: Callable[[int], str] | None) -> Plant:
    statements = (
        f"CREATE TABLE d.t_{title} (n INTEGER, who {type_})",
        f"INSERT INTO d.t_{title} SELECT i, NULL FROM range(3000) AS r(i)",
        f"INSERT INTO d.t_{title} VALUES (1, {expression})",
    )
    extra: dict[str, Any] = {"value": value} if value else {}
    place = f"main.t_{title}.who{leaf}"
    return Plant(file="warehouse/matching.duckdb", place=place, key=matching, statements=statements, **extra)


def _catalog_plant(place: str, *statements: str) -> Plant:
    return Plant(file="warehouse/catalog.duckdb", place=place, key=matching, statements=statements)


DUCKDB = [
    *(_column_plant(*column) for column in COLUMNS),
    Plant(
        file="warehouse/zero.duckdb",
        place="main.t.who",
        key=matching,
        statements=("CREATE TABLE d.t AS SELECT {v} AS who",),
        encoding="number",
        value=zero_digits,
    ),
    *(
        Plant(
            file=file,
            place="main.t.who",
            key=key,
            statements=(
                f"CREATE TABLE d.t AS {FILLING}",
                "INSERT INTO d.t VALUES ('{v}')",
            ),
        )
        for file, key in (
            ("vault/vault.duckdb", lambda workspace: workspace.keyring.zone_key("vault")),
            ("held/held.duckdb", lambda workspace: workspace.keyring.zone_key("held")),
            ("published/fraud/1.duckdb", lambda workspace: workspace.keyring.purpose_key("fraud", "published")),
            ("published/fraud/2.duckdb", lambda workspace: workspace.keyring.purpose_key("fraud", "published")),
            ("exports/plain.duckdb", None),
        )
    ),
    Plant(file="warehouse/logged.duckdb", place="main.t.who", write=_in_log),
    _catalog_plant("type mood, enum type", "CREATE TYPE d.mood AS ENUM ('x', '{v}')"),
    _catalog_plant("column anonymous.who, enum type", "CREATE TABLE d.anonymous (who ENUM ('x', '{v}'))"),
    Plant(
        file="warehouse/enum.duckdb",
        place="main.t.who, dictionary",
        key=matching,
        statements=(
            "CREATE TABLE d.t (who ENUM ('x', '{v}'))",
            "INSERT INTO d.t VALUES ('x')",
        ),
    ),
    _catalog_plant("view v, view text", "CREATE VIEW d.v AS SELECT 1 WHERE '{v}' <> 'x'"),
    _catalog_plant("function m, macro", "CREATE MACRO d.m(a) AS a = '{v}'"),
    _catalog_plant("column defaults.who, default value", "CREATE TABLE d.defaults (who VARCHAR DEFAULT '{v}')"),
    _catalog_plant("constraints, constraint", "CREATE TABLE d.checked (who VARCHAR CHECK (who <> '{v}'))"),
    _catalog_plant("table told, comment", "CREATE TABLE d.told (a INTEGER)", "COMMENT ON TABLE d.told IS 'of {v}'"),
    _catalog_plant(
        "column said.a, comment", "CREATE TABLE d.said (a INTEGER)", "COMMENT ON COLUMN d.said.a IS 'of {v}'"
    ),
    _catalog_plant("table [line {line}], name", 'CREATE TABLE d."{v}" (a INTEGER)'),
    Plant(
        file="warehouse/statistics.duckdb",
        place="main.numbers.who, statistics",
        key=matching,
        statements=(
            "CREATE TABLE d.numbers AS SELECT i::BIGINT AS who FROM range(3000) AS r(i)",
            "INSERT INTO d.numbers VALUES ({v})",
            "CHECKPOINT d",
            "DELETE FROM d.numbers WHERE who = {v}",
        ),
        value=digits,
    ),
    Plant(
        file="warehouse/beginnings.duckdb",
        place="main.texts.who, statistics",
        key=matching,
        statements=(
            "CREATE TABLE d.texts AS SELECT 'a' || i AS who FROM range(3000) AS r(i)",
            "INSERT INTO d.texts VALUES ('{v}')",
            "CHECKPOINT d",
            "DELETE FROM d.texts WHERE who = '{v}'",
        ),
        encoding="its first 8 bytes",
        value=lambda number: f"{number:03d}zyxwvu@example.no",
    ),
    *(
        Plant(
            file=file,
            place=place,
            key=key,
            statements=(
                "PRAGMA force_compression = 'uncompressed'",
                f"CREATE TABLE d.deleted AS {FILLING}",
                "INSERT INTO d.deleted VALUES ('{v}')",
                "CHECKPOINT d",
                "DELETE FROM d.deleted WHERE who = '{v}'",
            ),
        )
        for file, place, key in (
            ("exports/deleted.duckdb", "raw bytes", None),
            ("warehouse/deleted.duckdb", "raw bytes, decrypted", matching),
        )
    ),
]


def in_parquet(change: Callable[[str], pa.Table], **options: Any) -> Write:
    return lambda path, value, workspace: pq.write_table(change(value), path, **options)


def one_column(value: str) -> pa.Table:
    return pa.table({"who": [f"filling {n}" for n in range(2000)] + [value]})


def filtered(value: str) -> pa.Table:
    """The value has been filtered away, and is in the dictionary still."""
    table = pa.table({"who": pa.array(["x", value, "y"] * 100).dictionary_encode()})
    return table.filter(pc.not_equal(table["who"], value))


PARQUET = [
    *(
        Plant(
            file=f"exports/{compression}-{dictionary}.parquet",
            place="who",
            write=in_parquet(one_column, compression=compression, use_dictionary=dictionary),
        )
        for compression in ("zstd", "snappy", "gzip", "none")
        for dictionary in (True, False)
    ),
    Plant(file="exports/filtered.parquet", place="who, dictionary", write=in_parquet(filtered, compression="zstd")),
    Plant(
        file="exports/statistics.parquet",
        place="who, statistics",
        write=in_parquet(lambda value: pa.table({"who": [value, "b", "c"]})),
    ),
    Plant(
        file="exports/nested.parquet",
        place="who.a",
        write=in_parquet(lambda value: pa.table({"who": [[{"a": value}], []]})),
    ),
    Plant(
        file="exports/number.parquet",
        place="who",
        write=in_parquet(lambda v: pa.table({"who": [1, int(v)]})),
        value=digits,
    ),
    Plant(
        file="exports/metadata.parquet",
        place="metadata",
        write=in_parquet(lambda value: pa.table({"a": [1]}).replace_schema_metadata({"by": value})),
    ),
]


def encrypted(zone: str, query: str) -> Write:
    def write(path: Path, value: str, workspace: Workspace) -> None:
        with workspace.connect() as con:
            give_key(workspace, con, zone)
            write_encrypted(con, zone, query.replace("{v}", value), path)

    return write


def _quarantined(path: Path, value: str, workspace: Workspace) -> None:
    row = QuarantinedRow(
        source="events",
        position="x.jsonl.gz",
        line=3,
        reason_code="not_json",
        reason="it is not JSON",
        content=json.dumps({"email": value}).encode(),
    )
    Quarantine(workspace).add([row])
    (written,) = workspace.home.quarantine.glob("*.parquet")
    written.rename(path)


LANDING = [
    Plant(
        file="landing/rows.parquet",
        place="who",
        write=encrypted("landing", f"{FILLING} UNION ALL SELECT '{{v}}'"),
    ),
    Plant(
        file="landing/statistics.parquet",
        place="pages and statistics, decrypted",
        write=encrypted("landing", "SELECT unnest(['{v}', 'zz']) AS who"),
    ),
    Plant(
        file="landing/dictionary.parquet",
        place="pages and statistics, decrypted",
        write=encrypted("landing", "SELECT 'x'::ENUM('x', '{v}') AS who FROM range(100)"),
    ),
    Plant(file="quarantine/row.parquet", place="content", write=_quarantined),
]


def in_arrow(change: Callable[[str], pa.Table], *, as_stream: bool = False, compression: str | None = None) -> Write:
    def write(path: Path, value: str, workspace: Workspace) -> None:
        table = change(value)
        new = pa.ipc.new_stream if as_stream else pa.ipc.new_file
        with new(path, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
            writer.write_table(table)

    return write


ARROW = [
    Plant(file="exports/a.arrow", place="who", write=in_arrow(one_column, compression="lz4")),
    Plant(file="exports/b.arrow", place="who", write=in_arrow(one_column, compression="zstd", as_stream=True)),
    Plant(file="exports/c.arrow", place="who, dictionary", write=in_arrow(filtered, compression="zstd")),
    Plant(file="exports/d.arrow", place="who, dictionary", write=in_arrow(filtered, as_stream=True)),
]


def in_sqlite(*statements: str | tuple[str, Callable[[str], Sequence[Any]]]) -> Write:
    def write(path: Path, value: str, workspace: Workspace) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("pragma secure_delete = off")
            for statement in statements:
                sql, values = statement if isinstance(statement, tuple) else (statement, lambda v: ())
                connection.execute(sql.replace("{v}", value), values(value))

    return write


def _in_sqlite_log(path: Path, value: str, workspace: Workspace) -> None:
    other = path.with_suffix(".other")
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (who blob)")
        connection.execute("insert into t values (?)", [zlib.compress(value.encode() * 20)])
        shutil.copy(other, path)
        shutil.copy(f"{other}-wal", f"{path}-wal")
    other.unlink()


SQLITE = [
    Plant(
        file="dagster/history/event_log.db",
        place="t.who",
        write=in_sqlite("create table t (who text)", "insert into t values ('{v}')"),
    ),
    Plant(
        file="dagster/history/runs.db",
        place="t.who, zlib, text",
        write=in_sqlite(
            "create table t (who blob)",
            ("insert into t values (?)", lambda value: [zlib.compress(json.dumps({"who": value}).encode() * 9)]),
        ),
    ),
    Plant(
        file="landing/register.sqlite",
        place="t.who",
        write=in_sqlite("create table t (who)", ("insert into t values (?)", lambda value: [int(value)])),
        value=digits,
    ),
    Plant(
        file="dagster/a.db",
        place="raw bytes",
        write=in_sqlite(
            "create table t (who text)",
            "insert into t values ('{v}')",
            "insert into t values ('x')",
            "delete from t where who = '{v}'",
        ),
    ),
    Plant(
        file="dagster/b.db",
        place="raw bytes",
        write=in_sqlite(
            "create table t (who integer, a text)",
            "insert into t values ({v}, 'x')",
            "insert into t values (1, 'x')",
            "delete from t where who = {v}",
        ),
        value=digits,
        encoding="48-bit integer of SQLite",
    ),
    Plant(
        file="dagster/c.db", place="schema of v", write=in_sqlite("create view v as select 1 as a where '{v}' <> 'x'")
    ),
    Plant(file="dagster/d.db", place="t.who, zlib, text", write=_in_sqlite_log),
]

TABLE_PLANTS = DUCKDB + PARQUET + LANDING + ARROW + SQLITE
