"""Quarantine holds what could not be read, so nobody knows whom it names: every word in it is asked whether it is erased."""

import duckdb

from ingestion.quarantine import Quarantine
from pseudonymisation.policy.model import SUBJECT_KINDS
from storage import Workspace

_WORD = "[A-Za-z0-9_][A-Za-z0-9_.-]{5,127}"
_UNPRINTABLE = r"\\x[0-9A-F]{2}"

_ERASED_WORDS = f"""
WITH word AS (
    SELECT DISTINCT unnest(regexp_extract_all(regexp_replace(CAST(content AS VARCHAR), '{_UNPRINTABLE}', ' ', 'g'), '{_WORD}')) AS word
    FROM quarantined
),
named AS (SELECT word, alias_hash(kind, spelled) AS alias_hash FROM word, (SELECT unnest(?) AS kind), LATERAL (
    SELECT unnest([word, lower(word)]) AS spelled))
SELECT DISTINCT word FROM named WHERE alias_hash IN (SELECT alias_hash FROM vault.tombstone)
"""


def forget_quarantined(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> int:
    """Remove every quarantined row in which an identifier of somebody tombstoned stands; gives how many.

    The session has the vault attached and is prepared. An identifier that is cut off is not recognised; its row goes with
    the zone's fourteen days.
    """
    quarantine = Quarantine(workspace)
    rows = quarantine.list(with_content=True)
    if rows.num_rows == 0:
        return 0
    con.register("quarantined", rows.select(["content"]))
    words = [row[0] for row in con.execute(_ERASED_WORDS, [list(SUBJECT_KINDS)]).fetchall()]
    con.unregister("quarantined")
    return quarantine.forget(words)
