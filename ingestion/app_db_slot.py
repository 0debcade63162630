"""The replication slot in the app database: made, looked after, read and advanced, and what it keeps back there.

Only SQL functions and, for a moment that goes with a place in the WAL, one command of the replication protocol are used.
A slot keeps WAL on the server until it is advanced, so one that is not read fills the server's disk.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, LiteralString

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from ingestion.app_db_queries import CannotConnectError, SnapshotLostError, connection_string
from ingestion.app_db_source import AppDbSource
from storage import LeiiError

WAIT_FOR_FLUSH_SECONDS = 3.0
WAIT_FOR_OTHERS_SECONDS = 10.0
# A slot can begin only when every transaction that was open has ended.
LOCK_TIMEOUT_SECONDS = 60
# How a change's values are printed.
SETTINGS: tuple[LiteralString, ...] = (
    "set timezone = 'UTC'",
    "set datestyle = 'ISO'",
    "set bytea_output = 'hex'",
    "set extra_float_digits = 1",
    "set lock_timeout = '60s'",
)
OPEN_TRANSACTION = (
    "a transaction of the app's has been open for more than a minute, and replication can begin only after it"
)
FETCH_ROWS = 5_000
PUBLISHED = ("insert", "update", "delete", "truncate")
SLOT_SQL = """
select plugin, database = current_database() as is_here, wal_status, active,
       (confirmed_flush_lsn - '0/0')::bigint as confirmed, (restart_lsn - '0/0')::bigint as restart,
       (pg_current_wal_insert_lsn() - restart_lsn)::bigint as kept_bytes,
       (select system_identifier::text from pg_control_system()) as system
from pg_replication_slots where slot_name = %s
"""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A slot as the server has it; positions are bytes from the beginning of the WAL."""

    system: str
    confirmed: int
    kept_bytes: int
    is_lost: bool
    active: bool


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A snapshot that other sessions may read, and the WAL's position at which it was taken."""

    snapshot: str
    position: int


@contextmanager
def open_primary(source: AppDbSource) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A session in which every statement is a transaction. Raises LeiiError; what breaks inside is a SnapshotLostError."""
    address = connection_string(source.dsn)
    try:
        connection = psycopg.connect(address, autocommit=True, row_factory=dict_row)
    except psycopg.OperationalError:
        raise CannotConnectError("cannot connect to the app database: check LEII_APP_DB_DSN") from None
    try:
        for setting in SETTINGS:
            connection.execute(setting)
        yield connection
    except psycopg.OperationalError as error:
        if connection.closed or connection.broken:
            raise SnapshotLostError("the app database broke off") from None
        raise _refused(error) from None
    except psycopg.Error as error:
        raise _refused(error) from None
    finally:
        connection.close()


def _refused(error: psycopg.Error) -> LeiiError:
    why = {
        "42501": "the role may not replicate: ALTER ROLE … REPLICATION",
        "55P03": OPEN_TRANSACTION,
        "53400": "all replication slots are taken (max_replication_slots)",
        "55006": "another session is reading the slot: give each installation an LEII_APP_DB_SLOT of its own",
        "57014": "the server cancelled the query (statement_timeout?)",
    }.get(error.sqlstate or "", f"PostgreSQL's error {error.sqlstate}")
    return LeiiError(f"the app database refused logical replication: {why}")


def require_replication(connection: psycopg.Connection[dict[str, Any]], source: AppDbSource) -> None:
    """Raise LeiiError, with what the app team has to do, unless the server, the role and the publication are ready."""
    name = source.slot
    found = connection.execute(
        "select current_setting('wal_level') as wal_level, current_user as role, "
        "(select rolreplication or rolsuper from pg_roles where rolname = current_user) as may_replicate, "
        "(select array_remove(array[case when pubinsert then 'insert' end, case when pubupdate then 'update' end, "
        "case when pubdelete then 'delete' end, case when pubtruncate then 'truncate' end], null) "
        "from pg_publication where pubname = %s) as published",
        [name],
    ).fetchone()
    assert found is not None
    if found["wal_level"] != "logical":
        raise LeiiError("logical replication needs wal_level = logical in the app database's postgresql.conf")
    if not found["may_replicate"]:
        raise LeiiError(f"logical replication needs a role that may: ALTER ROLE {found['role']} REPLICATION")
    if found["published"] is None:
        raise LeiiError(
            f"the app database has no publication {name}: CREATE PUBLICATION {name} FOR TABLES IN SCHEMA app "
            "(another name: LEII_APP_DB_SLOT)"
        )
    missing = [kind for kind in PUBLISHED if kind not in found["published"]]
    if missing:
        raise LeiiError(
            f"publication {name} leaves out {', '.join(missing)}: "
            f"ALTER PUBLICATION {name} SET (publish = '{', '.join(PUBLISHED)}')"
        )


def idle_slot(connection: psycopg.Connection[dict[str, Any]], name: str) -> Slot | None:
    """`read_slot`, once no session has it: the server notices late that a reader was killed. Raises LeiiError if one stays."""
    until = monotonic() + WAIT_FOR_OTHERS_SECONDS
    while (slot := read_slot(connection, name)) is not None and slot.active:
        if monotonic() > until:
            raise LeiiError(
                f"another session is reading the slot {name}: give each installation an LEII_APP_DB_SLOT of its own"
            )
        sleep(0.1)
    return slot


def read_slot(connection: psycopg.Connection[dict[str, Any]], name: str) -> Slot | None:
    """The slot, or None if there is none. Raises LeiiError if the name is that of somebody else's."""
    found = connection.execute(SLOT_SQL, [name]).fetchone()
    if found is None:
        return None
    if found["plugin"] != "pgoutput" or not found["is_here"]:
        raise LeiiError(f"the replication slot {name} is somebody else's: give LEII_APP_DB_SLOT another name")
    return Slot(
        system=found["system"],
        confirmed=found["confirmed"] or 0,
        kept_bytes=found["kept_bytes"] or 0,
        is_lost=found["wal_status"] == "lost" or found["restart"] is None,
        active=found["active"],
    )


def make_slot(connection: psycopg.Connection[dict[str, Any]], name: str) -> Slot:
    connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [name])
    slot = read_slot(connection, name)
    if slot is None:
        raise LeiiError(f"the replication slot {name} vanished as it was made: does another installation use it?")
    return slot


def drop_slot(connection: psycopg.Connection[dict[str, Any]], name: str) -> None:
    connection.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s", [name]
    )


def advance_slot(connection: psycopg.Connection[dict[str, Any]], name: str, position: int) -> None:
    """Let the server forget what comes before the position, which must be the end of a transaction or of a record."""
    connection.execute("select pg_replication_slot_advance(%s, '0/0'::pg_lsn + %s::numeric)", [name, position])


def flushed_position(connection: psycopg.Connection[dict[str, Any]]) -> int | None:
    """The end of the WAL's last record, once everything up to there is on the server's disk; None if that takes long.

    A commit that the app did not wait for (synchronous_commit = off) is given to nobody before that.
    """
    found = connection.execute("select (pg_current_wal_insert_lsn() - '0/0')::bigint as position").fetchone()
    assert found is not None
    until = monotonic() + WAIT_FOR_FLUSH_SECONDS
    flushed = "select pg_current_wal_flush_lsn() >= '0/0'::pg_lsn + %s::numeric as yes"
    while connection.execute(flushed, [found["position"]]).fetchone() != {"yes": True}:
        if monotonic() > until:
            return None
        sleep(0.05)
    return int(found["position"])


def peek(connection: psycopg.Connection[dict[str, Any]], name: str, until: int | None, changes: int) -> Iterator[bytes]:
    """The messages of whole transactions from where the slot stands: about so many changes, committed before `until`.

    The slot does not move: the same messages come again until it is advanced.
    """
    query = (
        "select data from pg_logical_slot_peek_binary_changes(%s, '0/0'::pg_lsn + %s::numeric, %s, "
        "'proto_version', '1', 'publication_names', %s)"
    )
    with connection.transaction(), connection.cursor(name="leii_changes", binary=True) as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(query, [name, until, changes, name])
        for row in cursor:
            yield row["data"]


@contextmanager
def exported_moment(source: AppDbSource) -> Iterator[Moment]:
    """A moment for reading tables whole: a change is in it exactly if it committed before the position."""
    given = connection_string(source.dsn)
    options = f"{conninfo_to_dict(given).get('options') or ''} -c lock_timeout={LOCK_TIMEOUT_SECONDS}s".strip()
    address = make_conninfo(given, replication="database", options=options)
    connection = pq.PGconn.connect(address.encode())
    try:
        if connection.status != pq.ConnStatus.OK:
            raise CannotConnectError("cannot open a replication connection to the app database: check its pg_hba.conf")
        name = f"{source.slot[:40]}_{secrets.token_hex(4)}"
        result = connection.exec_(f"CREATE_REPLICATION_SLOT {name} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT".encode())
        if result.status != pq.ExecStatus.TUPLES_OK:
            state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
            why = (
                OPEN_TRANSACTION
                if state == "55P03"
                else f"PostgreSQL's error {state}; is max_replication_slots large enough?"
            )
            raise LeiiError(f"the app database gave no moment to begin replication from: {why}")
        high, low = (result.get_value(0, 1) or b"").decode().split("/")
        snapshot = (result.get_value(0, 2) or b"").decode()
        yield Moment(snapshot=snapshot, position=(int(high, 16) << 32) + int(low, 16))
    finally:
        connection.finish()
