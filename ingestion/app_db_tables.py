"""What PostgreSQL's catalogue says about schema `app`, and the SQL by which one table is read.

Types that Arrow carries are left alone on the server; DuckDB turns uuid, numeric and JSON into what landing holds while
it writes, which is cheaper than letting PostgreSQL print them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.app_db_queries import Snapshot, numeric_type
from ingestion.source_tables import SourceTable
from storage import LeiiError

CATALOGUE = """
select c.relname::text as table_name, a.attname::text as column_name,
       coalesce(b.typname, t.typname)::text as type_name, coalesce(b.typcategory, t.typcategory)::text as category,
       case when t.typbasetype <> 0 then t.typtypmod else a.atttypmod end as typmod,
       has_column_privilege(c.oid, a.attnum, 'select') as is_readable
from pg_catalog.pg_class as c
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type as t on t.oid = a.atttypid
left join pg_catalog.pg_type as b on b.oid = t.typbasetype
where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = 'app')
  and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
order by c.relname, a.attnum
"""
CATALOGUE_FIELDS = ("type_name", "category", "typmod", "is_readable")
NUMBER_TYPES = {"bool", "int2", "int4", "int8", "float4", "float8"}
PLAIN_TYPES = NUMBER_TYPES | {
    "text",
    "varchar",
    "bpchar",
    "bytea",
    "_text",
    "_varchar",
    "date",
    "timestamp",
    "timestamptz",
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column as the catalogue has it. `type_name` is PostgreSQL's own name, a domain's base type resolved."""

    name: str
    type_name: str
    category: str
    typmod: int
    is_readable: bool


def read_catalogue(snapshot: Snapshot) -> dict[str, dict[str, Column]]:
    """The columns of every table of schema `app`, by table and name."""
    tables: dict[str, dict[str, Column]] = {}
    for row in snapshot.table(CATALOGUE).to_pylist():
        column = Column(name=row.pop("column_name"), **{name: row[name] for name in CATALOGUE_FIELDS})
        tables.setdefault(row["table_name"], {})[column.name] = column
    if not tables:
        raise LeiiError(
            "the app database shows no table in schema app: check that LEII_APP_DB_DSN names the right database"
        )
    return tables


def server_expression(column: Column) -> str:
    """What PostgreSQL is asked for."""
    name = quoted(column.name)
    if column.type_name in PLAIN_TYPES or column.type_name in ("uuid", "numeric", "jsonb", "json"):
        return name
    if column.type_name == "inet":
        return f"host({name})"  # ::text would add /32
    return f"{name}::text[]" if column.category == "A" else f"{name}::text"


def landing_expression(column: Column) -> str:
    """What DuckDB makes of it while writing."""
    name = quoted(column.name)
    if column.type_name in ("uuid", "jsonb", "json"):
        return f"{name}::VARCHAR AS {name}"
    if column.type_name == "numeric":
        return f"{name}::{numeric_type(column.typmod)} AS {name}"
    return name


def hash_expression(columns: list[Column]) -> str:
    """A 64-bit hash of these columns of one row, on the server (PostgreSQL 14 and later)."""
    values = (f"{server_expression(c)}::text" if c.type_name == "json" else server_expression(c) for c in columns)
    return f"hash_record_extended(row({', '.join(values)}), 0)"


def select_query(table: SourceTable, columns: list[Column], condition: str) -> str:
    values = ", ".join(f"{server_expression(column)} AS {quoted(column.name)}" for column in columns)
    return f"SELECT {values} FROM app.{quoted(table.name)} WHERE {condition}"


def window_condition(table: SourceTable, cursor: Mapping[str, Any], overlap: timedelta) -> str:
    """Which rows can be new since the cursor: all of them without one, or in a table that has no time."""
    time = cursor.get("time")
    if time is None:
        return "true"
    since = literal(datetime.fromisoformat(time) - overlap)
    if table.updated_at is not None:
        name = quoted(table.updated_at)
        return f"({name} >= {since} OR {name} IS NULL)"
    if table.appended_at is not None:
        name = quoted(table.appended_at)
        return f"({quoted(table.key[0])} > {int(cursor['key'])} OR {name} >= {since} OR {name} IS NULL)"
    return "true"


def literal(moment: datetime) -> str:
    return f"'{moment.astimezone(UTC).isoformat()}'::timestamptz"


def quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
