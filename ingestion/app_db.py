"""The app database into landing: what has changed since the last pass, and what is gone.

A pass reads all tables in one snapshot. For each table one query on the server tells whether anything can have
changed: the rows since the cursor less an overlap (a transaction can commit minutes after the times in its rows), and
the whole set of keys, each as one hash. Only what differs from the last pass is read and landed. A pass whose connection
breaks begins again with a new snapshot, in which what has been landed already is found unchanged.

Where the source says so, changes come by logical replication instead (`ingestion.app_db_replication`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_random_exponential

from ingestion.app_db_pass import (
    SOURCE,
    AppDbPull,
    Found,
    Pass,
    TablePull,
    find,
    land_keys,
    land_rows,
    ranges_of,
    read_whole_state,
    unlisted,
    why_failed,
)
from ingestion.app_db_queries import CannotConnectError, Snapshot, SnapshotLostError, open_snapshot
from ingestion.app_db_replication import leave_replication, pull_replicated
from ingestion.app_db_source import AppDbSource
from ingestion.app_db_state import TableState, read_window
from ingestion.app_db_tables import read_catalogue, window_condition
from ingestion.landing import Landing
from ingestion.quarantine import Quarantine
from ingestion.source_tables import SourceTable
from storage import LeiiError, Workspace

ATTEMPTS = 4
LONGEST_WAIT_SECONDS = 20.0


def pull_app_db(
    workspace: Workspace,
    landing: Landing,
    source: AppDbSource,
    *,
    tables: Sequence[SourceTable],
    overlap: timedelta = timedelta(minutes=15),
    allow_mass_deletion: bool = False,
) -> AppDbPull:
    """Land what is new, changed or deleted in these tables. A table that cannot be read is reported; the others go on.

    Raises LeiiError only when the database cannot be reached, or breaks off again and again: what is landed by then stays,
    and the next pass goes on from there. A table of a thousand rows or more of which most are gone since the last pass
    is not believed (a wrong or half-restored database would erase everybody) unless `allow_mass_deletion` is set.
    """
    this = Pass(
        source=source,
        landing=landing,
        now=workspace.now,
        overlap=overlap,
        allow_mass_deletion=allow_mass_deletion,
        digest_key=workspace.keyring.zone_key("landing", "cursor"),
        quarantine=Quarantine(workspace),
    )
    if source.is_replicated:
        pulls = _retrying(this, lambda: pull_replicated(this, workspace, tables))
    else:
        leave_replication(this)
        pulls = _retrying(this, lambda: _pull_by_time(this, tables))
    return AppDbPull(tables=tuple(pulls), notes=tuple(this.notes))


def _retrying(this: Pass, attempt: Callable[[], list[TablePull]]) -> list[TablePull]:
    """Begin again when the connection breaks; a database that could not be reached at first is not waited for."""

    def is_worth_it(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        lost = isinstance(error, SnapshotLostError)
        return lost or (state.attempt_number > 1 and isinstance(error, CannotConnectError))

    def note(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        this.notes.append(f"{error}; the pass began again, in a new snapshot")

    def give_up(state: RetryCallState) -> list[TablePull]:
        error = state.outcome.exception() if state.outcome else None
        raise LeiiError(
            f"{error}, {state.attempt_number} times: what has been read by now is landed, and the next run goes on from "
            "there"
        ) from None

    return Retrying(
        retry=is_worth_it,
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_SECONDS),
        before_sleep=note,
        retry_error_callback=give_up,
    )(attempt)


def _pull_by_time(this: Pass, tables: Sequence[SourceTable]) -> list[TablePull]:
    source = this.source
    with open_snapshot(
        source.reading_dsn,
        connections=source.connections,
        statement_timeout_seconds=source.statement_timeout_seconds,
    ) as snapshot:
        catalogue = snapshot.attempt(lambda: read_catalogue(snapshot))
        pulls = [_pull_table(this, snapshot, find(table, catalogue.get(table.name))) for table in tables]
    return pulls + unlisted(catalogue, tables)


def _pull_table(this: Pass, snapshot: Snapshot, found: Found) -> TablePull:
    error = found.error or why_failed(
        found.table, lambda: snapshot.attempt(lambda: _land_changes(this, snapshot, found))
    )
    return found.outcome(this, error)


def _land_changes(this: Pass, snapshot: Snapshot, found: Found) -> None:
    """Land what differs from the last pass."""
    table, shape = found.table, this.shape(found.columns)
    cursor = this.landing.cursor(SOURCE, table.name)
    if cursor.get("shape") != shape:
        cursor = {name: cursor[name] for name in ("keys", "key_count") if name in cursor}
    ranges = ranges_of(this, snapshot, found)
    state = read_whole_state(this, snapshot, found, ranges)
    since = "true" if _went_back(this, cursor, state) else window_condition(table, cursor, this.overlap)
    moved: dict[str, Any]
    batch = None
    if "window" not in cursor or _window(this, snapshot, found, ranges, cursor) != cursor["window"]:
        moved = {"shape": shape, "keys": cursor.get("keys"), "key_count": cursor.get("key_count")}
        if state.time is not None:
            moved |= {"time": state.time.astimezone(UTC).isoformat(), "key": state.key}
        moved["window"] = _window(this, snapshot, found, ranges, moved)
        batch = land_rows(this, snapshot, found, ranges if since == "true" else [since], moved)
    if state.keys != cursor.get("keys"):
        moved = {**this.landing.cursor(SOURCE, table.name), "keys": state.keys, "key_count": state.key_count}
        land_keys(this, snapshot, found, ranges, moved, whole_batch=batch if since == "true" else None)


def _window(this: Pass, snapshot: Snapshot, found: Found, ranges: Sequence[str], cursor: Mapping[str, Any]) -> str:
    return read_window(
        snapshot, found.table, found.columns, ranges, cursor, overlap=this.overlap, digest_key=this.digest_key
    )


def _went_back(this: Pass, cursor: Mapping[str, Any], state: TableState) -> bool:
    """The source is older than what was read of it (restored from a backup, or its newest rows deleted)."""
    if cursor.get("time") is None:
        return False
    return state.time is None or state.time < datetime.fromisoformat(cursor["time"]) - this.overlap
