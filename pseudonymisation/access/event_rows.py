"""The tracking events about a person, out of the event files as they lie: streamed, a block at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from ingestion.event_files import Damage, read_lines
from ingestion.event_store import EventStore, all_event_files
from pseudonymisation.access.person import Person
from pseudonymisation.visits import owners_sql
from storage import Workspace

_READ = """
CREATE OR REPLACE TEMP TABLE read_event AS
SELECT text AS line, lower(json_extract_string(text, '$.userId')) AS account_id,
    json_extract_string(text, '$.properties.provider_id') AS provider_id,
    alias_hash('anonymous', json_extract_string(text, '$.anonymousId')) AS cookie_hash,
    CAST(TRY_CAST(json_extract_string(text, '$.receivedAt') AS TIMESTAMPTZ) AS DATE) AS day
FROM (SELECT decode(line) AS text FROM event_line WHERE json_valid(TRY(decode(line))))
"""

_KEEPS = f"""
WITH own_visit AS (
    SELECT cookie_hash, day FROM ({owners_sql("read_event")}) WHERE account_hash = alias_hash('account', $account)
)
SELECT line FROM read_event
WHERE account_id = $account OR provider_id = $account OR cookie_hash IN (SELECT alias_hash FROM own_alias)
   OR (nullif(account_id, '') IS NULL AND (cookie_hash, day) IN (SELECT (cookie_hash, day) FROM own_visit))
"""


@dataclass(frozen=True, kw_only=True)
class EventRows:
    """The events as parsed JSON, each message once. `damaged`: files that could not be read to their end."""

    events: list[dict[str, Any]] = field(default_factory=list)
    damaged: int = 0


def read_event_rows(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, store: EventStore, person: Person
) -> EventRows:
    """Every event of the account, of their visits without signing in (see `visits`), and every look at their profile.

    The session has temp table `own_alias`. A line that is no JSON is in nobody's name; quarantine has it.
    """
    found: dict[str, dict[str, Any]] = {}
    damaged = 0
    for part in _parts(workspace, store):
        if isinstance(part, Damage):
            damaged += 1
            continue
        con.register("event_line", pa.table({"line": part}))
        con.execute(_READ)
        for (line,) in con.execute(_KEEPS, {"account": person.account_id}).fetchall():
            event = json.loads(line)
            found.setdefault(str(event.get("messageId")), event)
        con.unregister("event_line")
    return EventRows(events=list(found.values()), damaged=damaged)


def _parts(workspace: Workspace, store: EventStore) -> Iterator[pa.BinaryArray | Damage]:
    for file in all_event_files(workspace, store):
        with store.open(file.path) as stream:
            for part in read_lines(stream):
                yield part if isinstance(part, Damage) else part.content
