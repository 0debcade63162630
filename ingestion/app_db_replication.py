"""The app database followed by logical replication: every change once, in the order of commits, from a slot of Leii's own.

A table is read whole at first, at a moment whose position in the WAL is known; from there on its changes are taken. What
one look at the slot gives is landed together with the position that it reaches, in one transaction of landing's, and
only then is the slot advanced: killed in between, the next pass sees the same changes again and knows the position. A table
that cannot go on (its columns have changed, a value does not fit) is marked, and read whole again.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import duckdb
import psycopg
import pyarrow as pa

from ingestion.app_db_changes import Followed, stage_changes
from ingestion.app_db_pass import (
    SOURCE,
    Found,
    Pass,
    TablePull,
    find,
    land_keys,
    land_rows,
    ranges_of,
    read_whole_state,
    refuse_mass_deletion,
    unlisted,
    why_failed,
)
from ingestion.app_db_queries import Snapshot, open_snapshot
from ingestion.app_db_slot import (
    Moment,
    Slot,
    advance_slot,
    drop_slot,
    exported_moment,
    flushed_position,
    idle_slot,
    make_slot,
    open_primary,
    read_slot,
    require_replication,
)
from ingestion.app_db_tables import literal_text, quoted, read_catalogue, select_query
from ingestion.app_db_unreadable import checked_expression, set_aside, unreadable_condition
from ingestion.landing import Write
from ingestion.source_tables import SourceTable
from storage import LeiiError, Workspace

SLOT_CURSOR = "(slot)"
"""Beside the tables' cursors: which slot is read, how far that was landed, and the tables whose every change is landed."""

MEGABYTE = 1 << 20
KEYS_A_QUERY = 2_000

Connection = psycopg.Connection[dict[str, Any]]


def pull_replicated(this: Pass, workspace: Workspace, tables: Sequence[SourceTable]) -> list[TablePull]:
    """One pass: tables that are not followed yet are read whole, the others' changes are taken."""
    source = this.source
    with open_primary(source) as connection, workspace.connect() as con:
        require_replication(connection, source)
        _ready_slot(this, connection)
        with open_snapshot(source.dsn) as snapshot:
            catalogue = snapshot.attempt(lambda: read_catalogue(snapshot))
        founds = [find(table, catalogue.get(table.name)) for table in tables]
        errors = {found.table.name: found.error or _unpublished(connection, source.slot, found) for found in founds}
        able = [found for found in founds if errors[found.table.name] is None]
        unread = [found for found in able if not _is_followed(this, found)]
        _note_followed(this, {found.table.name for found in able} - {found.table.name for found in unread})
        if unread:
            errors |= _read_whole(this, unread)
        followed = [found for found in able if errors[found.table.name] is None]
        errors |= _follow(this, connection, con, followed)
        _warn_of_kept_wal(this, connection)
    return [found.outcome(this, errors[found.table.name]) for found in founds] + unlisted(catalogue, tables)


def leave_replication(this: Pass) -> None:
    """Drop the slot of a Leii that followed it before: nobody would advance it any more."""
    cursor = this.landing.cursor(SOURCE, SLOT_CURSOR)
    if not cursor:
        return
    name = cursor["slot"]
    try:
        with open_primary(this.source) as connection:
            drop_slot(connection, name)
    except LeiiError as error:
        this.notes.append(f"the replication slot {name} is not used any more and could not be dropped ({error})")
        return
    this.landing.move_cursor(SOURCE, SLOT_CURSOR, {})
    this.notes.append(f"logical replication is no longer set: its slot {name} was dropped, every table is read whole")


def _ready_slot(this: Pass, connection: Connection) -> None:
    """See that the slot goes on from where landing is, or make another, by which no table is followed yet."""
    name = this.source.slot
    cursor = this.landing.cursor(SOURCE, SLOT_CURSOR)
    slot = idle_slot(connection, name)
    lost = _why_lost(cursor, slot, name) if cursor else None
    if slot is not None and cursor and lost is None:
        if slot.confirmed < cursor["position"]:
            advance_slot(connection, name, cursor["position"])
        return
    if cursor and cursor["slot"] != name:
        drop_slot(connection, cursor["slot"])
    drop_slot(connection, name)
    slot = make_slot(connection, name)
    moved = {"slot": name, "system": slot.system, "position": slot.confirmed, "followed": []}
    this.landing.move_cursor(SOURCE, SLOT_CURSOR, moved)
    if lost is not None:
        this.notes.append(f"changes since the last pass are lost, as {lost}: every table is read whole")


def _why_lost(cursor: Mapping[str, Any], slot: Slot | None, name: str) -> str | None:
    if cursor["slot"] != name:
        return f"the slot is {name} now and was {cursor['slot']}"
    if slot is None:
        return f"the replication slot {name} is gone"
    if slot.is_lost:
        return f"the server has removed WAL that the replication slot {name} needed (max_slot_wal_keep_size)"
    if slot.system != cursor["system"]:
        return "this is another server than before"
    if slot.confirmed > cursor["position"]:
        return f"somebody else has read from the replication slot {name}"
    return None


def _unpublished(connection: Connection, publication: str, found: Found) -> str | None:
    """Why a table's changes would not all come, with what the app team has to do."""
    name = found.table.name
    there = connection.execute(
        "select to_jsonb(p) -> 'attnames' as columns, to_jsonb(p) ->> 'rowfilter' as row_filter, c.relreplident::text as identity, "
        "(select array_agg(a.attname::text) from pg_index as i join pg_attribute as a on a.attrelid = c.oid "
        " and a.attnum = any(i.indkey) where i.indrelid = c.oid "
        " and case c.relreplident when 'd' then i.indisprimary else i.indisreplident end) as key "
        "from pg_publication_tables as p join pg_namespace as n on n.nspname = p.schemaname "
        "join pg_class as c on c.relnamespace = n.oid and c.relname = p.tablename "
        "where p.pubname = %s and p.schemaname = 'app' and p.tablename = %s",
        [publication, name],
    ).fetchone()
    if there is None:
        return f"table app.{name} is not in publication {publication}: ALTER PUBLICATION {publication} ADD TABLE app.{name}"
    if there["row_filter"] is not None:
        return f"table app.{name} is filtered in publication {publication}: its changes would not all come"
    hidden = [
        column for column in found.table.columns if there["columns"] is not None and column not in there["columns"]
    ]
    if hidden:
        return f"table app.{name}: publication {publication} leaves out the columns {', '.join(hidden)}"
    if there["identity"] != "f" and not set(found.table.key) <= set(there["key"] or ()):
        return (
            f"table app.{name}: its replica identity does not hold the key {', '.join(found.table.key)}, so that a deleted "
            f"row cannot be told: ALTER TABLE app.{name} REPLICA IDENTITY FULL, or give it that primary key"
        )
    return None


def _is_followed(this: Pass, found: Found) -> bool:
    cursor = this.landing.cursor(SOURCE, found.table.name)
    names = this.landing.cursor(SOURCE, SLOT_CURSOR)["followed"]
    return found.table.name in names and cursor.get("shape") == this.shape(found.columns)


def _note_followed(this: Pass, names: Set[str]) -> None:
    """Before the slot moves: the changes of any other table are passed over, so that it has to be read whole."""
    cursor = this.landing.cursor(SOURCE, SLOT_CURSOR)
    if set(cursor["followed"]) != names:
        this.landing.move_cursor(SOURCE, SLOT_CURSOR, {**cursor, "followed": sorted(names)})


def _read_whole(this: Pass, unread: Sequence[Found]) -> dict[str, str | None]:
    """All the rows and keys of these tables, at one moment; from its position on, their changes count."""
    source = this.source
    with (
        exported_moment(source) as moment,
        open_snapshot(
            source.dsn,
            connections=source.connections,
            statement_timeout_seconds=source.statement_timeout_seconds,
            exported=moment.snapshot,
        ) as snapshot,
    ):
        return {found.table.name: _read_table(this, snapshot, found, moment) for found in unread}


def _read_table(this: Pass, snapshot: Snapshot, found: Found, moment: Moment) -> str | None:
    def read() -> None:
        ranges = ranges_of(this, snapshot, found)
        state = read_whole_state(this, snapshot, found, ranges)
        before = this.landing.cursor(SOURCE, found.table.name).get("key_count")
        batch = land_rows(this, snapshot, found, ranges, {"key_count": before})
        moved = {"position": moment.position, "shape": this.shape(found.columns), "key_count": state.key_count}
        land_keys(this, snapshot, found, ranges, moved, whole_batch=batch)
        followed = this.landing.cursor(SOURCE, SLOT_CURSOR)["followed"]
        _note_followed(this, {*followed, found.table.name})

    return why_failed(found.table, lambda: snapshot.attempt(read))


def _follow(
    this: Pass, connection: Connection, con: duckdb.DuckDBPyConnection, founds: Sequence[Found]
) -> dict[str, str | None]:
    """Land what the slot gives, a part at a time; returns the errors of tables that could not go on."""
    errors: dict[str, str | None] = {}
    before: dict[str, int] = {
        one.table.name: this.landing.cursor(SOURCE, one.table.name)["key_count"] for one in founds
    }
    until = flushed_position(connection)
    while True:
        going = [one for one in founds if one.table.name not in errors]
        slot_cursor = this.landing.cursor(SOURCE, SLOT_CURSOR)
        followed = [_followed(this, found, con, number) for number, found in enumerate(going)]
        reached = stage_changes(connection, this.source, followed, until=until, position=slot_cursor["position"])
        end = reached if reached is not None else max(until or 0, slot_cursor["position"])
        slot_cursor |= {"position": end}
        errors |= _land_staged(this, con, followed, before, slot_cursor)
        advance_slot(connection, this.source.slot, end)
        if reached is None:
            return errors


def _followed(this: Pass, found: Found, con: duckdb.DuckDBPyConnection, number: int) -> Followed:
    cursor = this.landing.cursor(SOURCE, found.table.name)
    return Followed.of(found, con, f"staged_{number}", position=cursor["position"], key_count=cursor["key_count"])


def _land_staged(
    this: Pass,
    con: duckdb.DuckDBPyConnection,
    followed: Sequence[Followed],
    before: Mapping[str, int],
    slot_cursor: dict[str, Any],
) -> dict[str, str | None]:
    """Land every table's changes and move all cursors, in one transaction. A table that fails is no longer followed."""
    errors: dict[str, str | None] = {}
    writes: list[Write] = []
    cursors: dict[str, Mapping[str, Any]] = {SLOT_CURSOR: slot_cursor}
    for one in followed:
        name = one.found.table.name
        if not one.is_out_of_step and not one.staged.changes:
            continue
        error = one.why_out_of_step or why_failed(one.found.table, lambda one=one: _prepare(this, con, one, before))  # type: ignore[misc]
        if error is None:
            writes += _writes(con, one)
            cursors[name] = {**this.landing.cursor(SOURCE, name), "key_count": one.key_count}
        else:
            errors[name] = error
            cursors[name] = {"key_count": before[name]}
            slot_cursor["followed"] = [other for other in slot_cursor["followed"] if other != name]
    batches = this.landing.write_many(writes, con=con, cursors={(SOURCE, name): one for name, one in cursors.items()})
    for write, batch in zip(writes, batches, strict=True):
        if batch is not None and batch.kind == "rows":
            this.landed[write.table] += batch.row_count
    for one in followed:
        one.staged.drop()
    return errors


def _prepare(this: Pass, con: duckdb.DuckDBPyConnection, one: Followed, before: Mapping[str, int]) -> None:
    """Reduce the changes, give the rows landing's types, and read those that did not come whole."""
    staged, found = one.staged, one.found
    refuse_mass_deletion(this, found.table.name, before[found.table.name], one.key_count)
    staged.finish()
    selected = ", ".join(checked_expression(column) for column in found.columns)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {staged.name}_rows AS SELECT {selected} FROM ({staged.rows_sql()})")
    con.execute(f"CREATE OR REPLACE TEMP TABLE {staged.name}_deleted AS {staged.deleted_sql()}")
    if not staged.count("read"):
        return
    source = this.source
    with open_snapshot(source.dsn, statement_timeout_seconds=source.statement_timeout_seconds) as snapshot:
        for keys in staged.to_be_read(KEYS_A_QUERY):
            rows = snapshot.attempt(lambda keys=keys: _read_rows(this, snapshot, found, keys))  # type: ignore[misc]
            con.register("leii_read", rows)
            con.execute(f"INSERT INTO {staged.name}_rows SELECT {selected} FROM leii_read")
            con.unregister("leii_read")


def _read_rows(this: Pass, snapshot: Snapshot, found: Found, keys: Sequence[tuple[str, ...]]) -> pa.Table:
    """Those of these rows that can be held; the others are set aside."""
    among = _among(found, keys)
    this.quarantined[found.table.name] += set_aside(snapshot, this.quarantine, found.table, found.columns, among)
    readable = f"{among} AND NOT ({unreadable_condition(found.columns)})"
    return snapshot.table(select_query(found.table, found.columns, readable))


def _among(found: Found, keys: Sequence[tuple[str, ...]]) -> str:
    """The rows with these keys, given as PostgreSQL printed them."""
    lists = [
        f"ARRAY[{', '.join(literal_text(key[position]) for key in keys)}]::{quoted(column.type_name)}[]"
        for position, column in enumerate(found.keys)
    ]
    names = ", ".join(quoted(column.name) for column in found.keys)
    return f"({names}) IN (SELECT * FROM unnest({', '.join(lists)}))"


def _writes(con: duckdb.DuckDBPyConnection, one: Followed) -> list[Write]:
    """In the order in which they are to be taken: everything is gone, these are gone, these are there."""
    name, staged = one.found.table.name, one.staged
    writes = []
    if staged.was_truncated:
        nothing = f"SELECT * FROM {staged.name}_deleted WHERE false"
        writes.append(Write(source=SOURCE, table=name, kind="keys", rows=nothing))
    for kind, part in (("deleted", "deleted"), ("rows", "rows")):
        writes.append(Write(source=SOURCE, table=name, kind=kind, rows=f"FROM {staged.name}_{part}"))
    return writes


def _warn_of_kept_wal(this: Pass, connection: Connection) -> None:
    slot = read_slot(connection, this.source.slot)
    if slot is not None and slot.kept_bytes > this.source.kept_wal_limit_mb * MEGABYTE:
        this.notes.append(
            f"the replication slot {this.source.slot} keeps {slot.kept_bytes // MEGABYTE:,} MB of WAL back on the app's server: "
            "is a transaction left open there?"
        )
