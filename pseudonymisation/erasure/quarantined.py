"""Quarantine holds what could not be read, so nobody knows whom it names: every word in it is asked whether it is erased."""

from collections.abc import Iterator

import duckdb

from ingestion.quarantine import Quarantine
from pseudonymisation.erasure.predicate import erased_in
from pseudonymisation.loading_sql import stored_columns
from pseudonymisation.policy.model import SUBJECT_KINDS, Policy
from pseudonymisation.treatments import keyed_sql
from storage import Workspace

_WORD = "[A-Za-z0-9_][A-Za-z0-9_.-]{5,127}"
_ADDRESS = "[A-Za-z0-9_.%+-]{1,64}@[A-Za-z0-9.-]{3,127}"
_UNPRINTABLE = r"\\x[0-9A-F]{2}"

_WORDS = f"""
SELECT DISTINCT unnest(list_concat(regexp_extract_all(text, '{_WORD}'), regexp_extract_all(text, '{_ADDRESS}'))) AS word
FROM (SELECT regexp_replace(CAST(content AS VARCHAR), '{_UNPRINTABLE}', ' ', 'g') AS text FROM quarantined)
"""

VALUES = ("bank_fingerprint", "card", "device", "email", "payment_method")
"""Kinds of identifiers that the vault does not know and that lead to a person, if nobody else has the same."""

_ERASED_WORDS = f"""
WITH word AS ({_WORDS}),
named AS (SELECT word, alias_hash(kind, spelled) AS alias_hash FROM word, (SELECT unnest(?) AS kind), LATERAL (
    SELECT unnest([word, lower(word)]) AS spelled))
SELECT DISTINCT word FROM named WHERE alias_hash IN (SELECT alias_hash FROM vault.tombstone)
"""


def forget_quarantined(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> int:
    """Remove every quarantined row in which an identifier of somebody tombstoned stands; gives how many.

    The session has the vault attached and is prepared. An identifier that is cut off is not recognised; its row goes with
    the zone's fourteen days.
    """
    return _forget(con, workspace, _ERASED_WORDS, [list(SUBJECT_KINDS)])


def forget_quarantined_values(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy, purpose: str
) -> int:
    """As `forget_quarantined`, for what only the purpose's rows tell: a device, a card, an e-mail address that nobody but
    the people in temp table `erased` has. To be called before these rows are swept; the purpose is attached."""
    values = list(_values(policy, purpose))
    if not values:
        return 0
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE erased_value AS
        SELECT kind, value FROM ({" UNION ALL ".join(select for _, select in values)})
        WHERE value IS NOT NULL GROUP BY ALL HAVING bool_and(is_erased)
    """)
    known = "SELECT value FROM erased_value WHERE kind = "
    named = " OR ".join(f"{keyed_sql(kind, 'word')} IN ({known}'{kind}')" for kind in sorted(dict(values)))
    return _forget(con, workspace, f"SELECT word FROM ({_WORDS}) WHERE {named}", [])


def _values(policy: Policy, purpose: str) -> Iterator[tuple[str, str]]:
    """(kind, SQL for kind, value, is_erased) of every column of the purpose's that holds one of VALUES."""
    for table in policy.tables_of(purpose):
        owners, types = table.subject_outputs(purpose), dict(stored_columns(table, purpose))
        for column, treatment in table.outputs(purpose):
            kind, owner = column.identifier, owners.get(column.about or "")
            if kind in VALUES and treatment.name == "pseudonym" and owner is not None:
                yield (
                    kind,
                    f"SELECT '{kind}' AS kind, {treatment.output} AS value, {erased_in(owner, types[owner])} AS is_erased "
                    f"FROM purpose.src.{table.stored_name} WHERE {owner} IS NOT NULL",
                )


def _forget(con: duckdb.DuckDBPyConnection, workspace: Workspace, sql: str, parameters: list[list[str]]) -> int:
    """Remove every quarantined row that has one of the words which the SQL gives, of `quarantined` (content)."""
    quarantine = Quarantine(workspace)
    rows = quarantine.list(with_content=True)
    if rows.num_rows == 0:
        return 0
    con.register("quarantined", rows.select(["content"]))
    words = [row[0] for row in con.execute(sql, parameters).fetchall()]
    con.unregister("quarantined")
    return quarantine.forget(words)
