"""DuckDB as this project uses it: encrypted files, attached to a private in-memory session that installs nothing.

A deleted row's bytes stay in a DuckDB file until the tables are copied into a new one: `compact_copy` is how
anything is ever really gone.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from duckdb_extensions import import_extension

from storage.durable import replace_durably
from storage.errors import LeiiError
from storage.home import Home
from storage.keyring import key_text
from storage.spilling import spill_folder

MEMORY_LIMIT = "700MB"
"""Of one session. A run has two at work at once, and the whole of it should stay under 2 GiB with ten million events."""


MOST_IDLE = 4
"""How many engines are kept for the next session: loading the cipher, whose signature is checked, costs more than most."""

_idle: list[duckdb.DuckDBPyConnection] = []
_idle_guard = threading.Lock()


@contextmanager
def connect(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory session with OpenSSL's cipher (httpfs) loaded; what it spills is encrypted and under LEII_HOME.

    It has an engine to itself; its temporary tables, macros and variables, among them keys, end with it.
    """
    engine = _idle_engine(home) or _new_engine(home)
    con = engine.cursor()
    try:
        con.execute("SET TimeZone = 'UTC'")
        yield con
    finally:
        con.close()
        _keep(engine)


def _idle_engine(home: Home) -> duckdb.DuckDBPyConnection | None:
    with _idle_guard:
        engine = _idle.pop() if _idle else None
    if engine is None:
        return None
    try:
        engine.execute("SET temp_directory = '{}'".format(spill_folder(home).replace("'", "''")))
    except duckdb.Error:  # it has spilled, and can go nowhere else
        engine.close()
        return None
    return engine


def _keep(engine: duckdb.DuckDBPyConnection) -> None:
    """Keep an engine in which nothing is left, and close any other."""
    engine.execute("RESET preserve_insertion_order")
    left = engine.execute(
        "SELECT count(*) FROM (SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory' "
        "UNION ALL SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal)"
    ).fetchone()
    with _idle_guard:
        if left == (0,) and len(_idle) < MOST_IDLE:
            _idle.append(engine)
            return
    engine.close()


def _new_engine(home: Home) -> duckdb.DuckDBPyConnection:
    home.extensions.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(
        config={
            "extension_directory": str(home.extensions),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "temp_directory": spill_folder(home),
            "temp_file_encryption": "true",
            "memory_limit": MEMORY_LIMIT,
            # A table that the open transaction has filled looks empty to the planner, which would then join by nested loops.
            "asof_loop_join_threshold": "0",
        }
    )
    try:
        con.execute("LOAD httpfs")
    except duckdb.Error:
        import_extension("httpfs", con=con)
        con.execute("LOAD httpfs")
    con.execute("SET enable_progress_bar = false")
    return con


def attach(con: duckdb.DuckDBPyConnection, path: Path, alias: str, key: bytes, *, read_only: bool = False) -> None:
    """Attach an encrypted file. Raises LeiiError when the key does not open it or another process is writing it."""
    if read_only and not path.exists():
        raise LeiiError(f"{path} is not there yet: run `leii run` first")
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = ", READ_ONLY" if read_only else ""
    location = str(path).replace("'", "''")
    try:
        con.execute(f"ATTACH '{location}' AS {alias} (ENCRYPTION_KEY '{key_text(key)}'{mode})")
    except duckdb.Error as error:
        raise LeiiError(f"cannot open {path}: {_reason(error)}") from None


def count(con: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> int:
    """The number that a statement answers with: of a count, or of the rows that it inserted, updated or deleted."""
    row = con.execute(sql, list(parameters)).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def attached(
    con: duckdb.DuckDBPyConnection, path: Path, alias: str, key: bytes, *, read_only: bool = False
) -> Iterator[None]:
    """Attach for the length of a block."""
    attach(con, path, alias, key, read_only=read_only)
    try:
        yield
    finally:
        con.execute(f"DETACH {alias}")


def opens(con: duckdb.DuckDBPyConnection, path: Path, key: bytes) -> bool:
    """Whether the key opens the file now."""
    try:
        with attached(con, path, "looked_at", key, read_only=True):
            return True
    except LeiiError:
        return False


def compact_copy(
    con: duckdb.DuckDBPyConnection, source: Path, source_key: bytes, target: Path, target_key: bytes
) -> None:
    """Copy every live row of one file into a fresh one under the target's name; no deleted byte comes along.

    `source` and `target` may be the same name: the file is then replaced in one step. Neither may be attached.
    """

    def fill() -> None:
        con.execute("COPY FROM DATABASE copy_source TO copy_target")

    filled_copy(con, source, source_key, target, target_key, fill)


def filled_copy(
    con: duckdb.DuckDBPyConnection,
    source: Path,
    source_key: bytes,
    target: Path,
    target_key: bytes,
    fill: Callable[[], None],
) -> None:
    """As `compact_copy`; what comes along is what `fill` puts from `copy_source` into `copy_target`, both attached."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    for leftover in target.parent.glob(f".{target.name}.*.new*"):  # of a process that was killed, too
        leftover.unlink(missing_ok=True)
    attach(con, source, "copy_source", source_key, read_only=source != target)
    try:
        with attached(con, temporary, "copy_target", target_key):
            fill()
            con.execute("CHECKPOINT copy_target")
    finally:
        con.execute("DETACH copy_source")
    replace_durably(temporary, target)
    _wal(target).unlink(missing_ok=True)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _reason(error: duckdb.Error) -> str:
    text = str(error)
    if "lock" in text.lower():
        return "another process has it open; wait for that run to end and try again"
    if "encryption key" in text.lower() or "decrypt" in text.lower() or "wrong" in text.lower():
        return "the key does not open it; check LEII_KEYRING"
    return text.splitlines()[0]
