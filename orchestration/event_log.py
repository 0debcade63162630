"""Dagster's event log in one SQLite file whose connections are kept.

Dagster's own SQLite storages build an engine anew for every statement; with an event or three for each of some hundred
tables and checks that was half of a day's run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import sqlalchemy as db
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy.engine import Connection, Engine


class KeptSqliteEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """As its parent, but for the pool; a crash of the machine may cost the last events, never the file."""

    @cached_property
    def _engine(self) -> Engine:
        engine = db.create_engine(
            self._conn_string,
            poolclass=db.pool.QueuePool,
            pool_size=4,
            max_overflow=16,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )

        @db.event.listens_for(engine, "connect")
        def _prepare(connection: Any, record: object) -> None:
            connection.execute("PRAGMA synchronous = NORMAL")

        return engine

    @cached_property
    def _there(self) -> set[str]:
        """Tables, and columns of the table of assets, that have been seen: none is ever dropped."""
        return set()

    def has_table(self, table_name: str) -> bool:
        if table_name not in self._there and db.inspect(self._engine).has_table(table_name):
            self._there.add(table_name)
        return table_name in self._there

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        column = f"asset_keys.{column_name}"
        if column not in self._there and super()._has_asset_key_col_on_connection(conn, column_name):
            self._there.add(column)
        return column in self._there

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        self._engine.dispose()
        super().dispose()  # type: ignore[no-untyped-call]
