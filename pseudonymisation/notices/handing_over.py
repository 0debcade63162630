"""Handing notices over: a file for one recipient, and its removal, with what it was made from, once that is confirmed."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from pseudonymisation.notices.store import NOT_READY, note_purge_due, open_notices, purge_if_due
from pseudonymisation.policy.model import Policy
from pseudonymisation.vault import open_vault
from storage import LeiiError, Workspace, count, write_durably
from storage.durable import fsync_folder

FORMAT = "leii-notice/1"
KEPT_FOR = timedelta(days=14)
"""How long a written file stays; what it says waits on, and can be written again."""

SENDER = "Leii AS, post@leii.no"
ERASED = (
    "Leii has erased these people's data. Erase what you were given about them, unless a law of your own demands it."
)
CORRECTED = "These people's data were corrected. Correct what you were given about them to what is said here."


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """A written file, to be brought to the recipient and then confirmed by its id."""

    hand_over_id: str
    recipient: str
    path: Path
    notices: int


def write_hand_over(workspace: Workspace, policy: Policy, recipient: str) -> HandOver:
    """Write everything that is ready for one recipient into one file, readable by its owner alone.

    A file that was written before and not confirmed is replaced; its id is no longer good. Nobody else may write to
    LEII_HOME. Raises LeiiError if there is nothing to hand over.
    """
    known = policy.recipients.get(recipient)
    hand_over_id = str(uuid.uuid4())
    with workspace.connect() as con, open_vault(con, workspace), open_notices(con, workspace):
        con.execute("BEGIN")
        marked = count(
            con,
            "UPDATE notices.notice SET hand_over_id = CAST(? AS UUID), written_at = ? WHERE state = 'waiting' "
            f"AND recipient = ? AND (case_id IS NULL OR case_id NOT IN ({NOT_READY}))",
            [hand_over_id, workspace.now, recipient],
        )
        con.execute("COMMIT")
        if not marked:
            there = ", ".join(policy.recipients)
            unknown = "" if known else f" (no such recipient: the policy has {there})"
            raise LeiiError(f"nothing is ready to be handed over to {recipient!r}{unknown}; see `leii notices`")
        content = _content(con, hand_over_id)
    body = {
        "format": FORMAT,
        "hand_over_id": hand_over_id,
        "to": known.title if known else recipient,
        "from": SENDER,
        "because": "GDPR art. 19",
        "written_at": workspace.now.isoformat(),
        **content,
    }
    folder = _folder(workspace)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{recipient}-{hand_over_id}.json"
    write_durably(path, json.dumps(body, indent=2, ensure_ascii=False).encode() + b"\n")
    _remove(other for other in folder.glob(f"{recipient}-*.json") if other != path)
    return HandOver(hand_over_id=hand_over_id, recipient=recipient, path=path, notices=marked)


def confirm_hand_over(workspace: Workspace, hand_over_id: str) -> int:
    """Note that the recipient has it, and remove every name in it from the disk; gives how many notices. Once.

    Raises LeiiError for an id that no unconfirmed file bears.
    """
    try:
        wanted = str(uuid.UUID(hand_over_id))
    except ValueError:
        raise LeiiError(
            "that is not the id of a hand-over: `leii notices` shows those that are not confirmed"
        ) from None
    with workspace.connect() as con, open_notices(con, workspace):
        con.execute("BEGIN")
        con.execute(
            "DELETE FROM notices.content WHERE notice_id IN "
            "(SELECT notice_id FROM notices.notice WHERE hand_over_id = CAST(? AS UUID) AND state = 'waiting')",
            [wanted],
        )
        confirmed = count(
            con,
            "UPDATE notices.notice SET state = 'handed_over', handed_over_at = ?, subject_id = NULL "
            "WHERE hand_over_id = CAST(? AS UUID) AND state = 'waiting'",
            [workspace.now, wanted],
        )
        note_purge_due(con, workspace)
        con.execute("COMMIT")
    tidy_notices(workspace)
    if not confirmed:
        raise LeiiError(f"no hand-over {wanted} waits to be confirmed: `leii notices` shows those that do")
    return confirmed


def tidy_notices(workspace: Workspace) -> int:
    """Remove files that are confirmed, replaced or past their time, and purge the zone; gives how many files.

    What a crash left undone is done here.
    """
    purge_if_due(workspace)
    folder = _folder(workspace)
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    if not files:
        return 0
    with workspace.connect() as con, open_notices(con, workspace):
        rows = con.execute(
            "SELECT DISTINCT recipient || '-' || CAST(hand_over_id AS VARCHAR) || '.json' FROM notices.notice "
            "WHERE state = 'waiting' AND written_at > ?",
            [workspace.now - KEPT_FOR],
        ).fetchall()
    standing = {row[0] for row in rows}
    return _remove(path for path in files if path.name not in standing)


def _content(con: duckdb.DuckDBPyConnection, hand_over_id: str) -> dict[str, Any]:
    rows = con.execute(
        """
        SELECT notice.event, CAST(notice.notice_id AS VARCHAR), content.part, content.word, content.value
        FROM notices.notice AS notice JOIN notices.content AS content USING (notice_id)
        WHERE notice.hand_over_id = CAST(? AS UUID) ORDER BY ALL
        """,
        [hand_over_id],
    ).fetchall()
    found: dict[str, dict[str, dict[str, Any]]] = {"erasure": {}, "correction": {}}
    for event, notice_id, part, word, value in rows:
        notice = found[event].setdefault(notice_id, {"notice_id": notice_id, "known_as": defaultdict(list)})
        if part == "known_as":
            notice["known_as"][word].append(value)
        else:
            notice.setdefault("now", {})[word] = value
    said = {"erasure": ("erased", ERASED), "correction": ("corrected", CORRECTED)}
    return {
        word: {"what_to_do": text, "people": list(found[event].values())}
        for event, (word, text) in said.items()
        if found[event]
    }


def _folder(workspace: Workspace) -> Path:
    return workspace.home.exports / "notices"


def _remove(paths: Iterable[Path]) -> int:
    gone = list(paths)
    for path in gone:
        path.unlink(missing_ok=True)
    if gone:
        fsync_folder(gone[0].parent)
    return len(gone)
