"""The register of landing: which batches there are, who has taken them, and how far each source was read.

SQLite, because it makes a batch and its cursor one durable transaction among processes. It holds no source row: names,
counts and cursors only.
"""

import json
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# AUTOINCREMENT: the number of a removed batch is never given again, so a purpose may remember the last one it took.
SCHEMA = """
create table if not exists batch (
    batch_id integer primary key autoincrement,
    source text not null, table_name text not null, kind text not null,
    row_count integer not null, file_name text not null unique
);
create table if not exists taken (
    batch_id integer not null references batch on delete cascade, taker text not null, primary key (batch_id, taker)
) without rowid;
create table if not exists cursor (
    source text not null, table_name text not null, value text not null, primary key (source, table_name)
) without rowid;
create table if not exists seen_file (
    source text not null, path text not null, version text not null, primary key (source, path)
) without rowid;
create table if not exists reached (taker text primary key, batch_id integer not null) without rowid;
"""


@dataclass(frozen=True, kw_only=True)
class SeenFile:
    """A source file that was read to its end. `version` changes whenever the file does."""

    source: str
    path: str
    version: str


class Register:
    """One process's connection; every change goes through `transaction`."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=60.0, isolation_level=None)
        self._connection.execute("pragma synchronous = full")
        self._connection.execute("pragma foreign_keys = on")
        self._connection.execute("pragma secure_delete = on")
        with self.transaction():
            for statement in filter(str.strip, SCHEMA.split(";")):
                self._connection.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on the disk when it ends."""
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def close(self) -> None:
        self._connection.close()

    def add_batch(self, source: str, table: str, kind: str, row_count: int, file_name: str) -> int:
        added = self._connection.execute(
            "insert into batch (source, table_name, kind, row_count, file_name) values (?, ?, ?, ?, ?)",
            (source, table, kind, row_count, file_name),
        )
        assert added.lastrowid is not None
        return added.lastrowid

    def reserve_batch_id(self) -> int:
        """A number that no batch has or will have, greater than every number given before."""
        batch_id = self.add_batch("reserved", "reserved", "rows", 0, f"reserved-{uuid.uuid4()}")
        self._connection.execute("delete from batch where batch_id = ?", (batch_id,))
        return batch_id

    def batch_names(self) -> set[str]:
        return {name for (name,) in self._connection.execute("select file_name from batch")}

    def pending(self, taker: str) -> list[tuple[dict[str, Any], str]]:
        """A batch's fields and its file name, for those that the taker has not taken, in order."""
        rows = self._connection.execute(
            "select batch_id, source, table_name, kind, row_count, file_name from batch "
            "where batch_id not in (select batch_id from taken where taker = ?) order by batch_id",
            (taker,),
        )
        fields = ("batch_id", "source", "table", "kind", "row_count")
        return [(dict(zip(fields, row[:5], strict=True)), row[5]) for row in rows]

    def mark_taken(self, taker: str, batch_ids: Sequence[int]) -> None:
        self._connection.executemany(
            "insert into taken (batch_id, taker) select batch_id, ? from batch where batch_id = ? on conflict do nothing",
            [(taker, batch_id) for batch_id in batch_ids],
        )
        self._connection.executemany(
            "insert into reached values (?, ?) on conflict do update set batch_id = max(batch_id, excluded.batch_id)",
            [(taker, batch_id) for batch_id in batch_ids],
        )

    def reached(self) -> dict[str, int]:
        return dict(self._connection.execute("select taker, batch_id from reached"))

    def remove_taken_by_all(self, takers: Sequence[str]) -> list[str]:
        """Forget the batches that all of them have taken; returns the file names, for the caller to remove."""
        wanted = sorted(set(takers))
        places = ", ".join("?" for _ in wanted)
        rows = self._connection.execute(
            "delete from batch where batch_id in (select batch_id from taken "
            f"where taker in ({places}) group by batch_id having count(*) = ?) returning file_name",
            (*wanted, len(wanted)),
        ).fetchall()
        return [name for (name,) in rows]

    def cursor(self, source: str, table: str) -> dict[str, Any]:
        row = self._connection.execute(
            "select value from cursor where source = ? and table_name = ?", (source, table)
        ).fetchone()
        value: dict[str, Any] = json.loads(row[0]) if row else {}
        return value

    def move_cursor(self, source: str, table: str, value: Mapping[str, Any]) -> None:
        self._connection.execute(
            "insert or replace into cursor values (?, ?, ?)", (source, table, json.dumps(dict(value)))
        )

    def forget(self, source: str | None) -> None:
        """Forget the cursors and seen files of one source, or of all."""
        for table in ("cursor", "seen_file"):
            self._connection.execute(f"delete from {table} where ? is null or source = ?", (source, source))

    def seen_files(self, source: str) -> dict[str, str]:
        return dict(self._connection.execute("select path, version from seen_file where source = ?", (source,)))

    def note_files(self, files: Sequence[SeenFile]) -> None:
        self._connection.executemany(
            "insert or replace into seen_file values (?, ?, ?)",
            [(file.source, file.path, file.version) for file in files],
        )
