"""How published copies are read: the newest version, nothing but it, and without a way to anything else.

A reader needs no more than the keyring of `KeyRing.for_readers`, and never holds up the pipeline.
"""

import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
import pyarrow as pa

from publishing.copies import CURRENT, current_version
from storage import Home, KeyRing, LeiiError, attach

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Parameters: TypeAlias = "Sequence[Any] | Mapping[str, Any] | None"

LET_GO_AFTER_SECONDS = 5.0
"""How often a reader that nobody asks looks whether it holds a version that has been replaced."""

_CONFIG: Mapping[str, str] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "temp_directory": "",
    "memory_limit": "800MB",
}


def published_version(home: Home, purpose: str) -> str | None:
    """The version that readers of this purpose get now; None before the first `leii run`."""
    return current_version(home, purpose)


def open_published(home: Home, keyring: KeyRing, purpose: str) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the current version: tables in schema `marts`, and `about`.

    It can reach no other file, install nothing and not be told otherwise. Raises LeiiError when nothing is published or
    the key does not open it.
    """
    return _open(home, keyring, purpose)[0]


class PublishedReader:
    """Queries on a purpose's current version; notices a new one by itself. Safe among threads."""

    def __init__(self, home: Home, keyring: KeyRing, purpose: str) -> None:
        self._home = home
        self._keyring = keyring
        self._purpose = purpose
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._version: str | None = None
        threading.Thread(target=_let_go_of_old, args=(weakref.ref(self),), daemon=True).start()

    @property
    def version(self) -> str | None:
        """The version that the next query will read."""
        return published_version(self._home, self._purpose)

    def query(self, sql: str, parameters: Parameters = None) -> "pl.DataFrame":
        """The rows as a Polars frame."""
        import polars as pl

        frame = pl.from_arrow(self.arrow(sql, parameters))
        assert isinstance(frame, pl.DataFrame)
        return frame

    def arrow(self, sql: str, parameters: Parameters = None) -> pa.Table:
        """The rows as an Arrow table."""
        return self._cursor().execute(sql, parameters).to_arrow_table()

    def pandas(self, sql: str, parameters: Parameters = None) -> "pd.DataFrame":
        """The rows as a pandas frame."""
        return self._cursor().execute(sql, parameters).df()

    def close(self) -> None:
        with self._lock:
            self._connection = None

    def let_go_of_old(self) -> None:
        """Close the version held, if there is a newer one, so that nothing keeps the replaced file alive."""
        with self._lock:
            if self._connection is not None and self._version != self.version:
                self._connection = None

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of its own for each query; one on a replaced version lives until its query is done."""
        with self._lock:
            if self._connection is None or self._version != self.version:
                self._connection, self._version = _open(self._home, self._keyring, self._purpose)
            return _in_published(self._connection.cursor())


def _open(home: Home, keyring: KeyRing, purpose: str) -> tuple[duckdb.DuckDBPyConnection, str]:
    key = keyring.purpose_key(purpose, "published")
    for attempt in range(20):
        version = current_version(home, purpose)
        if version is None:
            raise LeiiError(f"nothing of {purpose} is published in {home.root}: run `leii run` first")
        path = Path(os.path.realpath(home.published_folder(purpose) / CURRENT))
        con = duckdb.connect(config=dict(_CONFIG))
        try:
            attach(con, path, "published", key, read_only=True)
        except LeiiError:
            con.close()
            if current_version(home, purpose) == version or attempt == 19:
                raise
            time.sleep(0.01)
            continue
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        return _in_published(con), path.stem
    raise LeiiError(f"{purpose} is being published over and over: try again")


def _in_published(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    con.execute("USE published")
    return con


def _let_go_of_old(held: "weakref.ref[PublishedReader]") -> None:
    while True:
        time.sleep(LET_GO_AFTER_SECONDS)
        reader = held()
        if reader is None:
            return
        reader.let_go_of_old()
        del reader
