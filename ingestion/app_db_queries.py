"""Reading the app's PostgreSQL through ADBC, as Arrow: one snapshot for a whole pass, or one query on its own.

No error from here repeats what the server or a driver said about a value or a connection string: those may hold a
person's data or a password.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar

import adbc_driver_postgresql.dbapi as postgresql
import duckdb
import psycopg
import pyarrow as pa
from adbc_driver_manager import dbapi
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ingestion.parallel_reading import open_stream
from storage import LeiiError

Result = TypeVar("Result")

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
SETTINGS = (
    "SET LOCAL TimeZone = 'UTC'",
    # A row that a policy of PostgreSQL's hides would look deleted: with this, the server refuses instead of hiding it.
    "SET LOCAL row_security = off",
    "SET LOCAL jit = off",
    "SET LOCAL lock_timeout = '60s'",
)
CONNECTION_DEFAULTS = {
    "application_name": "leii",
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
REASONS = {
    "28P01": "the password is wrong",
    "28000": "the role may not log in from here",
    "3D000": "there is no such database",
    "3F000": "there is no such schema",
    "42501": "the role has no right to read it (GRANT SELECT, and BYPASSRLS where row security hides rows)",
    "42703": "a column is not there any more",
    "42P01": "the table is not there any more",
    "55P03": "it is locked",
    "57014": "the server cancelled the query (statement_timeout? see LEII_APP_DB_STATEMENT_TIMEOUT_SECONDS)",
    "40001": "the server cancelled the query (conflict with recovery?)",
    "57P01": "the server ended the connection",
    "57P02": "the server crashed",
    "57P03": "the server is starting up or shutting down",
    "22P02": "the server could not convert a value",
    "53300": "the server has no free connection",
}
SNAPSHOT_IS_GONE = ("40001", "57P01", "57P02", "57P03", "25P03", "25P04")
"""What ends a transaction on the server's side: a replica's conflict with recovery, a restart, a timeout of idleness."""


class CannotConnectError(LeiiError):
    """The app database cannot be reached."""


class SnapshotLostError(LeiiError):
    """The connection, and with it the moment that was being read, is gone: begin again with another moment."""


class Snapshot:
    """One REPEATABLE READ READ ONLY transaction, over one or several connections: all that is read through it was true at
    the same moment."""

    def __init__(self, connections: Sequence[dbapi.Connection]) -> None:
        self._connections = connections

    def row(self, query: str) -> dict[str, Any]:
        """The one row of a query, by column name."""
        return _row(self._connections[0], query)

    def rows(self, queries: Sequence[str]) -> list[dict[str, Any]]:
        """The one row of each query, in their order; the connections share them."""
        used = self._connections[: max(len(queries), 1)]
        parts = [queries[number :: len(used)] for number in range(len(used))]
        with ThreadPoolExecutor(len(used), "app-db") as threads:
            found = list(threads.map(lambda connection, part: [_row(connection, query) for query in part], used, parts))
        return [found[number % len(used)][number // len(used)] for number in range(len(queries))]

    def table(self, query: str) -> pa.Table:
        return _table(self._connections[0], query)

    def stream(self, *queries: str) -> AbstractContextManager[pa.RecordBatchReader]:
        """The rows of all the queries, batch by batch and in any order; nothing else can be read through this snapshot until
        the block ends."""
        return open_stream(self._connections, queries)

    def attempt(self, work: Callable[[], Result]) -> Result:
        """Run some reading; if it fails, the snapshot goes on as if it had not been tried.

        Raises SnapshotLostError if it cannot go on.
        """
        self._hold("SAVEPOINT attempt", None)
        try:
            result = work()
        except Exception as failed:
            self._hold("ROLLBACK TO SAVEPOINT attempt", failed)
            raise
        self.command("RELEASE SAVEPOINT attempt")
        return result

    def command(self, statement: str) -> None:
        """On every connection."""
        for connection in self._connections:
            with connection.cursor() as cursor:
                cursor.execute(statement)

    def _hold(self, statement: str, failed: Exception | None) -> None:
        """Set or go back to the savepoint. That this fails, or what failed before, may tell that the snapshot is gone."""
        try:
            if failed is not None and _is_gone(failed):
                raise failed
            self.command(statement)
        except (dbapi.Error, OSError) as error:
            raise SnapshotLostError(f"the app database broke off: {reason(failed or error)}") from None


@contextmanager
def open_snapshot(
    dsn: str, *, connections: int = 1, statement_timeout_seconds: int = 0, exported: str | None = None
) -> Iterator[Snapshot]:
    """One moment of the database; `exported` names one that another session holds open.

    Raises LeiiError when it cannot be reached.
    """
    settings = list(SETTINGS)
    if statement_timeout_seconds:
        settings.append(f"SET LOCAL statement_timeout = '{statement_timeout_seconds}s'")
    with ExitStack() as stack:
        opened: list[dbapi.Connection] = []
        for _ in range(connections):
            connection = stack.enter_context(_connected(dsn))
            one = Snapshot([connection])
            one.command(BEGIN)
            if exported is not None:
                one.command(f"SET TRANSACTION SNAPSHOT '{exported}'")
            for statement in settings:
                one.command(statement)
            if exported is None and connections > 1:
                exported = str(one.row("SELECT pg_export_snapshot() AS name")["name"])
            opened.append(connection)
        yield Snapshot(opened)


def connection_string(dsn: str) -> str:
    """The address with a name for the app team to see, and an end to waiting for a host that does not answer.

    Raises CannotConnectError, without the address, if it is none.
    """
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise CannotConnectError(
            "cannot connect to the app database: its connection string cannot be read; check LEII_APP_DB_DSN"
        ) from None
    return make_conninfo(dsn, **{name: value for name, value in CONNECTION_DEFAULTS.items() if name not in given})


def read_arrow(dsn: str, query: str, parameters: Sequence[Any] = ()) -> pa.Table:
    """The result of one query, as an Arrow table of plain types: uuid and JSON as text, numeric as DECIMAL.

    Parameters stand in the query as $1, $2, …; a uuid is given as text and cast there (`$1::uuid`), a list with
    `= any($1::uuid[])`. Raises LeiiError, without what the server said about values.
    """
    with _connected(dsn) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(query, list(parameters) or None)
            table = cursor.fetch_arrow_table()
        except (dbapi.Error, pa.ArrowException, OSError) as error:
            raise LeiiError(f"the app database refused a query: {reason(error)}") from None
    return _plain(table)


def _row(connection: dbapi.Connection, query: str) -> dict[str, Any]:
    rows = _table(connection, query).to_pylist()
    if len(rows) != 1:
        raise ValueError(f"expected one row, not {len(rows)}")
    row: dict[str, Any] = rows[0]
    return row


def _table(connection: dbapi.Connection, query: str) -> pa.Table:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetch_arrow_table()


def reason(error: BaseException) -> str:
    """Why PostgreSQL failed, in words that hold nothing of what was read."""
    state = getattr(error, "sqlstate", None)
    if state in REASONS:
        return REASONS[state]
    return f"PostgreSQL's error {state}" if state else f"the connection or the query broke off ({type(error).__name__})"


def _is_gone(error: BaseException) -> bool:
    state = str(getattr(error, "sqlstate", None) or "")
    return state in SNAPSHOT_IS_GONE or state.startswith("08")


@contextmanager
def _connected(dsn: str) -> Iterator[dbapi.Connection]:
    address = connection_string(dsn)
    try:
        connection = postgresql.connect(address, autocommit=True)
    except dbapi.Error as error:
        raise CannotConnectError(
            f"cannot connect to the app database: {_connect_reason(error)}; check LEII_APP_DB_DSN"
        ) from None
    try:
        yield connection
    finally:
        connection.close()


def _connect_reason(error: dbapi.Error) -> str:
    if error.sqlstate in REASONS:
        return REASONS[error.sqlstate]
    # libpq names host and port here, and repeats parts of the string (the password, even) elsewhere.
    found = re.search(r"connection to server (at|on) [^\n]*? failed: [^\n]*", str(error))
    return found.group(0) if found else "its connection string cannot be read"


def _plain(table: pa.Table) -> pa.Table:
    casts = {field.name: cast for field in table.schema if (cast := _cast_of(field)) is not None}
    if not casts:
        return table
    names = [field.name.replace('"', '""') for field in table.schema]
    selected = ", ".join(
        f'"{quoted}"::{casts[field.name]} AS "{quoted}"' if field.name in casts else f'"{quoted}"'
        for quoted, field in zip(names, table.schema, strict=True)
    )
    with duckdb.connect(config={"enable_external_access": "false"}) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("result", table)
        return con.sql(f"SELECT {selected} FROM result").to_arrow_table()


def _cast_of(field: pa.Field) -> str | None:
    type_name = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
    if type_name in ("uuid", "json", "jsonb"):
        return "VARCHAR"
    if type_name == "numeric":
        return numeric_type(int((field.metadata or {}).get(b"POSTGRESQL:typmod", b"-1")))
    return None


def numeric_type(typmod: int) -> str:
    """DuckDB's type for a numeric of PostgreSQL's: as declared, or with nine decimals where nothing was declared."""
    if typmod < 4:
        return "DECIMAL(38, 9)"
    precision, scale = (typmod - 4) >> 16, (typmod - 4) & 0x7FF
    if scale >= 0x400:  # PostgreSQL 15 has negative scales: rounded left of the point
        precision, scale = precision + 0x800 - scale, 0
    return f"DECIMAL({min(max(precision, scale), 38)}, {min(scale, 38)})"
