"""The zone of notices: what waits to be told to whom, encrypted, with the names by which each recipient knows the person.

Apart from the held zone it is the only place where an identifier of somebody erased may lie, and only until the notice
that it is part of has been handed over. What stays afterwards is that it was, and when.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from pseudonymisation.vault import open_vault
from storage import Workspace, attached, compact_copy, count

OVERDUE_AFTER = timedelta(days=30)
"""GDPR art. 19 with art. 12(3): recipients are told without undue delay, within a month."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notices.notice (
    notice_id UUID NOT NULL, recipient VARCHAR NOT NULL, event VARCHAR NOT NULL, state VARCHAR NOT NULL,
    case_id UUID, privacy_request_id BIGINT, subject_id UUID, hand_over_id UUID,
    made_at TIMESTAMPTZ NOT NULL, written_at TIMESTAMPTZ, handed_over_at TIMESTAMPTZ
);
CREATE TABLE IF NOT EXISTS notices.content (
    notice_id UUID NOT NULL, part VARCHAR NOT NULL, word VARCHAR NOT NULL, value VARCHAR
);
CREATE TABLE IF NOT EXISTS notices.looked (case_id UUID NOT NULL);
CREATE TABLE IF NOT EXISTS notices.purge_due (since TIMESTAMPTZ NOT NULL);
"""
# state: waiting, handed_over, or unnamed (nothing in the sources names the person to the recipient any more)
# content.part: `known_as` (how the recipient knows the person) or `now` (a corrected value)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The notices of one event that wait for one recipient. `ready`: those whose erasure is certified, and corrections.

    `hand_over_id`: of the file that was written for it and is not confirmed.
    """

    recipient: str
    event: str
    waiting: int
    ready: int
    overdue: int
    oldest: datetime
    hand_over_id: str | None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What became of one recipient in one case: `waiting`, `handed_over` or `unnamed`."""

    recipient: str
    notice_id: str
    state: str


@contextmanager
def open_notices(con: duckdb.DuckDBPyConnection, workspace: Workspace, *, read_only: bool = False) -> Iterator[None]:
    """Attach the zone as `notices`. One process writes it; any number read it while none writes."""
    key = workspace.keyring.zone_key("notices")
    with attached(con, workspace.home.notices_file, "notices", key, read_only=read_only):
        if not read_only:
            con.execute(_SCHEMA)
        yield


def note_purge_due(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """To be called in the transaction that removes content: its bytes are in the file until it is purged."""
    con.execute("INSERT INTO notices.purge_due VALUES (?)", [workspace.now])


def purge_if_due(workspace: Workspace) -> None:
    """Write the file anew if something was removed from it, so that it is gone from the disk. It must not be attached."""
    file, key = workspace.home.notices_file, workspace.keyring.zone_key("notices")
    if not file.exists():
        return
    with workspace.connect() as con:
        with open_notices(con, workspace):
            if not count(con, "SELECT count(*) FROM notices.purge_due"):
                return
        compact_copy(con, file, key, file, key)
        with open_notices(con, workspace):
            con.execute("DELETE FROM notices.purge_due")


def cases_looked_at(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The cases whose recipients have been found, and their notices made. The zone is attached."""
    return {row[0] for row in con.execute("SELECT CAST(case_id AS VARCHAR) FROM notices.looked").fetchall()}


def told_of_cases(con: duckdb.DuckDBPyConnection, cases: Sequence[str]) -> dict[str, list[Told]]:
    """Every recipient of these cases, by case. The zone is attached."""
    rows = con.execute(
        "SELECT CAST(case_id AS VARCHAR), recipient, CAST(notice_id AS VARCHAR), state FROM notices.notice "
        "WHERE CAST(case_id AS VARCHAR) IN (SELECT unnest(?)) ORDER BY ALL",
        [list(cases)],
    ).fetchall()
    told: defaultdict[str, list[Told]] = defaultdict(list)
    for case, recipient, notice_id, state in rows:
        told[case].append(Told(recipient=recipient, notice_id=notice_id, state=state))
    return told


NOT_READY = "SELECT case_id FROM vault.erasure WHERE state <> 'certified'"
"""Cases whose recipients are told only when the erasure is carried out."""


def waiting_notices(con: duckdb.DuckDBPyConnection, now: datetime) -> list[Waiting]:
    """What waits, by recipient and event, without anybody's identifier. The zone and the vault are attached."""
    rows: list[tuple[Any, ...]] = con.execute(
        f"""
        SELECT recipient, event, count(*), count(*) FILTER (WHERE case_id IS NULL OR case_id NOT IN ({NOT_READY})),
            count(*) FILTER (WHERE made_at < ?), min(made_at), CAST(any_value(hand_over_id) AS VARCHAR)
        FROM notices.notice WHERE state = 'waiting' GROUP BY recipient, event ORDER BY recipient, event
        """,
        [now - OVERDUE_AFTER],
    ).fetchall()
    return [
        Waiting(
            recipient=row[0],
            event=row[1],
            waiting=row[2],
            ready=row[3],
            overdue=row[4],
            oldest=row[5],
            hand_over_id=row[6],
        )
        for row in rows
    ]


def queue_of(workspace: Workspace) -> list[Waiting]:
    """As `waiting_notices`, at any time. Raises LeiiError while a run is writing."""
    home = workspace.home
    if not home.notices_file.exists() or not home.vault_file.exists():
        return []
    with (
        workspace.connect() as con,
        open_vault(con, workspace, read_only=True),
        open_notices(con, workspace, read_only=True),
    ):
        return waiting_notices(con, workspace.now)
