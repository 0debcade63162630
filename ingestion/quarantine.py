"""Quarantine: what could not be read, encrypted, with where it stood and why; for fourteen days.

One file for what was put there at one time, so that expiry removes files and no byte stays behind. A reason never
repeats the content.
"""

import re
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.encrypted_parquet import give_key, read_encrypted, write_encrypted
from storage import KeyRing, Workspace, count, replace_durably

KEPT_FOR = timedelta(days=14)
CONTENT_LIMIT = 65_536
ABANDONED_AFTER_SECONDS = 3_600
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("position", pa.string()),
        ("line", pa.int64()),
        ("reason_code", pa.string()),
        ("reason", pa.string()),
        ("content", pa.binary()),
    ]
)
_ROW_ID = (
    "left(sha256(getvariable('quarantine_row_key') || sha256(concat_ws(chr(31), source, position, coalesce(line, -1)))"
    " || sha256(content)), 12)"
)
_NAME = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{32}\.parquet")
_NAME_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, kw_only=True)
class QuarantinedRow:
    """One thing that could not be read.

    `position` is the file, or the kind of Stripe object; `line` is the line in that file (from 1), or None. `reason` is
    in plain words and holds nothing of the content; only the first 64 kB of `content` are kept.
    """

    source: str
    position: str
    line: int | None
    reason_code: str
    reason: str
    content: bytes


class Quarantine:
    """The zone. Several processes may add to it at once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._folder = workspace.home.quarantine

    def add(self, rows: Sequence[QuarantinedRow] | pa.Table) -> int:
        """Keep these rows (a table has the columns of SCHEMA), durably; returns how many were not there already."""
        table = rows if isinstance(rows, pa.Table) else _table(rows)
        if table.num_rows == 0:
            return 0
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._connect() as con:
            con.register("offered", table.select(SCHEMA.names).cast(SCHEMA))
            kept = self._relation(self._files())
            return self._write(con, self._workspace.now, _fresh_rows(kept))

    def list(self, *, with_content: bool = False) -> pa.Table:
        """What is kept, newest first; with `with_content` the raw bytes too."""
        return self._listed("*" if with_content else "* EXCLUDE (content)")

    def identified(self) -> pa.Table:
        """As `list`, with `row_id`: a keyed hash by which `with_ids` and `remove` know the row, and from which nothing can be
        read."""
        return self._listed(f"{_ROW_ID} AS row_id, * EXCLUDE (content)")

    def with_ids(self, row_ids: Collection[str]) -> pa.Table:
        """These rows alone with their raw bytes, in the order of `identified`."""
        return self._listed(f"{_ROW_ID} AS row_id, *", f"WHERE {_ROW_ID} IN (SELECT row_id FROM wanted_row)", row_ids)

    def _listed(self, columns: str, condition: str = "", wanted: Collection[str] = ()) -> pa.Table:
        with self._connect() as con:
            con.register("wanted_row", pa.table({"row_id": pa.array(list(wanted), pa.string())}))
            kept = self._relation(self._files())
            query = f"SELECT {columns} FROM {kept} {condition} ORDER BY quarantined_at DESC, source, position, line"
            return con.sql(query).to_arrow_table()

    def counts(self) -> Sequence[dict[str, Any]]:
        """How many rows there are, by source and reason: source, reason_code, rows, oldest."""
        with self._connect() as con:
            query = (
                "SELECT source, reason_code, count(*) AS rows, min(quarantined_at) AS oldest "
                f"FROM {self._relation(self._files())} GROUP BY ALL ORDER BY ALL"
            )
            found: Sequence[dict[str, Any]] = con.sql(query).to_arrow_table().to_pylist()
            return found

    def remove(self, row_ids: Collection[str]) -> int:
        """Remove these rows; returns how many. Files are written anew without them under the time they had."""
        with self._connect() as con:
            con.register("removed_row", pa.table({"row_id": pa.array(list(row_ids), pa.string())}))
            return sum(self._remove_from(con, path) for path in (self._files() if row_ids else ()))

    def _remove_from(self, con: duckdb.DuckDBPyConnection, path: Path) -> int:
        relation = read_encrypted("quarantine", path)
        left = f"SELECT * FROM {relation} WHERE {_ROW_ID} NOT IN (SELECT row_id FROM removed_row)"
        before, after = (count(con, f"SELECT count(*) FROM ({query})") for query in (f"FROM {relation}", left))
        if after < before:
            self._write(con, _kept_since(path), left)
            path.unlink()
        return before - after

    def remove_expired(self, now: datetime) -> int:
        """Remove the files that have been kept for fourteen days. Returns how many."""
        expired = [path for path in self._files() if _kept_since(path) + KEPT_FOR <= now]
        for path in expired:
            path.unlink(missing_ok=True)
        for path in self._folder.glob("*.tmp"):  # left by a killed run
            if path.stat().st_mtime < time.time() - ABANDONED_AFTER_SECONDS:
                path.unlink(missing_ok=True)
        return len(expired)

    def naming(self, identifiers: Sequence[str]) -> pa.Table:
        """The rows whose content holds one of these texts, in any case of letters, with the raw bytes; newest first."""
        kept = self.list(with_content=True)
        wanted = [identifier.encode() for identifier in identifiers if identifier]
        return kept.filter(_holds_any(kept["content"], wanted)) if wanted else kept.slice(0, 0)

    def forget(self, identifiers: Sequence[str]) -> int:
        """Remove every row whose content holds one of these texts, in any case of letters. Returns how many.

        Files are written anew without them under the time they had, so that nothing of them stays on the disk.
        """
        wanted = [identifier.encode() for identifier in identifiers if identifier]
        removed = 0
        for path in self._files() if wanted else ():
            with self._connect() as con:
                kept = con.sql(f"SELECT * FROM {read_encrypted('quarantine', path)}").to_arrow_table()
                left = kept.filter(pc.invert(_holds_any(kept["content"], wanted)))
                if left.num_rows == kept.num_rows:
                    continue
                con.register("rows_left", left)
                self._write(con, _kept_since(path), "SELECT * FROM rows_left")
            path.unlink()
            removed += kept.num_rows - left.num_rows
        return removed

    def move_to(self, keyring: KeyRing) -> None:
        """Write every file anew under its name and this keyring's key; one that it opens already stays. For key rotation."""
        then = Quarantine(replace(self._workspace, keyring=keyring))
        for path in self._files():
            with self._connect() as con, then._connect() as target:
                relation = read_encrypted("quarantine", path)
                try:
                    target.execute(f"SELECT count(*) FROM {relation}")
                except duckdb.Error:
                    temporary = path.with_suffix(".tmp")
                    target.register("moved_rows", con.sql(f"SELECT * FROM {relation}").to_arrow_table())
                    write_encrypted(target, "quarantine", "SELECT * FROM moved_rows", temporary)
                    replace_durably(temporary, path)

    def _write(self, con: duckdb.DuckDBPyConnection, since: datetime, query: str) -> int:
        final = self._folder / f"{since.astimezone(UTC).strftime(_NAME_TIME)}-{uuid.uuid4().hex}.parquet"
        temporary = final.with_suffix(".tmp")
        try:
            moment = f"'{since.astimezone(UTC).isoformat()}'::TIMESTAMPTZ"
            written = write_encrypted(
                con,
                "quarantine",
                f"SELECT {', '.join(SCHEMA.names)}, {moment} AS quarantined_at FROM ({query})",
                temporary,
            )
            if written:
                replace_durably(temporary, final)
        finally:
            temporary.unlink(missing_ok=True)
        return written

    def _files(self) -> Sequence[Path]:
        return sorted(path for path in self._folder.glob("*.parquet") if _NAME.fullmatch(path.name))

    def _relation(self, files: Sequence[Path]) -> str:
        if files:
            return read_encrypted("quarantine", *files)
        return (
            "(SELECT ''::VARCHAR AS source, ''::VARCHAR AS position, 0::BIGINT AS line, ''::VARCHAR AS reason_code, "
            "''::VARCHAR AS reason, ''::BLOB AS content, now() AS quarantined_at LIMIT 0)"
        )

    @contextmanager
    def _connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._workspace.connect() as con:
            give_key(self._workspace, con, "quarantine")
            row_key = self._workspace.keyring.zone_key("quarantine", "row_id").hex()
            con.execute("SET VARIABLE quarantine_row_key = ?", [row_key])
            yield con


def _fresh_rows(kept: str) -> str:
    """Offered rows that are not kept yet: a file that is read again brings the same ones."""
    return (
        f"SELECT source, position, line, reason_code, reason, content[:{CONTENT_LIMIT}] AS content FROM offered "
        f"WHERE (source, position, coalesce(line, -1), sha256(content[:{CONTENT_LIMIT}])) NOT IN "
        f"(SELECT (source, position, coalesce(line, -1), sha256(content)) FROM {kept})"
    )


def _holds_any(contents: pa.ChunkedArray, wanted: Sequence[bytes]) -> pa.ChunkedArray:
    held = pc.match_substring(contents, wanted[0], ignore_case=True)
    for identifier in wanted[1:]:
        held = pc.or_(held, pc.match_substring(contents, identifier, ignore_case=True))
    return held


def _kept_since(path: Path) -> datetime:
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return datetime.strptime(found.group(1), _NAME_TIME).replace(tzinfo=UTC)


def _table(rows: Sequence[QuarantinedRow]) -> pa.Table:
    return pa.Table.from_pylist([vars(row) for row in rows], schema=SCHEMA)
