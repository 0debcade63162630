"""Changes of replicated tables, gathered in DuckDB and reduced to what each key has come to.

A row's values come as PostgreSQL prints them. A row that a message does not give whole (a large value that did not change)
or not in a form that is read back from text (an array, a type of PostgreSQL's own) is marked to be read from its table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from ingestion.app_db_queries import numeric_type
from ingestion.app_db_tables import TEXT_TYPES, Column, quoted
from ingestion.pgoutput import Delete, Insert, Relation, Unsent, Update, Value, Values
from ingestion.source_tables import SourceTable
from storage import count

FLUSH_ROWS = 20_000
DUCKDB_TYPES = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
}
PRINTED_AS_LANDED = TEXT_TYPES | {"uuid", "json", "jsonb"}


class OutOfStepError(Exception):
    """The changes of a table do not fit what is known of it: it must be read whole again."""


@dataclass(kw_only=True)
class Staged:
    """One table's changes since the slot stood where it stands. `columns` are those that are landed, in their order.

    `inserted` and `deleted` count rows; `was_truncated`: everything that was there before these changes is gone.
    """

    table: SourceTable
    columns: list[Column]
    con: duckdb.DuckDBPyConnection
    name: str
    inserted: int = 0
    deleted: int = 0
    was_truncated: bool = False
    changes: int = 0
    positions: list[int] = field(default_factory=list)
    _rows: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = ", ".join(f"{quoted(column.name)} VARCHAR" for column in self.columns)
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {self.name} (_seq BIGINT, _is VARCHAR, {names})")
        self._keys = [position for position, column in enumerate(self.columns) if column.name in self.table.key]
        self._read = [position for position, column in enumerate(self.columns) if not _is_printed(column)]

    def describe(self, relation: Relation) -> None:
        """Learn in which order the values come; if they are not those that are landed, no change can be staged."""
        there = {column.name: (position, column.type_oid) for position, column in enumerate(relation.columns)}
        fitting = all(there.get(column.name, (0, None))[1] == column.type_oid for column in self.columns)
        self.positions = [there[column.name][0] for column in self.columns] if fitting else []

    def insert(self, message: Insert) -> None:
        """Like `update` and `delete`, raises OutOfStepError for a row that is not as the table was when it was read whole."""
        self.inserted += 1
        self._put(self._picked(message.new))

    def update(self, message: Update) -> None:
        new = self._picked(message.new)
        if message.old is not None:
            old = self._picked(message.old)
            if message.is_old_whole:
                new = [before if now is Unsent.UNCHANGED else now for now, before in zip(new, old, strict=True)]
            if [old[key] for key in self._keys] != [new[key] for key in self._keys]:
                self._put(old, "deleted")
        self._put(new)

    def delete(self, message: Delete) -> None:
        self.deleted += 1
        self._put(self._picked(message.old), "deleted")

    def truncate(self) -> None:
        self._rows.clear()
        self.con.execute(f"DELETE FROM {self.name}")
        self.inserted = self.deleted = 0
        self.was_truncated = True
        self.changes += 1

    def finish(self) -> None:
        """Leave one change a key: the last."""
        self._flush()
        keys = ", ".join(quoted(name) for name in self.table.key)
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE {self.name} AS FROM {self.name} "
            f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY _seq DESC) = 1"
        )

    def to_be_read(self, at_once: int) -> Iterator[list[tuple[str, ...]]]:
        """Keys of rows that the table must be asked for, so many at once."""
        keys = ", ".join(quoted(name) for name in self.table.key)
        found = self.con.execute(f"SELECT {keys} FROM {self.name} WHERE _is = 'read'").fetchall()
        for start in range(0, len(found), at_once):
            yield found[start : start + at_once]

    def count(self, kind: str) -> int:
        return count(self.con, f"SELECT count(*) FROM {self.name} WHERE _is = ?", [kind])

    def rows_sql(self) -> str:
        """The rows that came whole, with landing's types."""
        return f"SELECT {', '.join(map(_landed, self.columns))} FROM {self.name} WHERE _is = 'row'"

    def deleted_sql(self) -> str:
        """The keys that are gone, with landing's types."""
        keys = [column for column in self.columns if column.name in self.table.key]
        return f"SELECT {', '.join(map(_landed, keys))} FROM {self.name} WHERE _is = 'deleted'"

    def drop(self) -> None:
        self.con.execute(f"DROP TABLE IF EXISTS {self.name}")

    def _picked(self, values: Values) -> list[Value]:
        if not self.positions or len(values) <= max(self.positions):
            raise OutOfStepError
        return [values[position] for position in self.positions]

    def _put(self, values: Sequence[Value], kind: str = "row") -> None:
        if any(values[key] is None or values[key] is Unsent.UNCHANGED for key in self._keys):
            raise OutOfStepError
        if kind == "row" and (Unsent.UNCHANGED in values or any(values[at] is not None for at in self._read)):
            kind = "read"
        self.changes += 1
        plain = (None if value is Unsent.UNCHANGED else value for value in values)
        self._rows.append((self.changes, kind, *plain))
        if len(self._rows) >= FLUSH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        types = [pa.int64(), *[pa.string()] * (len(self.columns) + 1)]
        arrays = [pa.array(one, type_) for one, type_ in zip(zip(*self._rows, strict=True), types, strict=True)]
        self.con.register("leii_changes", pa.table(arrays, names=[str(number) for number in range(len(arrays))]))
        self.con.execute(f"INSERT INTO {self.name} FROM leii_changes")
        self.con.unregister("leii_changes")
        self._rows.clear()


def _is_printed(column: Column) -> bool:
    """Whether its text is all that landing needs."""
    known = PRINTED_AS_LANDED | set(DUCKDB_TYPES) | {"numeric", "bytea", "inet"}
    return column.type_name in known or column.category in ("E", "S")


def _landed(column: Column) -> str:
    name = quoted(column.name)
    if column.type_name in DUCKDB_TYPES:
        return f"{name}::{DUCKDB_TYPES[column.type_name]} AS {name}"
    if column.type_name == "numeric":
        return f"{name}::{numeric_type(column.typmod)} AS {name}"
    if column.type_name == "bytea":
        return f"unhex({name}[3:]) AS {name}"
    if column.type_name == "inet":
        return f"split_part({name}, '/', 1) AS {name}"
    return name
