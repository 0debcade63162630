"""What PostgreSQL's catalogue says about schema `app`, and the SQL by which one table is read.

Types that Arrow carries are left alone on the server; DuckDB turns uuid and JSON into what landing holds while it writes,
which is cheaper than letting PostgreSQL print them. A numeric is printed by PostgreSQL: the driver takes several times as
long for it.
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
       a.atttypid::bigint as type_oid, has_column_privilege(c.oid, a.attnum, 'select') as is_readable
from pg_catalog.pg_class as c
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type as t on t.oid = a.atttypid
left join pg_catalog.pg_type as b on b.oid = t.typbasetype
where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = 'app')
  and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
order by c.relname, a.attnum
"""
CATALOGUE_FIELDS = ("type_name", "category", "typmod", "type_oid", "is_readable")
TEXT_TYPES = {"text", "varchar", "bpchar"}
NUMBER_TYPES = {"bool", "int2", "int4", "int8", "float4", "float8"}
TIME_TYPES = {"date", "timestamp", "timestamptz"}
PLAIN_TYPES = NUMBER_TYPES | TEXT_TYPES | TIME_TYPES | {"bytea", "_text", "_varchar"}

FITTING_TYPES: Mapping[str, set[str]] = {
    "integer": {"int2", "int4", "int8"},
    "number": {"float4", "float8", "numeric", "int2", "int4", "int8"},
    "money": {"numeric", "int2", "int4", "int8"},
    "boolean": {"bool"},
    "date": {"date"},
    "timestamp": {"timestamptz"},
}
"""PostgreSQL's types that a word of the policy's stands for; "list" is any array, "text" whatever is landed as text."""

HASH_FUNCTIONS = {
    "int2": "hashint2extended",
    "int4": "hashint4extended",
    "int8": "hashint8extended",
    "uuid": "uuid_hash_extended",
}
"""Of a single column; they take half the time of a row's hash."""

ROWS_A_PAGE = 50
"""Of a table that nobody has analysed."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column as the catalogue has it. `type_name` is PostgreSQL's own name, a domain's base type resolved; `type_oid`
    is of the type as declared."""

    name: str
    type_name: str
    category: str
    typmod: int
    type_oid: int
    is_readable: bool

    def fits(self, word: str) -> bool:
        """Whether it is of a type that the policy's word stands for."""
        if word == "list":
            return self.category == "A"
        if word == "text":
            return self.category != "A" and self.type_name not in NUMBER_TYPES | TIME_TYPES | {"numeric", "bytea"}
        return self.type_name in FITTING_TYPES.get(word, ())


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
    if column.type_name in PLAIN_TYPES or column.type_name in ("uuid", "jsonb", "json"):
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
    if len(columns) == 1 and columns[0].type_name in HASH_FUNCTIONS:
        return f"{HASH_FUNCTIONS[columns[0].type_name]}({quoted(columns[0].name)}, 0)"
    values = (f"{server_expression(c)}::text" if c.type_name == "json" else server_expression(c) for c in columns)
    return f"hash_record_extended(row({', '.join(values)}), 0)"


def select_query(table: SourceTable, columns: list[Column], condition: str) -> str:
    values = ", ".join(f"{server_expression(column)} AS {quoted(column.name)}" for column in columns)
    return f"SELECT {values} FROM app.{quoted(table.name)} WHERE {condition}"


def page_ranges(snapshot: Snapshot, table: str, batch_rows: int) -> list[str]:
    """Conditions that part a table into ranges of pages of about so many rows, each of which is read in its physical order.

    What is not stored in pages of its own (a view, a partitioned or foreign table) is one range. A snapshot's rows stay
    where they are for as long as its transaction has read the table.
    """
    found = snapshot.table(
        "SELECT reltuples::bigint AS rows, relpages::bigint AS analysed_pages, "
        "pg_relation_size(c.oid) / current_setting('block_size')::bigint AS pages FROM pg_catalog.pg_class AS c "
        "JOIN pg_catalog.pg_am AS a ON a.oid = c.relam AND a.amname = 'heap' "
        f"WHERE c.oid = to_regclass({literal_text('app.' + quoted(table))}) AND c.relkind IN ('r', 'm')"
    ).to_pylist()
    if not found or not found[0]["pages"]:
        return ["true"]
    size = found[0]
    rows_a_page = size["rows"] // size["analysed_pages"] if size["analysed_pages"] and size["rows"] > 0 else ROWS_A_PAGE
    step = max(1, batch_rows // max(1, rows_a_page))
    starts = list(range(0, size["pages"], step))
    # The last one is open, so that it holds whatever the table has grown by since.
    ends = [f" AND ctid < '({start},0)'::tid" for start in starts[1:]] + [""]
    if len(starts) == 1:
        return ["true"]
    return [f"ctid >= '({start},0)'::tid{end}" for start, end in zip(starts, ends, strict=True)]


def was_rewritten(snapshot: Snapshot, table: str) -> bool:
    """Whether the table has been rewritten or truncated since the moment of the snapshot, to which it then looks empty.

    To be asked after the first reading, whose lock lets nobody do it from then on: the catalogue is seen as it was, the
    function as it is.
    """
    found = snapshot.table(
        "SELECT c.relfilenode <> pg_relation_filenode(c.oid) AS differs FROM pg_catalog.pg_class AS c "
        f"WHERE c.oid = to_regclass({literal_text('app.' + quoted(table))}) AND c.relkind IN ('r', 'm')"
    )
    return any(found["differs"].to_pylist())


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


def literal_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
