"""The register of disclosures (R17): which recipients have been given data about whom, and since when.

It holds no identifier: a person is the vault's random subject, and goes from it with the secret. By which name a recipient
knows somebody stands in the sources alone, and is read from there when the recipient has to be told something.
"""

import duckdb

from pseudonymisation.policy.model import Policy, Table
from pseudonymisation.policy.recipients import Naming, Recipient


def note_disclosures(con: duckdb.DuckDBPyConnection, policy: Policy, table: Table, relation: str) -> None:
    """Enter what the landed rows of one table of the app say about whom recipients know. Again changes nothing.

    The vault is attached for writing, knows the batch's people, and the session is prepared. A name that stands in two
    tables (`through`) is not seen here.
    """
    if table.source != "app_db":
        return
    for recipient in policy.recipients.values():
        for naming in recipient.known_as:
            if recipient.is_given and naming.table == table.name and naming.through is None:
                _note(con, recipient, naming, relation)


def _note(con: duckdb.DuckDBPyConnection, recipient: Recipient, naming: Naming, relation: str) -> None:
    conditions = [f'"{naming.named}" IS NOT NULL', f'"{naming.person}" IS NOT NULL']
    conditions += [f'CAST("{column}" AS VARCHAR) = ?' for column in naming.when]
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE disclosed AS
        SELECT alias.subject_id, min(row.since) AS since
        FROM (
            SELECT CAST("{naming.person}" AS VARCHAR) AS account_id, CAST(min("{naming.dated}") AS DATE) AS since
            FROM {relation} WHERE {" AND ".join(conditions)} GROUP BY "{naming.person}"
        ) AS row
        JOIN vault.alias AS alias ON alias.alias_hash = alias_hash('account', row.account_id)
        GROUP BY alias.subject_id
        """,
        [as_text(value) for value in naming.when.values()],
    )
    con.execute(
        "UPDATE vault.disclosure AS known SET since = disclosed.since FROM disclosed "
        "WHERE known.subject_id = disclosed.subject_id AND known.recipient = ? "
        "AND (disclosed.since < known.since OR known.since IS NULL AND disclosed.since IS NOT NULL)",
        [recipient.name],
    )
    con.execute(
        "INSERT INTO vault.disclosure SELECT subject_id, ?, since FROM disclosed "
        "WHERE subject_id NOT IN (SELECT subject_id FROM vault.disclosure WHERE recipient = ?)",
        [recipient.name, recipient.name],
    )
    con.execute("DROP TABLE disclosed")


def as_text(value: str | bool | int) -> str:
    """A value of the policy as the databases write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
