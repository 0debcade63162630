"""Events as the app's clients send them, and files of them."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingestion.landing import Landing, open_landing
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.policy.source_tables import event_fields
from storage import Workspace

WANTED = event_fields(load_policy())
USER = "c4ca4238-a0b9-4382-8dcc-509a6f75849b"
COOKIE = "anonymous-cookie-1"


def event(message_id: str, **changes: Any) -> dict[str, Any]:
    """A whole event with every consent; `changes` replace its fields."""
    whole = {
        "messageId": message_id,
        "type": "track",
        "event": "Search Performed",
        "anonymousId": COOKIE,
        "userId": USER,
        "timestamp": "2026-11-10T10:00:00.000Z",
        "sentAt": "2026-11-10T10:00:00.500Z",
        "receivedAt": "2026-11-10T10:00:01.123Z",
        "properties": {"category": "cleaning", "postal_code": "0150"},
        "context": context(analytics=True, marketing=True),
    }
    return {**whole, **changes}


def context(*, analytics: Any, marketing: Any) -> dict[str, Any]:
    return {
        "ip": "10.1.2.3",
        "campaign": {"name": "autumn"},
        "device": {"id": "device-1"},
        "consent": {"categoryPreferences": {"analytics": analytics, "marketing": marketing}},
    }


def as_line(content: dict[str, Any] | str | bytes) -> bytes:
    if isinstance(content, dict):
        content = json.dumps(content)
    return content if isinstance(content, bytes) else content.encode()


def write_file(
    root: Path, lines: Sequence[dict[str, Any] | str | bytes], name: str = "a", day: str = "2026-11-10"
) -> Path:
    path = root / f"dt={day}" / f"{name}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(b"".join(as_line(line) + b"\n" for line in lines)))
    return path


def landed_events(workspace: Workspace, landing: Landing | None = None) -> list[dict[str, Any]]:
    """All rows of all batches in landing, in the order of their message ids."""
    if landing is None:
        with open_landing(workspace) as opened:
            return landed_events(workspace, opened)
    rows: list[dict[str, Any]] = []
    with workspace.connect() as con:
        for batch in landing.pending("test"):
            rows += con.sql(f"from {landing.relation_sql(con, batch)}").to_arrow_table().to_pylist()
    return sorted(rows, key=lambda row: row["message_id"])
