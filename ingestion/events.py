"""Tracking events into landing: new files, their good lines once each and as consent leaves them, the rest to quarantine.

A chunk of lines is one step: broken lines are durable in quarantine before the batch is registered, and a file enters
the manifest together with the batch that holds its last line. A killed pull reads the unfinished files again; message
ids tell the doubles apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.consent import permitted_sql, verdict_sql
from ingestion.event_files import Damage, EventFile, Lines, new_event_files, read_lines
from ingestion.event_rules import checked_sql, reason_sql
from ingestion.landing import Landing
from ingestion.quarantine import Quarantine
from ingestion.register import SeenFile
from storage import Workspace, count

SOURCE = "events"
TABLE = "event"
CHUNK_BYTES = 64 << 20
LINE_SCHEMA = pa.schema([("file", pa.int32()), ("line", pa.int64()), ("content", pa.binary())])
DAMAGE_SCHEMA = pa.schema(
    [("file", pa.int32()), ("line", pa.int64()), ("reason_code", pa.string()), ("content", pa.binary())]
)


@dataclass(frozen=True, kw_only=True)
class EventsPull:
    """One pass over the event files. `lines` counts all that were read; a damaged file adds one to `quarantined`.

    lines = landed + duplicates + refused_without_consent + quarantined lines + blank lines. `duplicates` are those within
    this pass; whoever loads the batches knows the ones of earlier passes by their message id. `quarantined` counts what
    quarantine did not have already.
    """

    files: int = 0
    lines: int = 0
    landed: int = 0
    duplicates: int = 0
    quarantined: int = 0
    refused_without_consent: int = 0

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


def pull_events(
    workspace: Workspace,
    landing: Landing,
    quarantine: Quarantine | None = None,
    *,
    root: str,
    chunk_lines: int = 200_000,
) -> EventsPull:
    """Land the events of the files under `root` that are new or have changed since they were read.

    `root` is a folder or whatever fsspec can open (`s3://…`). Raises LeiiError when it is not there.
    """
    quarantine = quarantine or Quarantine(workspace)
    store, files = new_event_files(workspace, root, landing.seen_files(SOURCE))
    pull = EventsPull()
    with workspace.connect() as con:
        con.execute("SET preserve_insertion_order = false")
        con.execute("CREATE TEMP TABLE seen_message (message_hash UHUGEINT)")
        con.register("event_file", pa.table({"file": range(len(files)), "name": [file.name for file in files]}))
        for chunk in _chunks(store, files, chunk_lines):
            done = _land_chunk(con, workspace, landing, quarantine, chunk)
            pull = EventsPull(**{name: number + getattr(done, name) for name, number in vars(pull).items()})
    return pull


def land_again(
    workspace: Workspace, landing: Landing, quarantine: Quarantine, rows: pa.Table
) -> tuple[EventsPull, pa.ChunkedArray]:
    """Land those of these quarantined lines (position, line, content) that pass by now, as if a file had brought them.

    Gives also, for each of the rows, whether it passed. Those stay in quarantine until the caller removes them: doing it
    again lands the same messages, of which whoever loads them keeps one.
    """
    names = rows["position"].unique().to_pylist()
    files = pc.index_in(rows["position"], pa.array(names, pa.string())).combine_chunks()
    table = pa.table({"file": files, "line": rows["line"], "content": rows["content"]}, schema=LINE_SCHEMA)
    chunk = _Chunk(pieces=table.combine_chunks().to_batches(), lines=table.num_rows)
    with workspace.connect() as con:
        con.execute("CREATE TEMP TABLE seen_message (message_hash UHUGEINT)")
        con.register("event_file", pa.table({"file": range(len(names)), "name": names}))
        pull = _land_chunk(con, workspace, landing, quarantine, chunk)
        con.register("offered", table.select(["file", "line"]).append_column("place", pa.array(range(len(table)))))
        passed = con.execute(
            "SELECT reason_code IS NULL AND checked.file IS NOT NULL FROM offered "
            "LEFT JOIN checked USING (file, line) ORDER BY place"
        ).to_arrow_table()
    return pull, passed.column(0)


def _chunks(store: fsspec.AbstractFileSystem, files: list[EventFile], chunk_lines: int) -> Iterator[_Chunk]:
    """As many files as fill a chunk; a large file goes over several."""
    chunk = _Chunk()
    for number, file in enumerate(files):
        try:
            stream = store.open(file.path, "rb")
        except OSError:
            chunk.add(number, Damage(line=0, reason_code="unreadable_file", rest=b""))
            continue
        with stream:
            for part in read_lines(stream):
                chunk.add(number, part)
                if chunk.lines >= chunk_lines or chunk.size >= CHUNK_BYTES:
                    yield chunk
                    chunk = _Chunk()
        chunk.finished.append(file)
    if chunk.lines or chunk.damages or chunk.finished:
        yield chunk


def _land_chunk(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, landing: Landing, quarantine: Quarantine, chunk: _Chunk
) -> EventsPull:
    latest_now = max(workspace.now, datetime.now(UTC))
    con.register("line", pa.Table.from_batches(chunk.pieces, schema=LINE_SCHEMA))
    con.execute(f"CREATE OR REPLACE TEMP TABLE checked AS {checked_sql(latest_now)}")
    con.unregister("line")
    quarantined = quarantine.add(_broken(con, chunk))
    duplicates = _keep_first_of_each_message(con)
    refused = count(con, "SELECT count(*) FROM fresh WHERE verdict = 'refused'")
    batch = landing.write(
        SOURCE,
        TABLE,
        "rows",
        permitted_sql("fresh"),
        {"pulled_at": workspace.now.isoformat()},
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
    )


def _broken(con: duckdb.DuckDBPyConnection, chunk: _Chunk) -> pa.Table:
    damages = [
        {"file": file, "line": damage.line, "reason_code": damage.reason_code, "content": damage.rest}
        for file, damage in chunk.damages
    ]
    con.register("damage", pa.Table.from_pylist(damages, schema=DAMAGE_SCHEMA))
    return con.sql(
        f"""
        SELECT '{SOURCE}' AS source, name AS position, line, reason_code, {reason_sql()} AS reason, content
        FROM (
            SELECT file, line, reason_code, content FROM checked WHERE reason_code IS NOT NULL
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
        SELECT message_hash, arg_min({'file': file, 'line': line}, (file, line)) AS place
        FROM checked ANTI JOIN (SELECT message_hash FROM seen_message SEMI JOIN checked USING (message_hash)) AS known
            USING (message_hash)
        WHERE message_hash IS NOT NULL
        GROUP BY message_hash
        """
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW fresh AS
        SELECT *, {verdict_sql()} AS verdict FROM checked
        SEMI JOIN (SELECT place.file, place.line FROM first_of_message) AS places USING (file, line)
        """
    )
    con.execute("INSERT INTO seen_message SELECT message_hash FROM first_of_message")
    return count(con, "SELECT count(message_hash) - (SELECT count(*) FROM first_of_message) FROM checked")
