"""The tracking events about a person, out of the event files as they lie: streamed, a block at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from ingestion.event_files import Damage, new_event_files, read_lines
from pseudonymisation.access.person import Person
from storage import Workspace

_KEEPS = """
SELECT decode(line) AS line FROM (SELECT line FROM event_line WHERE json_valid(TRY(decode(line))))
WHERE json_extract_string(decode(line), '$.userId') = $account
   OR json_extract_string(decode(line), '$.properties.provider_id') = $account
   OR alias_hash('anonymous', json_extract_string(decode(line), '$.anonymousId')) IN (SELECT alias_hash FROM own_alias)
"""


@dataclass(frozen=True, kw_only=True)
class EventRows:
    """The events as parsed JSON, each message once. `damaged`: files that could not be read to their end."""

    events: list[dict[str, Any]] = field(default_factory=list)
    damaged: int = 0


def read_event_rows(con: duckdb.DuckDBPyConnection, workspace: Workspace, root: str, person: Person) -> EventRows:
    """Every event of the account, of a cookie that is theirs alone, and every look at their profile.

    The session has temp table `own_alias`. A line that is no JSON is in nobody's name; quarantine has it.
    """
    found: dict[str, dict[str, Any]] = {}
    damaged = 0
    for part in _parts(workspace, root):
        if isinstance(part, Damage):
            damaged += 1
            continue
        con.register("event_line", pa.table({"line": part}))
        for (line,) in con.execute(_KEEPS, {"account": person.account_id}).fetchall():
            event = json.loads(line)
            found.setdefault(str(event.get("messageId")), event)
        con.unregister("event_line")
    return EventRows(events=list(found.values()), damaged=damaged)


def _parts(workspace: Workspace, root: str) -> Iterator[pa.BinaryArray | Damage]:
    store, files = new_event_files(workspace, root, {})
    for file in files:
        with store.open(file.path, "rb") as stream:
            for part in read_lines(stream):
                yield part if isinstance(part, Damage) else part.content
