"""The one way back: which account a pseudonym of one purpose belongs to, for what the app itself must be told."""

import duckdb
import pyarrow as pa

from pseudonymisation.session import prepare_session
from pseudonymisation.vault import open_vault
from storage import Workspace


def accounts_by_pseudonym(workspace: Workspace, purpose: str, account_ids: pa.Table) -> pa.Table:
    """Compute the pseudonyms of accounts that the caller already knows.

    `account_ids` has a column `account_id` (text). Gives (pseudonym, account_id, flag_id, app_flag_id), all text, for
    those whom the vault knows and who are not erased: `flag_id` is the purpose's name of a fraud flag about them, and
    `app_flag_id` the app's, which no rotation of keys changes. Nobody can be found whose id the caller does not bring.
    """
    with workspace.connect() as con:
        prepare_session(con, workspace, purpose)
        with open_vault(con, workspace, read_only=True):
            return pseudonyms_of_accounts(con, account_ids)


def pseudonyms_of_accounts(con: duckdb.DuckDBPyConnection, account_ids: pa.Table) -> pa.Table:
    """As `accounts_by_pseudonym`, in a session that has the vault attached and is prepared for the purpose."""
    con.register("asked_account", account_ids)
    found = con.execute("""
        SELECT
            CAST(purpose_hmac(subject.secret) AS VARCHAR) AS pseudonym, asked.account_id,
            fraud_flag_id(purpose_hmac(subject.secret)) AS flag_id, app_flag_id(subject.secret) AS app_flag_id
        FROM asked_account AS asked
        JOIN vault.alias AS alias ON alias.alias_hash = alias_hash('account', asked.account_id)
        JOIN vault.subject AS subject ON subject.subject_id = alias.subject_id
        WHERE alias.alias_hash NOT IN (SELECT alias_hash FROM vault.tombstone)
    """).to_arrow_table()
    con.unregister("asked_account")
    return found
