"""What the server says of a table in a few numbers, so that only what differs from the last pass is read.

Every row is hashed on the server to 64 bits, and what is compared is how many rows there are and the sum of their hashes:
that can be added up range by range, in any order. It is stored keyed, so that a cursor tells nothing about a row.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestion.app_db_queries import Snapshot
from ingestion.app_db_tables import Column, hash_expression, literal, quoted, window_condition
from ingestion.source_tables import SourceTable


@dataclass(frozen=True, kw_only=True)
class TableState:
    """One table at the moment of the snapshot: the newest time, the newest key of one that only grows, its keys' hash."""

    time: datetime | None
    key: int | None
    keys: str
    key_count: int


@dataclass(frozen=True, kw_only=True)
class Hashed:
    """How many rows there are, and the sum of their hashes."""

    count: int
    total: int

    def digest(self, key: bytes) -> str:
        return keyed_digest(key, f"{self.count}:{self.total}")


def keyed_digest(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]


def read_state(
    snapshot: Snapshot,
    table: SourceTable,
    keys: list[Column],
    ranges: Sequence[str],
    *,
    now: datetime,
    digest_key: bytes,
) -> TableState:
    """The whole table's, a range at a time."""
    time = table.updated_at or table.appended_at
    newest_time = _newest_time(time, now) if time else "null::timestamptz"
    newest_key = f"max({quoted(table.key[0])})::bigint" if table.appended_at else "null::bigint"
    parts = snapshot.rows(
        [
            f"SELECT {newest_time} AS time, {newest_key} AS key, count(*) AS rows, {_sum(keys)} AS total "
            f"FROM app.{quoted(table.name)} WHERE {one}"
            for one in ranges
        ]
    )
    hashed = Hashed(count=sum(part["rows"] for part in parts), total=sum(int(part["total"]) for part in parts))
    return TableState(
        time=max((part["time"] for part in parts if part["time"] is not None), default=None),
        key=max((part["key"] for part in parts if part["key"] is not None), default=None),
        keys=hashed.digest(digest_key),
        key_count=hashed.count,
    )


def read_window(
    snapshot: Snapshot,
    table: SourceTable,
    columns: list[Column],
    ranges: Sequence[str],
    cursor: Mapping[str, Any],
    *,
    overlap: timedelta,
    digest_key: bytes,
) -> str:
    """What the rows of the cursor's window hash to, with every column: two changes can bear the same time."""
    condition = window_condition(table, cursor, overlap)
    parts = snapshot.rows(
        [
            f"SELECT count(*) AS rows, {_sum(columns)} AS total FROM app.{quoted(table.name)} WHERE {one}"
            for one in (ranges if condition == "true" else [condition])
        ]
    )
    return Hashed(count=sum(part["rows"] for part in parts), total=sum(int(part["total"]) for part in parts)).digest(
        digest_key
    )


def _sum(columns: list[Column]) -> str:
    """Of a set of rows in any order, as text: it can pass 64 bits."""
    return f"coalesce(sum({hash_expression(columns)}), 0)::text"


def _newest_time(column: str, now: datetime) -> str:
    """A row dated in the future must not carry the cursor past the rows that are still to come."""
    newest = f"max({quoted(column)})::timestamptz"
    return f"CASE WHEN {newest} IS NOT NULL THEN least({newest}, greatest(now(), {literal(now)})) END"
