"""From the slot's messages to the tables that follow them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import psycopg

from ingestion.app_db_pass import Found
from ingestion.app_db_slot import peek
from ingestion.app_db_source import AppDbSource
from ingestion.app_db_staging import OutOfStepError, Staged
from ingestion.pgoutput import Begin, Commit, Delete, Insert, Message, Relation, Truncate, Update, decode


@dataclass(kw_only=True)
class Followed:
    """A table whose changes from `position` on count, and that had `rows_before` rows before them."""

    found: Found
    staged: Staged
    position: int
    rows_before: int
    is_out_of_step: bool = False

    @classmethod
    def of(
        cls, found: Found, con: duckdb.DuckDBPyConnection, name: str, *, position: int, key_count: int
    ) -> "Followed":
        staged = Staged(table=found.table, columns=found.columns, con=con, name=name)
        return cls(found=found, staged=staged, position=position, rows_before=key_count)

    @property
    def key_count(self) -> int:
        """How many rows the table has after the changes."""
        return (0 if self.staged.was_truncated else self.rows_before) + self.staged.inserted - self.staged.deleted

    @property
    def why_out_of_step(self) -> str | None:
        if not self.is_out_of_step:
            return None
        return (
            f"table app.{self.found.table.name} has changed its columns while its changes were followed: the next pass reads "
            "it whole"
        )


def stage_changes(
    connection: psycopg.Connection[dict[str, Any]],
    source: AppDbSource,
    followed: Sequence[Followed],
    *,
    until: int | None,
    position: int,
) -> int | None:
    """Gather about a batch of changes; returns the end of the last transaction seen, None if there was none.

    A transaction that committed before `position` has been landed already; one that a table's own position follows was
    there when the table was read whole.
    """
    by_name = {one.found.table.name: one for one in followed}
    by_oid: dict[int, Followed | None] = {}
    began = 0
    reached = None
    for data in peek(connection, source.slot, until, source.batch_rows):
        message = decode(data)
        if isinstance(message, Begin):
            began = message.commit_lsn
        elif isinstance(message, Commit):
            reached = max(message.end_lsn, position)
        elif isinstance(message, Relation):
            by_oid[message.oid] = by_name.get(message.name) if message.schema == "app" else None
            _describe(by_oid[message.oid], message)
        elif message is not None and began >= position:
            _take(by_oid, message, began)
    return reached


def _describe(one: Followed | None, relation: Relation) -> None:
    """A table is described once for all the transactions that follow, even if the first of them does not count."""
    if one is not None:
        one.staged.describe(relation)


def _take(by_oid: Mapping[int, Followed | None], message: Message, began: int) -> None:
    if isinstance(message, Truncate):
        touched = [by_oid.get(oid) for oid in message.relation_oids]
    elif isinstance(message, Insert | Update | Delete):
        touched = [by_oid.get(message.relation_oid)]
    else:
        return
    for one in touched:
        if one is None or began < one.position or one.is_out_of_step:
            continue
        try:
            _stage(one.staged, message)
        except OutOfStepError:
            one.is_out_of_step = True


def _stage(staged: Staged, message: Message) -> None:
    if isinstance(message, Insert):
        staged.insert(message)
    elif isinstance(message, Update):
        staged.update(message)
    elif isinstance(message, Delete):
        staged.delete(message)
    else:
        staged.truncate()
