"""What both ways of following the app database share: one pass, its outcome table by table, and what is landed whole."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from adbc_driver_manager import dbapi

from ingestion.app_db_queries import Snapshot, SnapshotLostError, reason
from ingestion.app_db_source import AppDbSource
from ingestion.app_db_state import TableState, keyed_digest, read_state
from ingestion.app_db_tables import (
    Column,
    landing_expression,
    page_ranges,
    quoted,
    select_query,
    server_expression,
    was_rewritten,
)
from ingestion.app_db_unreadable import checked_expression, set_aside, unreadable_condition
from ingestion.landing import Batch, Landing
from ingestion.quarantine import Quarantine
from ingestion.source_tables import SourceTable
from storage import LeiiError

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
class AppDbPull:
    """One pass: its tables, and what else there is to be told."""

    tables: tuple[TablePull, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What every table of one pass shares. `landed`, `quarantined`: rows by table, of all attempts."""

    source: AppDbSource
    landing: Landing
    now: datetime
    overlap: timedelta
    allow_mass_deletion: bool
    digest_key: bytes
    quarantine: Quarantine
    landed: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def shape(self, columns: Sequence[Column]) -> str:
        """A digest that changes when what is read of a table does."""
        return keyed_digest(
            self.digest_key, ", ".join(f"{server_expression(c)}:{c.type_name}:{c.typmod}" for c in columns)
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """A table of the policy as the database has it, in the pass's snapshot. `error`: why it cannot be read."""

    table: SourceTable
    columns: list[Column]
    unclassified: tuple[str, ...]
    missing: tuple[str, ...]
    error: str | None

    @property
    def keys(self) -> list[Column]:
        return [column for column in self.columns if column.name in self.table.key]

    def outcome(self, this: Pass, error: str | None) -> TablePull:
        return TablePull(
            table=self.table.name,
            rows=this.landed[self.table.name],
            quarantined=this.quarantined[self.table.name],
            unclassified_columns=self.unclassified,
            missing_columns=self.missing,
            error=error,
        )


def find(table: SourceTable, there: Mapping[str, Column] | None) -> Found:
    """Compare a table with the catalogue's columns of it (None: it is not there)."""
    if there is None:
        error: str | None = (
            f"table app.{table.name} is not in the app database: take it out of the policy, or ask the app team"
        )
        return Found(table=table, columns=[], unclassified=(), missing=table.columns, error=error)
    missing = tuple(name for name in table.columns if name not in there)
    return Found(
        table=table,
        columns=[there[name] for name in table.columns if name in there],
        unclassified=tuple(name for name in there if name not in table.columns),
        missing=missing,
        error=_refusal(table, there, missing),
    )


def unlisted(catalogue: Mapping[str, Mapping[str, Column]], tables: Sequence[SourceTable]) -> list[TablePull]:
    """Tables that nobody asked for."""
    listed = {table.name for table in tables} | set(WRITTEN_BY_PIPELINE)
    return [
        TablePull(table=name, rows=0, unclassified_columns=tuple(columns), is_listed=False)
        for name, columns in catalogue.items()
        if name not in listed
    ]


def why_failed(table: SourceTable, work: Callable[[], None]) -> str | None:
    """Do one table's work; if it fails, say why, in words without a value. Raises SnapshotLostError."""
    try:
        work()
    except SnapshotLostError:
        raise
    except LeiiError as refused:
        return str(refused)
    except (dbapi.Error, pa.ArrowException, OSError) as failed:
        return f"table app.{table.name} could not be read: {reason(failed)}"
    except duckdb.Error as failed:
        return _landing_error(table, failed)
    return None


def _refusal(table: SourceTable, found: Mapping[str, Column], missing: tuple[str, ...]) -> str | None:
    if missing:
        return (
            f"table app.{table.name} has lost the columns {', '.join(missing)}: nothing of it is loaded until the policy "
            "says what holds now"
        )
    hidden = [name for name in table.columns if not found[name].is_readable]
    if hidden:
        return f"table app.{table.name}: the role has no right to read {', '.join(hidden)} (GRANT SELECT)"
    retyped = [name for name, word in table.types.items() if name in table.columns and not found[name].fits(word)]
    if retyped:
        told = ", ".join(
            f"{name} ({table.types[name]} in the policy, {found[name].type_name} there)" for name in retyped
        )
        return (
            f"table app.{table.name} has columns of another type: {told}: nothing of it is loaded until the policy says "
            "what holds now"
        )
    return None


def _landing_error(table: SourceTable, error: duckdb.Error) -> str:
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException):
        why = "a value does not fit its column's type in landing (NaN or infinity in a numeric?)"
    elif isinstance(error, duckdb.IOException):
        why = "landing could not be written (is the disk full?)"
    else:
        why = f"the stream broke off ({type(error).__name__})"
    return f"table app.{table.name} could not be landed: {why}"


def read_whole_state(this: Pass, snapshot: Snapshot, found: Found, ranges: Sequence[str]) -> TableState:
    """The table as the server sums it up. Raises LeiiError if it cannot be believed, or is not what it was at the moment."""
    name = found.table.name
    state = read_state(snapshot, found.table, found.keys, ranges, now=this.now, digest_key=this.digest_key)
    if was_rewritten(snapshot, name):
        raise LeiiError(f"table app.{name} was rewritten or truncated during the pass: the next one reads it")
    refuse_mass_deletion(this, name, this.landing.cursor(SOURCE, name).get("key_count"), state.key_count)
    return state


def refuse_mass_deletion(this: Pass, name: str, before: int | None, now: int) -> None:
    if this.allow_mass_deletion or not before or before < MASS_DELETION_FROM:
        return
    if now < before * MASS_DELETION_SHARE:
        raise LeiiError(
            f"table app.{name} had {before} rows on the last pass and has {now} now: if that is right, "
            "allow the mass deletion; if not, check that LEII_APP_DB_DSN names the right database"
        )


def ranges_of(this: Pass, snapshot: Snapshot, found: Found) -> list[str]:
    return page_ranges(snapshot, found.table.name, this.source.batch_rows)


def land_rows(
    this: Pass, snapshot: Snapshot, found: Found, parts: Sequence[str], moved: Mapping[str, Any]
) -> Batch | None:
    """Stream rows into landing; returns the batch if every row is in it. The cursor remembers what the next pass's window
    holds already.

    Values that no later step could hold are rare, and looking for them on the server is dear: only when one has broken the
    stream are their rows set aside, and the others read again. A list does not break it, and is always looked at there.
    """
    table, columns = found.table, found.columns
    if not any(column.category == "A" for column in columns):
        try:
            return snapshot.attempt(lambda: _stream_rows(this, snapshot, found, parts, moved))
        except (duckdb.Error, dbapi.Error, pa.ArrowException, OSError) as failed:
            if getattr(failed, "sqlstate", None):
                raise
    for part in parts:
        this.quarantined[table.name] += set_aside(snapshot, this.quarantine, table, columns, part)
    readable = [f"({part}) AND NOT ({unreadable_condition(columns)})" for part in parts]
    _stream_rows(this, snapshot, found, readable, moved)
    return None


def _stream_rows(
    this: Pass, snapshot: Snapshot, found: Found, parts: Sequence[str], moved: Mapping[str, Any]
) -> Batch | None:
    selected = ", ".join(checked_expression(column) for column in found.columns)
    queries = [select_query(found.table, found.columns, part) for part in parts]
    with snapshot.stream(*queries) as reader:
        batch = this.landing.write(SOURCE, found.table.name, "rows", reader, moved, select=selected)
    this.landed[found.table.name] += batch.row_count if batch else 0
    return batch


def land_keys(
    this: Pass,
    snapshot: Snapshot,
    found: Found,
    ranges: Sequence[str],
    moved: Mapping[str, Any],
    *,
    whole_batch: Batch | None,
) -> None:
    """Land the whole set of keys: from the batch of all rows where this pass has one, else from the server."""
    name = found.table.name
    if whole_batch is not None:
        names = ", ".join(quoted(column.name) for column in found.keys)
        this.landing.write(SOURCE, name, "keys", whole_batch, moved, select=names)
        return
    selected = ", ".join(landing_expression(column) for column in found.keys)
    with snapshot.stream(*(select_query(found.table, found.keys, one) for one in ranges)) as reader:
        this.landing.write(SOURCE, name, "keys", reader, moved, select=selected)
