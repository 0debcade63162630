"""Landing: a queue of encrypted batches between the sources and the purposes.

A batch is durable before its source's cursor moves, and both are registered in one transaction: whoever is killed in
between leaves a file that nobody knows, which the next opening removes, and a cursor that reads the rows again.
Several processes may have landing open at once; files are only swept when nobody else has.
"""

import fcntl
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from ingestion.encrypted_parquet import give_key, read_encrypted, write_encrypted
from ingestion.register import Register, SeenFile
from storage import LeiiError, Workspace, replace_durably

KINDS = ("rows", "keys", "deleted")
_NAME = re.compile(r"[a-z][a-z0-9_]*")

Rows: TypeAlias = "pa.RecordBatchReader | pa.Table | duckdb.DuckDBPyRelation | Batch | str"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One encrypted Parquet file in the queue.

    Kind "rows": new or changed rows. Kind "keys": every primary key that the table had at that moment; a row whose key
    is not among them was deleted in the source. Kind "deleted": primary keys of rows that were deleted. Purposes take
    batches in the order of `batch_id`.
    """

    batch_id: int
    source: str
    table: str
    kind: str
    row_count: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class Write:
    """One batch to be written; see `Landing.write`."""

    source: str
    table: str
    kind: str
    rows: Rows
    cursor: Mapping[str, Any] | None = None
    select: str = "*"


class Landing:
    """The queue. Get one from `open_landing`."""

    def __init__(self, workspace: Workspace, register: Register) -> None:
        self._workspace = workspace
        self._folder = workspace.home.landing
        self._register = register
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._resources = ExitStack()

    def write(
        self,
        source: str,
        table: str,
        kind: str,
        rows: Rows,
        cursor: Mapping[str, Any] | None,
        *,
        con: duckdb.DuckDBPyConnection | None = None,
        select: str = "*",
        seen_files: Sequence[SeenFile] = (),
    ) -> Batch | None:
        """Land rows and move the table's cursor (None: leave it) together. Returns None if there was nothing to land.

        `rows` is streamed, never held whole: Arrow, a DuckDB relation, a batch that has been landed, or SQL text to be run on
        `con`. `select` is the list of expressions that the rows are written with. A batch of keys is landed even when it is empty.
        """
        write = Write(source=source, table=table, kind=kind, rows=rows, cursor=cursor, select=select)
        return self.write_many([write], con=con, seen_files=seen_files)[0]

    def write_many(
        self,
        writes: Sequence[Write],
        *,
        con: duckdb.DuckDBPyConnection | None = None,
        seen_files: Sequence[SeenFile] = (),
        cursors: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    ) -> list[Batch | None]:
        """Land several batches whose cursors, and the files that they came from, move together or not at all; `cursors` are
        further ones, by source and table."""
        for write in writes:
            _check(write)
        landed = self._land_all(writes, con)
        with self._register.transaction():
            batches = [self._enter(write, file) for write, file in zip(writes, landed, strict=True)]
            self._register.note_files(seen_files)
            for (source, table), cursor in (cursors or {}).items():
                self._register.move_cursor(source, table, cursor)
        return batches

    def cursor(self, source: str, table: str) -> dict[str, Any]:
        """What was last stored for this table; empty before the first."""
        return self._register.cursor(source, table)

    def move_cursor(self, source: str, table: str, cursor: Mapping[str, Any]) -> None:
        """Store how far this table was read where no rows go with it."""
        with self._register.transaction():
            self._register.move_cursor(source, table, cursor)

    def reset_cursors(self, source: str | None = None) -> None:
        """Forget how far the sources (or one) were read: the next pass reads everything, as a new purpose needs."""
        with self._register.transaction():
            self._register.forget(source)

    def seen_files(self, source: str) -> dict[str, str]:
        """The files read so far, by path, with the version that was read."""
        return self._register.seen_files(source)

    def pending(self, taker: str) -> list[Batch]:
        """The batches that this taker has not taken, in order."""
        return [Batch(**row, path=self._folder / name) for row, name in self._register.pending(taker)]

    def reserve_batch_id(self) -> int:
        """A number for a change that comes from no batch, in the order of batches: greater than every one before."""
        with self._register.transaction():
            return self._register.reserve_batch_id()

    def mark_taken(self, taker: str, batch_ids: Sequence[int]) -> None:
        """Note that a taker has these batches safely; again is harmless."""
        with self._register.transaction():
            self._register.mark_taken(taker, batch_ids)

    def reached(self) -> dict[str, int]:
        """The newest batch that each taker has ever noted as taken."""
        return self._register.reached()

    def remove_taken_by_all(self, takers: Sequence[str]) -> int:
        """Remove the batches that every one of the takers has. Returns how many."""
        if not takers:
            raise LeiiError("landing cannot be emptied without takers: name every purpose that reads it")
        with self._register.transaction():
            names = self._register.remove_taken_by_all(takers)
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
        return len(names)

    def relation_sql(self, con: duckdb.DuckDBPyConnection, batch: Batch) -> str:
        """Give `con` the key to landing, and return what to select from. Raises LeiiError if the file is not there."""
        if not batch.path.exists():
            raise LeiiError(f"batch {batch.batch_id} is gone from {self._folder}: read its source again from the start")
        give_key(self._workspace, con, "landing")
        return read_encrypted("landing", batch.path)

    def close(self) -> None:
        self._connection = None
        self._resources.close()

    def _land_all(
        self, writes: Sequence[Write], con: duckdb.DuckDBPyConnection | None
    ) -> list[tuple[Path, int] | None]:
        landed: list[tuple[Path, int] | None] = []
        try:
            for write in writes:
                landed.append(self._land(write, con))  # noqa: PERF401 - what is landed so far must be known on an error
        except BaseException:
            for file in filter(None, landed):
                file[0].unlink(missing_ok=True)
            raise
        return landed

    def _land(self, write: Write, con: duckdb.DuckDBPyConnection | None) -> tuple[Path, int] | None:
        final = self._folder / f"{write.source}-{write.table}-{write.kind}-{uuid.uuid4().hex}.parquet"
        temporary = final.with_suffix(".tmp")
        try:
            count = self._copy(write, temporary, con)
            if count == 0 and write.kind != "keys":
                return None
            replace_durably(temporary, final)
        finally:
            temporary.unlink(missing_ok=True)
        return final, count

    def _copy(self, write: Write, path: Path, con: duckdb.DuckDBPyConnection | None) -> int:
        rows = write.rows
        if isinstance(rows, str):
            if con is None:
                raise ValueError("SQL text needs the connection to run it on")
            origin = f"({rows})"
        elif isinstance(rows, Batch):
            con = con or self._own_connection()
            origin = self.relation_sql(con, rows)
        else:
            con = con or self._own_connection()
            con.register("leii_landing_rows", _registered(rows))
            origin = "leii_landing_rows"
        give_key(self._workspace, con, "landing")
        try:
            return write_encrypted(con, "landing", f"SELECT {write.select} FROM {origin}", path)
        finally:
            if not isinstance(rows, str | Batch):
                con.unregister("leii_landing_rows")

    def _enter(self, write: Write, file: tuple[Path, int] | None) -> Batch | None:
        if write.cursor is not None:
            self._register.move_cursor(write.source, write.table, write.cursor)
        if file is None:
            return None
        path, count = file
        batch_id = self._register.add_batch(write.source, write.table, write.kind, count, path.name)
        return Batch(
            batch_id=batch_id, source=write.source, table=write.table, kind=write.kind, row_count=count, path=path
        )

    def _own_connection(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = self._resources.enter_context(self._workspace.connect())
            self._connection.execute("SET preserve_insertion_order = false")
        return self._connection


@contextmanager
def open_landing(workspace: Workspace) -> Iterator[Landing]:
    """Open the queue, after removing what a killed run left behind."""
    folder = workspace.home.landing
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "landing.lock", os.O_RDWR | os.O_CREAT, 0o600)
    register = None
    landing = None
    try:
        alone = _lock_alone(lock)
        register = Register(folder / "register.sqlite")
        if alone:
            _remove_orphans(folder, register)
            fcntl.flock(lock, fcntl.LOCK_SH)
        landing = Landing(workspace, register)
        yield landing
    finally:
        if landing is not None:
            landing.close()
        if register is not None:
            register.close()
        os.close(lock)


def _registered(rows: pa.RecordBatchReader | pa.Table | duckdb.DuckDBPyRelation) -> object:
    """What DuckDB is given to read.

    A stream it would hand to pyarrow's dataset scanner, whose threads read ahead: when the query fails they go on calling an
    interpreter that may be ending, and the process aborts or never ends. A bare capsule it reads in its own threads, which
    have ended when the query has.
    """
    if isinstance(rows, pa.Table):
        return rows
    stream = rows.to_arrow_reader() if isinstance(rows, duckdb.DuckDBPyRelation) else rows
    return stream.__arrow_c_stream__()


def _lock_alone(descriptor: int) -> bool:
    """True with an exclusive lock when nobody else has landing open; otherwise a shared one."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return False
    return True


def _remove_orphans(folder: Path, register: Register) -> None:
    known = register.batch_names()
    for path in (*folder.glob("*.parquet"), *folder.glob("*.tmp")):
        if path.name not in known:
            path.unlink(missing_ok=True)


def _check(write: Write) -> None:
    if write.kind not in KINDS:
        raise ValueError(f"a batch is of kind {', '.join(KINDS)}, not {write.kind!r}")
    for name in (write.source, write.table):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a source or table: lower-case letters, digits and underscores")
