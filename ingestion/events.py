"""Tracking events into landing: new files, their good lines once each and as consent leaves them, the rest to quarantine.

Nothing of an event is stored but what some purpose gets, and that reduced (`event_reduction`).

A chunk of lines is one step: broken lines are durable in quarantine before the batch is registered, and a file enters
the manifest together with the batch that holds its last line. A killed pull reads the unfinished files again; message
ids tell the doubles apart.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.app_db_queries import read_arrow
from ingestion.consent import REFUSALS, permitted_sql, refused_sql, ruled_sql
from ingestion.event_fields import COUNTRY, ENVELOPE_ONLY, EventFields
from ingestion.event_files import Damage, Lines, read_lines
from ingestion.event_rules import checked_sql, reason_sql
from ingestion.event_store import EventFile, EventStore, S3Access, new_event_files, open_store
from ingestion.ip_countries import countries_sql, load_countries
from ingestion.landing import Landing
from ingestion.quarantine import Quarantine
from ingestion.register import SeenFile
from storage import Workspace, count

SOURCE = "events"
TABLE = "event"
LISTING = "listing"
"""The cursor that says how far the root was listed."""

CHUNK_BYTES = 64 << 20
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z_ .-]{0,39}[0-9]{0,2}")
"""What a property's name looks like that is shown; a client could use an address or a number as a name."""

NAMELESS = "(a name that is not shown)"
REFUSAL_SCHEMA = pa.schema(
    [
        ("who", pa.string()),
        ("kind", pa.string()),
        ("category", pa.string()),
        ("since", pa.timestamp("us", tz="UTC")),
        ("until", pa.timestamp("us", tz="UTC")),
    ]
)
LINE_SCHEMA = pa.schema([("file", pa.int32()), ("line", pa.int64()), ("content", pa.binary())])
DAMAGE_SCHEMA = pa.schema(
    [("file", pa.int32()), ("line", pa.int64()), ("reason_code", pa.string()), ("content", pa.binary())]
)


Refusals: TypeAlias = Callable[[], pa.Table]
"""Gives the times in which the app's newest record was a refusal, as a table of REFUSAL_SCHEMA."""


def no_refusals() -> pa.Table:
    return REFUSAL_SCHEMA.empty_table()


def read_refusals(dsn: str) -> pa.Table:
    """Those in the app database. Raises LeiiError."""
    return read_arrow(dsn, REFUSALS).cast(REFUSAL_SCHEMA)


@dataclass(frozen=True, kw_only=True)
class EventsPull:
    """One pass over the event files. `lines` counts all that were read; a damaged file adds one to `quarantined`.

    lines = landed + duplicates + refused_without_consent + quarantined lines + blank lines. `duplicates` are those within
    this pass; whoever loads the batches knows the ones of earlier passes by their message id. `quarantined` counts what
    quarantine did not have already. `unclassified` are the names of fields and properties that nobody has classified;
    they were left out.
    """

    files: int = 0
    lines: int = 0
    landed: int = 0
    duplicates: int = 0
    quarantined: int = 0
    refused_without_consent: int = 0
    unclassified: frozenset[str] = field(default=frozenset(), compare=False)

    def plus(self, other: "EventsPull") -> "EventsPull":
        counts = {one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self) if one.compare}
        return EventsPull(**counts, unclassified=self.unclassified | other.unclassified)

    @property
    def rows(self) -> int:
        """Landed rows, by the name that the other sources have for them."""
        return self.landed


@dataclass(kw_only=True)
class _Chunk:
    """Lines of one or several files, and the files that end in them."""

    pieces: list[pa.RecordBatch] = field(default_factory=list)
    damages: list[tuple[int, Damage]] = field(default_factory=list)
    finished: list[EventFile] = field(default_factory=list)
    lines: int = 0
    size: int = 0

    def add(self, file: int, part: Lines | Damage) -> None:
        if isinstance(part, Damage):
            self.damages.append((file, part))
            return
        lines = len(part.content)
        numbers = np.arange(part.first_line, part.first_line + lines, dtype=np.int64)
        arrays = [pa.array(np.full(lines, file, dtype=np.int32)), pa.array(numbers), part.content]
        self.pieces.append(pa.RecordBatch.from_arrays(arrays, schema=LINE_SCHEMA))
        self.lines += lines
        self.size += part.content.nbytes


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """What every chunk of one pass shares."""

    con: duckdb.DuckDBPyConnection
    workspace: Workspace
    landing: Landing
    quarantine: Quarantine
    wanted: EventFields
    refusals: Refusals
    has_countries: bool


def pull_events(
    workspace: Workspace,
    landing: Landing,
    quarantine: Quarantine | None = None,
    *,
    root: str,
    wanted: EventFields = ENVELOPE_ONLY,
    refusals: Refusals = no_refusals,
    s3: S3Access | None = None,
    ip_countries: Path | None = None,
    chunk_lines: int = 200_000,
) -> EventsPull:
    """Land the events of the files under `root` that are new or have changed since they were read.

    `root` is a folder, or `s3://bucket/prefix`, which is reached as `s3` says. Of an event the fields of `wanted` are kept;
    without any, only what every event has. `refusals` gives what the app's records of consent refuse (`read_refusals`), and
    is asked if there is an event to be ruled on; without it an event goes by what it bears. `ip_countries` is a file of
    ranges (see `ip_countries`); without it no event has a country. Raises LeiiError when the root or the app database is
    not there.
    """
    store = open_store(root, s3)
    found = new_event_files(workspace, store, landing.seen_files(SOURCE), landing.cursor(SOURCE, LISTING))
    pull = EventsPull()
    unread: list[EventFile] = []
    if found.files:
        names = [file.name for file in found.files]
        with _open_pass(workspace, landing, quarantine, names, wanted, refusals, ip_countries) as this:
            for chunk in _one_ahead(_chunks(store, found.files, chunk_lines, unread)):
                pull = pull.plus(_land_chunk(this, chunk))
    landing.move_cursor(SOURCE, LISTING, found.cursor(unread))
    return pull


def land_again(
    workspace: Workspace,
    landing: Landing,
    quarantine: Quarantine,
    rows: pa.Table,
    *,
    wanted: EventFields = ENVELOPE_ONLY,
    refusals: Refusals = no_refusals,
    ip_countries: Path | None = None,
) -> tuple[EventsPull, pa.ChunkedArray]:
    """Land those of these quarantined lines (position, line, content) that pass by now, as if a file had brought them.

    Gives also, for each of the rows, whether it passed. Those stay in quarantine until the caller removes them: doing it
    again lands the same messages, of which whoever loads them keeps one. The options are those of `pull_events`.
    """
    names = rows["position"].unique().to_pylist()
    files = pc.index_in(rows["position"], pa.array(names, pa.string())).combine_chunks()
    table = pa.table({"file": files, "line": rows["line"], "content": rows["content"]}, schema=LINE_SCHEMA)
    chunk = _Chunk(pieces=table.combine_chunks().to_batches(), lines=table.num_rows)
    with _open_pass(workspace, landing, quarantine, names, wanted, refusals, ip_countries) as this:
        pull = _land_chunk(this, chunk)
        this.con.register("offered", table.select(["file", "line"]).append_column("place", pa.array(range(len(table)))))
        passed = this.con.execute(
            "SELECT reason_code IS NULL AND checked.file IS NOT NULL AND retyped.file IS NULL FROM offered "
            "LEFT JOIN checked USING (file, line) LEFT JOIN retyped USING (file, line) ORDER BY place"
        ).to_arrow_table()
    return pull, passed.column(0)


@contextmanager
def _open_pass(
    workspace: Workspace,
    landing: Landing,
    quarantine: Quarantine | None,
    names: Sequence[str],
    wanted: EventFields,
    refusals: Refusals,
    ip_countries: Path | None,
) -> Iterator[_Pass]:
    """A connection with what every chunk needs; `names` are those of the files that the lines' numbers of files stand for."""
    with workspace.connect() as con:
        con.execute("SET preserve_insertion_order = false")
        con.execute("CREATE TEMP TABLE seen_message (message_hash UHUGEINT)")
        con.register("event_file", pa.table({"file": range(len(names)), "name": pa.array(names, pa.string())}))
        load_countries(con, ip_countries)
        yield _Pass(
            con=con,
            workspace=workspace,
            landing=landing,
            quarantine=quarantine or Quarantine(workspace),
            wanted=wanted,
            refusals=cache(refusals),
            has_countries=ip_countries is not None and any(field.path == COUNTRY for field in wanted.kept),
        )


def _chunks(
    store: EventStore, files: Sequence[EventFile], chunk_lines: int, unread: list[EventFile]
) -> Iterator[_Chunk]:
    """As many files as fill a chunk; a large file goes over several. Those that the store does not give go to `unread`."""
    chunk = _Chunk()
    for number, file in enumerate(files):
        try:
            with store.open(file.path) as stream:
                for part in read_lines(stream):
                    chunk.add(number, part)
                    if chunk.lines >= chunk_lines or chunk.size >= CHUNK_BYTES:
                        yield chunk
                        chunk = _Chunk()
        except OSError:
            unread.append(file)
            chunk.add(number, Damage(line=0, reason_code="unreadable_file", rest=b""))
            continue
        chunk.finished.append(file)
    if chunk.lines or chunk.damages or chunk.finished:
        yield chunk


def _one_ahead(chunks: Iterator[_Chunk]) -> Iterator[_Chunk]:
    """The same chunks; each is read and unpacked while the one before is worked on."""
    with ThreadPoolExecutor(1, "event-lines") as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


def _land_chunk(this: _Pass, chunk: _Chunk) -> EventsPull:
    con = this.con
    latest_now = max(this.workspace.now, datetime.now(UTC))
    con.register("line", pa.Table.from_batches(chunk.pieces, schema=LINE_SCHEMA))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE checked AS {checked_sql(latest_now, this.wanted, with_countries=this.has_countries)}"
    )
    con.unregister("line")
    has_events = count(con, "SELECT count(*) FROM checked WHERE reason_code IS NULL") > 0
    con.register("refusal", this.refusals() if has_events else no_refusals())
    con.execute(f"CREATE OR REPLACE TEMP TABLE refused AS {refused_sql('checked')}")
    con.execute(f"CREATE OR REPLACE TEMP VIEW ruled AS {ruled_sql('checked')}")
    # What consent does not let through is not kept for being of another type either.
    con.execute(
        "CREATE OR REPLACE TEMP TABLE retyped AS SELECT file, line FROM ruled "
        "WHERE reason_code IS NULL AND retyped IS NOT NULL AND verdict = 'whole'"
    )
    quarantined = this.quarantine.add(_broken(con, chunk, this.wanted))
    duplicates = _keep_first_of_each_message(con)
    refused = count(con, "SELECT count(*) FROM fresh WHERE verdict = 'refused'")
    batch = this.landing.write(
        SOURCE,
        TABLE,
        "rows",
        _with_countries(con) if this.has_countries else permitted_sql("fresh"),
        {"pulled_at": this.workspace.now.isoformat()},
        con=con,
        seen_files=[SeenFile(source=SOURCE, path=file.manifest_id, version=file.version) for file in chunk.finished],
    )
    return EventsPull(
        files=len(chunk.finished),
        lines=chunk.lines,
        landed=batch.row_count if batch else 0,
        duplicates=duplicates,
        quarantined=quarantined,
        refused_without_consent=refused,
        unclassified=_unclassified(con, this.wanted),
    )


def _with_countries(con: duckdb.DuckDBPyConnection) -> str:
    """The rows to be landed, with the country of each address that lies in a range."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE ip_country AS {countries_sql('checked')}")
    patch = "json_object('context', json_object('ip_country', country))"
    return f"""
        SELECT * EXCLUDE (ip_number, country) REPLACE (
            CASE WHEN country IS NULL OR NOT json_exists(payload, '$.context.ip') THEN payload
                ELSE json_merge_patch(payload, {patch})::VARCHAR END AS payload
        )
        FROM ({permitted_sql("fresh", "ip_number")}) LEFT JOIN ip_country USING (ip_number)"""


def _unclassified(con: duckdb.DuckDBPyConnection, wanted: EventFields) -> frozenset[str]:
    """Names of the good events that the policy does not list; one that could be a value is not repeated."""
    found = con.execute("""
        SELECT DISTINCT '' AS place, unnest(names) AS name FROM checked WHERE reason_code IS NULL
        UNION SELECT DISTINCT 'properties.', unnest(property_names) FROM checked WHERE reason_code IS NULL
    """).fetchall()
    known = {"": wanted.names, "properties.": wanted.properties}
    return frozenset(
        f"{place}{name if PLAIN_NAME.fullmatch(name) else NAMELESS}"
        for place, name in found
        if name not in known[place]
    )


def _broken(con: duckdb.DuckDBPyConnection, chunk: _Chunk, wanted: EventFields) -> pa.Table:
    damages = [
        {"file": file, "line": damage.line, "reason_code": damage.reason_code, "content": damage.rest}
        for file, damage in chunk.damages
    ]
    con.register("damage", pa.Table.from_pylist(damages, schema=DAMAGE_SCHEMA))
    return con.sql(
        f"""
        SELECT '{SOURCE}' AS source, name AS position, line, reason_code, {reason_sql(wanted)} AS reason, content
        FROM (
            SELECT file, line, reason_code, content FROM checked WHERE reason_code IS NOT NULL
            UNION ALL
            SELECT file, line, retyped, content FROM checked SEMI JOIN retyped USING (file, line)
            UNION ALL
            SELECT file, line, reason_code, content FROM damage
        ) JOIN event_file USING (file)
        """
    ).to_arrow_table()


def _keep_first_of_each_message(con: duckdb.DuckDBPyConnection) -> int:
    """View `fresh`: the good events whose message this pass has not had, with what consent says. Returns the doubles."""
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE first_of_message AS
        WITH good AS (FROM checked ANTI JOIN retyped USING (file, line) WHERE message_hash IS NOT NULL)
        SELECT message_hash, arg_min({'file': file, 'line': line}, (file, line)) AS place, count(*) AS copies
        FROM good
        GROUP BY message_hash
        """
    )
    copies = count(con, "SELECT coalesce(sum(copies), 0)::BIGINT FROM first_of_message")
    con.execute("DELETE FROM first_of_message WHERE message_hash IN (FROM seen_message)")
    con.execute(
        """
        CREATE OR REPLACE TEMP VIEW fresh AS
        SELECT * FROM ruled SEMI JOIN (SELECT place.file, place.line FROM first_of_message) AS places USING (file, line)
        """
    )
    con.execute("INSERT INTO seen_message SELECT message_hash FROM first_of_message")
    return copies - count(con, "SELECT count(*) FROM first_of_message")
