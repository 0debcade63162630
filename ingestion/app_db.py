"""The app database into landing: what has changed since the last pass, and which keys are still there.

A pass reads all tables in one snapshot. For each table one query on the server tells whether anything can have
changed: the rows since the cursor less an overlap (a transaction can commit minutes after the times in its rows), and
the whole set of keys, each as one hash. Only what differs from the last pass is read and landed. Hashes are stored
keyed, so that a cursor tells nothing about a row.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from adbc_driver_manager import dbapi

from ingestion.app_db_queries import Snapshot, open_snapshot, read_arrow, reason
from ingestion.app_db_tables import (
    Column,
    hash_expression,
    landing_expression,
    literal,
    quoted,
    read_catalogue,
    select_query,
    server_expression,
    window_condition,
)
from ingestion.app_db_unreadable import set_aside, unreadable_condition
from ingestion.landing import Landing
from ingestion.quarantine import Quarantine
from ingestion.source_tables import SourceTable
from storage import LeiiError, Workspace

__all__ = ["SOURCE", "WRITTEN_BY_PIPELINE", "TablePull", "pull_app_db", "read_arrow"]

SOURCE = "app_db"
WRITTEN_BY_PIPELINE = ("fraud_flag", "privacy_receipt")
MASS_DELETION_FROM = 1_000
MASS_DELETION_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class TablePull:
    """What happened to one table; whoever runs the pass must show what is not empty, zero or None.

    `unclassified_columns` are in the database but not in the policy, and were left out; a table that the policy does not
    list comes with all of its columns there and `is_listed` false. `rows` counts landed rows, those of the overlap too;
    `quarantined` those that no later step could hold.
    """

    table: str
    rows: int
    unclassified_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    error: str | None = None
    quarantined: int = 0
    is_listed: bool = True


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """What every table of one pass shares."""

    snapshot: Snapshot
    landing: Landing
    now: datetime
    overlap: timedelta
    compare_keys: bool
    allow_mass_deletion: bool
    digest_key: bytes
    quarantine: Quarantine
    quarantined: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class _State:
    """One table at the moment of the snapshot, as the server sums it up."""

    time: datetime | None
    key: int | None
    keys: str | None
    key_count: int | None


def pull_app_db(
    workspace: Workspace,
    landing: Landing,
    *,
    dsn: str,
    tables: Sequence[SourceTable],
    overlap: timedelta = timedelta(minutes=15),
    compare_keys: bool = True,
    allow_mass_deletion: bool = False,
) -> list[TablePull]:
    """Land what is new, changed or deleted in these tables. A table that cannot be read is reported; the others go on.

    Raises LeiiError only when the database cannot be reached at all. A table of a thousand rows or more of which most
    are gone since the last pass is not believed (a wrong or half-restored database would erase everybody) unless
    `allow_mass_deletion` is set.
    """
    with open_snapshot(dsn) as snapshot:
        this = _Pass(
            snapshot=snapshot,
            landing=landing,
            now=workspace.now,
            overlap=overlap,
            compare_keys=compare_keys,
            allow_mass_deletion=allow_mass_deletion,
            digest_key=workspace.keyring.zone_key("landing", "cursor"),
            quarantine=Quarantine(workspace),
        )
        catalogue = read_catalogue(snapshot)
        pulls = [_pull_table(this, table, catalogue.get(table.name)) for table in tables]
    listed = {table.name for table in tables} | set(WRITTEN_BY_PIPELINE)
    unlisted = [
        TablePull(table=name, rows=0, unclassified_columns=tuple(columns), is_listed=False)
        for name, columns in catalogue.items()
        if name not in listed
    ]
    return pulls + unlisted


def _pull_table(this: _Pass, table: SourceTable, found: Mapping[str, Column] | None) -> TablePull:
    if found is None:
        gone = f"table app.{table.name} is not in the app database: take it out of the policy, or ask the app team"
        return TablePull(table=table.name, rows=0, missing_columns=table.columns, error=gone)
    unclassified = tuple(name for name in found if name not in table.columns)
    missing = tuple(name for name in table.columns if name not in found)
    rows = 0
    error = _refusal(table, found, missing)
    if error is None:
        try:
            rows = this.snapshot.attempt(lambda: _land_changes(this, table, [found[name] for name in table.columns]))
        except LeiiError as refused:
            error = str(refused)
        except (dbapi.Error, pa.ArrowException, OSError) as failed:
            error = f"table app.{table.name} could not be read: {reason(failed)}"
        except duckdb.Error as failed:
            error = _landing_error(table, failed)
    return TablePull(
        table=table.name,
        rows=rows,
        unclassified_columns=unclassified,
        missing_columns=missing,
        error=error,
        quarantined=this.quarantined[table.name],
    )


def _refusal(table: SourceTable, found: Mapping[str, Column], missing: tuple[str, ...]) -> str | None:
    if missing:
        return (
            f"table app.{table.name} has lost the columns {', '.join(missing)}: nothing of it is loaded until the policy "
            "says what holds now"
        )
    hidden = [name for name in table.columns if not found[name].is_readable]
    if hidden:
        return f"table app.{table.name}: the role has no right to read {', '.join(hidden)} (GRANT SELECT)"
    return None


def _landing_error(table: SourceTable, error: duckdb.Error) -> str:
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
        why = "a value does not fit its column's type in landing (NaN or infinity in a numeric?)"
    elif isinstance(error, duckdb.IOException):
        why = "landing could not be written (is the disk full?)"
    else:
        why = f"the stream broke off ({type(error).__name__})"
    return f"table app.{table.name} could not be landed: {why}"


def _land_changes(this: _Pass, table: SourceTable, columns: list[Column]) -> int:
    """Land what differs from the last pass; returns the number of rows."""
    shape = _digest(this, ", ".join(f"{server_expression(c)}:{c.type_name}:{c.typmod}" for c in columns))
    cursor = this.landing.cursor(SOURCE, table.name)
    if cursor.get("shape") != shape:
        cursor = {name: cursor[name] for name in ("keys", "key_count") if name in cursor}
    state = _state(this, table, columns)
    _refuse_mass_deletion(this, table, cursor, state)
    condition = "true" if _went_back(this, cursor, state) else window_condition(table, cursor, this.overlap)
    kept = {"shape": shape, "keys": cursor.get("keys"), "key_count": cursor.get("key_count")}
    rows = 0
    if "window" not in cursor or _window(this, table, columns, condition) != cursor["window"]:
        rows = _land_rows(this, table, columns, condition, kept, state)
    if this.compare_keys and state.keys != kept["keys"]:
        _land_keys(this, table, columns, state)
    return rows


def _state(this: _Pass, table: SourceTable, columns: list[Column]) -> _State:
    """One scan on the server: the newest time and key, and what all the keys hash to."""
    keys = [column for column in columns if column.name in table.key]
    time = table.updated_at or table.appended_at
    newest_time = _newest_time(this, time) if time else "null::timestamptz"
    newest_key = f"max({quoted(table.key[0])})::bigint" if table.appended_at else "null::bigint"
    hashed = _sum(keys) if this.compare_keys else "null::text"
    row = this.snapshot.row(
        f"SELECT {newest_time} AS newest_time, {newest_key} AS newest_key, count(*) AS key_count, {hashed} AS keys "
        f"FROM app.{quoted(table.name)}"
    )
    return _State(
        time=row["newest_time"],
        key=row["newest_key"],
        keys=_digest(this, row["keys"]) if this.compare_keys else None,
        key_count=row["key_count"] if this.compare_keys else None,
    )


def _window(this: _Pass, table: SourceTable, columns: list[Column], condition: str) -> str:
    """What the rows of the window hash to, with every column: two changes can bear the same time."""
    row = this.snapshot.row(f"SELECT {_sum(columns)} AS hashed FROM app.{quoted(table.name)} WHERE {condition}")
    return _digest(this, row["hashed"])


def _sum(columns: list[Column]) -> str:
    """Of a set of rows in any order, as text; the count keeps rows that hash to nothing apart."""
    return f"count(*) || ':' || coalesce(sum({hash_expression(columns)}), 0)"


def _newest_time(this: _Pass, column: str) -> str:
    """A row dated in the future must not carry the cursor past the rows that are still to come."""
    newest = f"max({quoted(column)})::timestamptz"
    return f"CASE WHEN {newest} IS NOT NULL THEN least({newest}, greatest(now(), {literal(this.now)})) END"


def _went_back(this: _Pass, cursor: Mapping[str, Any], state: _State) -> bool:
    """The source is older than what was read of it (restored from a backup, or its newest rows deleted)."""
    if cursor.get("time") is None:
        return False
    return state.time is None or state.time < datetime.fromisoformat(cursor["time"]) - this.overlap


def _refuse_mass_deletion(this: _Pass, table: SourceTable, cursor: Mapping[str, Any], state: _State) -> None:
    before = cursor.get("key_count") or 0
    if this.allow_mass_deletion or state.key_count is None or before < MASS_DELETION_FROM:
        return
    if state.key_count < before * MASS_DELETION_SHARE:
        raise LeiiError(
            f"table app.{table.name} had {before} rows on the last pass and has {state.key_count} now: if that is right, "
            "allow the mass deletion; if not, check that LEII_APP_DB_DSN names the right database"
        )


def _land_rows(
    this: _Pass,
    table: SourceTable,
    columns: list[Column],
    condition: str,
    kept: Mapping[str, Any],
    state: _State,
) -> int:
    """Stream the window's rows into landing. The cursor remembers what the next pass's window holds already."""
    moved: dict[str, Any] = dict(kept)
    if state.time is not None:
        moved |= {"time": state.time.astimezone(UTC).isoformat(), "key": state.key}
    this.quarantined[table.name] += set_aside(this.snapshot, this.quarantine, table, columns, condition)
    condition = f"({condition}) AND NOT ({unreadable_condition(columns)})"
    moved["window"] = _window(this, table, columns, window_condition(table, moved, this.overlap))
    selected = ", ".join(landing_expression(column) for column in columns)
    with this.snapshot.stream(select_query(table, columns, condition)) as reader:
        batch = this.landing.write(SOURCE, table.name, "rows", reader, moved, select=selected)
    return batch.row_count if batch else 0


def _land_keys(this: _Pass, table: SourceTable, columns: list[Column], state: _State) -> None:
    keys = [column for column in columns if column.name in table.key]
    selected = ", ".join(landing_expression(column) for column in keys)
    moved = {**this.landing.cursor(SOURCE, table.name), "keys": state.keys, "key_count": state.key_count}
    with this.snapshot.stream(select_query(table, keys, "true")) as reader:
        this.landing.write(SOURCE, table.name, "keys", reader, moved, select=selected)


def _digest(this: _Pass, text: str) -> str:
    return hmac.new(this.digest_key, text.encode(), hashlib.sha256).hexdigest()[:32]
