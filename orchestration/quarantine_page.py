"""`leii quarantine`: what could not be read, where it stood and why; one of them on request; and all of them once more."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ingestion.quarantine import CONTENT_LIMIT, KEPT_FOR, Quarantine
from ingestion.replay import Replay, replay_quarantine
from orchestration.boundary import RAW_PATTERNS
from orchestration.settings import Settings
from storage import LeiiError, Workspace

_RAW = [re.compile(pattern) for pattern in RAW_PATTERNS.values()]
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, changes its colours, or turns the order of what is read."""


def list_quarantine(settings: Settings) -> list[dict[str, Any]]:
    """One dictionary a row: id, source, position, line, reason_code, reason, quarantined_at, deleted_at."""
    rows = _opened(settings).identified().to_pylist()
    return [
        {
            "id": row["row_id"],
            "source": row["source"],
            "position": _position(row["position"]),
            "line": row["line"] or None,
            "reason_code": row["reason_code"],
            "reason": row["reason"],
            "quarantined_at": row["quarantined_at"].isoformat(),
            "deleted_at": (row["quarantined_at"] + KEPT_FOR).isoformat(),
        }
        for row in rows
    ]


def show_quarantined(settings: Settings, row_id: str) -> dict[str, Any]:
    """One row with its raw content as text; bytes that are no text, and control characters, are escaped.

    Raises LeiiError if there is none of that id.
    """
    found = _opened(settings).with_ids([row_id]).to_pylist()
    if not found:
        raise LeiiError("quarantine has no row of that id: `leii quarantine` lists them; they go after fourteen days")
    content = found[0]["content"]
    return {
        "id": row_id,
        "position": _CONTROL.sub("?", found[0]["position"]),
        "line": found[0]["line"] or None,
        "reason": found[0]["reason"],
        "is_cut": len(content) == CONTENT_LIMIT,
        "content": _printable(content),
    }


def replay(settings: Settings, *, wait_seconds: float = 0.0) -> Replay:
    """Try all of them again. Raises LeiiError while a run is at work."""
    from ingestion.events import read_refusals
    from ingestion.landing import open_landing
    from pseudonymisation.policy.reading import load_policy
    from pseudonymisation.policy.source_tables import event_fields
    from storage import exclusive_run

    workspace = settings.workspace_there()
    with exclusive_run(workspace.home, wait_seconds=wait_seconds), open_landing(workspace) as landing:
        return replay_quarantine(
            workspace,
            landing,
            wanted=event_fields(load_policy()),
            refusals=lambda: read_refusals(settings.secret("app_db_dsn")),
            ip_countries=settings.ip_countries,
        )


def quarantine_counts(workspace: Workspace) -> list[dict[str, Any]]:
    """How many rows there are by source and reason, for `leii status`."""
    if not workspace.home.quarantine.is_dir():
        return []
    return [row | {"oldest": row["oldest"].isoformat()} for row in Quarantine(workspace).counts()]


def print_quarantine(console: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same for a person."""
    from rich.table import Table

    if not rows:
        console.print("quarantine is empty")
        return
    names = ("id", "source", "position", "line", "reason", "quarantined_at", "deleted_at")
    table = Table(*(name.replace("_", " ") for name in names), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        values = {**row, "quarantined_at": row["quarantined_at"][:16], "deleted_at": row["deleted_at"][:10]}
        table.add_row(*("" if values[name] is None else str(values[name]) for name in names))
    console.print(table)


def _opened(settings: Settings) -> Quarantine:
    """The zone without what is past its time."""
    quarantine = Quarantine(workspace := settings.workspace_there())
    quarantine.remove_expired(workspace.now)
    return quarantine


def _position(position: str) -> str:
    """Others name the files: a name that looks like somebody's number or address is not shown."""
    if any(pattern.search(position) for pattern in _RAW):
        return f"{position.partition('/')[0]}/(a name that is not shown)" if "/" in position else "(not shown)"
    return _CONTROL.sub("?", position)


def _printable(content: bytes) -> str:
    """A terminal must not obey what it is shown."""
    text = content.decode("utf-8", errors="backslashreplace")
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
